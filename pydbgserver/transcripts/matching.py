"""What of two replies has to be equal: by the rules of their packet (`rules`), and the specifications' of their fields.

What differs from run to run is matched, not compared: the first occurrence of a process id, a thread id or an address
binds what was recorded to what there is now, and later packets, both ways, have to keep to that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydbgserver.rsp.grammar import ThreadId
from pydbgserver.transcripts.bindings import HALF, WORD, Bindings
from pydbgserver.transcripts.decode import stop_fields
from pydbgserver.transcripts.rules import EXACT, FEATURES, FORM, IGNORE, ITEMS, PLACES, THREADS, WORDS, Rules
from pydbgserver.transcripts.specs import packet_name, packets, stop_keys

IDENTIFIED_BY = frozenset({"pid", "tid", "thread"})
NOT_COMPARED = frozenset({"content", "host", "size"})

STOP_NOTIFICATION = b"Stop:"
"""In non-stop mode stop replies come in notifications, too."""

STOP_KEYS_IGNORED = frozenset({"core", "jstopinfo", "memory", "thread-pcs", "name", "threads", "description"})

AT_ADDRESSES = frozenset({3, 7, 9, 15, 25, 31, 33})
"""AT_PHDR, AT_BASE, AT_ENTRY, AT_PLATFORM, AT_RANDOM, AT_EXECFN, AT_SYSINFO_EHDR."""


class Matcher:
    """Compares the replies of one run with the recorded ones."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.bindings = Bindings()

    def differs(self, request: bytes | None, recorded: bytes, actual: bytes) -> str | None:
        """Why `actual` is another reply than `recorded`, None if it is none."""
        if request is not None and packet_name(request) == "vFile:open":
            self.bindings.open_file(recorded, actual)
        if recorded == actual:
            self._bind_equal(request, recorded)
            return None
        if self.rules.exact:
            return "not the same bytes"
        for text, now in self.bindings.texts:
            recorded = recorded.replace(text, now)
        if recorded.startswith(STOP_NOTIFICATION) and actual.startswith(STOP_NOTIFICATION):
            recorded, actual = recorded[len(STOP_NOTIFICATION) :], actual[len(STOP_NOTIFICATION) :]
        if recorded[:1] in (b"T", b"S", b"W", b"X") and actual[:1] in (b"T", b"S", b"W", b"X") and _is_stop(recorded):
            return self._stop(recorded, actual)
        name = packet_name(request) if request else ""
        treatment = self.rules.treatment(name, request or b"")
        if treatment == IGNORE:
            return None
        if treatment == EXACT:
            return "not the same bytes"
        if _class(name, recorded) != _class(name, actual):
            return "another kind of reply"
        compare = {
            ITEMS: self._items,
            FEATURES: self._features,
            WORDS: self._words,
            PLACES: self._places,
            THREADS: self._threads,
            FORM: self._form,
        }
        return compare.get(treatment, self._fields)(name, recorded, actual)

    def _bind_equal(self, request: bytes | None, reply: bytes) -> None:
        """Ids that are the same in both are bound, too."""
        reply = reply.removeprefix(STOP_NOTIFICATION)
        if reply[:1] == b"T" and _is_stop(reply):
            self._stop(reply, reply)

    def _features(self, name: str, recorded: bytes, actual: bytes) -> str | None:
        """What was there has to be there, with the same value; what is new besides is no difference."""
        before, now = _items_of(recorded), _items_of(actual)
        return f"missing: {_listed(before - now)}" if before - now else None

    def _items(self, name: str, recorded: bytes, actual: bytes) -> str | None:
        before, now = _items_of(recorded), _items_of(actual)
        if before == now:
            return None
        missing, new = _listed(before - now), _listed(now - before)
        return "; ".join(words for words in (f"missing: {missing}" * bool(missing), f"new: {new}" * bool(new)) if words)

    def _form(self, name: str, recorded: bytes, actual: bytes) -> str | None:
        return None

    def _places(self, name: str, recorded: bytes, actual: bytes) -> str | None:
        """The auxiliary vector: pairs of a number and a value. Addresses in it are bound, nothing is compared."""
        before, now = (
            {body[at : at + WORD]: body[at + WORD : at + 2 * WORD] for at in range(1, len(body), 2 * WORD)}
            for body in (recorded, actual)
        )
        for kind in before.keys() & now.keys():
            if int.from_bytes(kind, "little") in AT_ADDRESSES:
                self.bindings.same_word(*(int.from_bytes(one[kind], "little") for one in (before, now)))
        return None

    def _threads(self, name: str, recorded: bytes, actual: bytes) -> str | None:
        """A list of threads: those that are not known yet are bound, in its order, if it is as long as it was."""
        before, now = (_THREAD.findall(body) for body in (recorded, actual))
        if len(before) == len(now):
            for was, one in zip(before, now, strict=True):
                for digits, found in zip(was, one, strict=True):
                    if digits and found and int(digits, 16) not in self.bindings.ids:
                        self.bindings.same_id(int(digits, 16), int(found, 16))
        return None

    def _words(self, name: str, recorded: bytes, actual: bytes) -> str | None:
        before, now = _bytes_of(name, recorded), _bytes_of(name, actual)
        if before is None or now is None:
            return "not the same form"
        if len(before) != len(now):
            return f"{len(now)} bytes instead of {len(before)}"
        start = 0
        while start < len(before):
            if before[start : start + WORD] == now[start : start + WORD]:
                self._same_word_at(start, before, now)
            elif self._same_word_at(start, before, now):
                pass
            elif name == "g" and start % WORD == 0 and before[start : start + HALF] == now[start : start + HALF]:
                # In a block of registers, what follows those of four bytes.
                start += HALF
                continue
            else:
                return f"other bytes from offset {start} on"
            start += WORD
        return None

    def _same_word_at(self, start: int, before: bytes, now: bytes) -> bool:
        recorded, actual = (int.from_bytes(one[start : start + WORD], "little") for one in (before, now))
        if start + WORD > len(before):
            return recorded == actual or self.bindings.ids.get(recorded) == actual
        return self.bindings.same_word(recorded, actual)

    def _fields(self, name: str, recorded: bytes, actual: bytes) -> str | None:
        """By the specification: the same form, and each value the same or of a kind that may differ."""
        spec = packets().get(name)
        for form in spec.replies if spec is not None else ():
            before = form.read(recorded)
            if before is None:
                continue
            now = form.read(actual)
            if now is None:
                return "another form of reply"
            assert spec is not None
            if form.name in ("error", "file-error"):
                return None if before.get("number") == now.get("number") else "another error number"
            return self._values(spec.volatile, before, now)
        return "not the same bytes"

    def _values(self, volatile: Mapping[str, str], before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
        for key, value in before.items():
            if not self._same(volatile.get(key, ""), value, now.get(key)):
                return f"{key} is another"
        return None

    def _same(self, kind: str, recorded: Any, actual: Any) -> bool:
        if recorded == actual or kind in NOT_COMPARED:
            return True
        if isinstance(recorded, tuple) and isinstance(actual, tuple):
            return len(recorded) == len(actual) and all(map(self._same, [kind] * len(recorded), recorded, actual))
        if isinstance(recorded, ThreadId) and isinstance(actual, ThreadId):
            pids = (recorded.pid is None) == (actual.pid is None)
            same_pid = recorded.pid is None or self.bindings.same_id(recorded.pid, actual.pid or 0)
            return pids and same_pid and self.bindings.same_id(recorded.tid, actual.tid)
        if isinstance(recorded, int) and isinstance(actual, int):
            if kind == "descriptor":
                return True  # Bound with the reply that gives it.
            if kind in IDENTIFIED_BY or kind == "snapshot":
                return self.bindings.same_id(recorded, actual)
            return kind == "address" and self.bindings.same_address(recorded, actual)
        return False

    def _stop(self, recorded: bytes, actual: bytes) -> str | None:
        if recorded[:1] != actual[:1] or _reason(recorded) != _reason(actual):
            return "another reason"
        if recorded[:1] != b"T":
            return None
        before, now = dict(stop_fields(recorded)), dict(stop_fields(actual))
        missing, new = sorted(before.keys() - now.keys()), sorted(now.keys() - before.keys())
        expected = [key for key in (*missing, *new) if key not in STOP_KEYS_IGNORED]
        if expected:
            return f"keys: {' '.join(expected)}"
        for key in before.keys() & now.keys() - STOP_KEYS_IGNORED:
            if not self._same_key(key, before[key], now[key]):
                return f"{key} is another"
        return None

    def _same_key(self, key: str, recorded: str, actual: str) -> bool:
        if re.fullmatch("[0-9a-f]{2,3}", key):
            if len(recorded) != len(actual):
                return False
            pair = (int.from_bytes(bytes.fromhex(one.replace("x", "0")), "little") for one in (recorded, actual))
            return self.bindings.same_word(*pair)
        if key in ("thread", "fork", "vfork"):
            found = [[int(one, 16) for one in text.strip("p").split(".")] for text in (recorded, actual)]
            return len(found[0]) == len(found[1]) and all(map(self.bindings.same_id, *found))
        kind = stop_keys().get(key, {}).get("volatile", "")
        return kind in NOT_COMPARED or recorded == actual or kind == "address"


_THREAD = re.compile(rb'<thread id="(?:p([0-9a-f]+)\.)?([0-9a-f]+)"')


def _reason(stop: bytes) -> int | None:
    """The signal or exit status: two digits, of which gdbserver leaves out a zero in `W` and `X`."""
    match = re.match(rb"[TSWX]([0-9a-f]{1,2})", stop)
    return int(match[1], 16) if match else None


def _is_stop(body: bytes) -> bool:
    return re.match(rb"[TSWX][0-9a-f]{1,2}", body) is not None


def _items_of(body: bytes) -> set[bytes]:
    return {item for item in body.split(b";") if item and not item.startswith(b"PacketSize")}


def _listed(items: set[bytes]) -> str:
    return b" ".join(sorted(items)).decode("latin-1")


def _class(name: str, body: bytes) -> str:
    """Not supported, failed, or something."""
    if not body:
        return "empty"
    if re.fullmatch(rb"E[0-9a-fA-F]{2}(;.*)?|E\..*", body, re.DOTALL):
        return "error"
    return "failed" if name.startswith("vFile") and body.startswith(b"F-1") else "something"


def _bytes_of(name: str, body: bytes) -> bytes | None:
    if name == "x":
        return body[1:] if body[:1] == b"b" else body
    try:
        return bytes.fromhex(body.decode("ascii").replace("x", "0"))
    except ValueError:
        return None
