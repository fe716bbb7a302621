"""What of two replies has to be equal. The rules are data: `TREATMENTS` by packet, specifications by field, and the
lines ``match: PACKET TREATMENT`` of a transcript's header.

What differs from run to run is matched, not compared: the first occurrence of a process id, a thread id or an address
binds what was recorded to what there is now, and later packets, both ways, have to keep to that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydbgserver.rsp.codec import unescape
from pydbgserver.rsp.grammar import ThreadId
from pydbgserver.rsp.transcript import Transcript, TranscriptError
from pydbgserver.transcripts.decode import stop_fields
from pydbgserver.transcripts.specs import BREAKPOINT_PACKETS, packet_name, packets, stop_keys
from pydbgserver.transcripts.state import memory_read

EXACT, ITEMS, WORDS, PLACES, FORM, IGNORE, FIELDS = "exact", "items", "words", "places", "form", "ignore", "fields"

TREATMENTS: Mapping[str, str] = {
    # The features a server has, in whatever order; sizes are its own choice.
    "qSupported": ITEMS,
    # Bytes of the target, in words of a pointer's size: addresses and stack protector values may differ.
    "m": WORDS, "x": WORDS, "g": WORDS, "p": WORDS,
    # Numbers and names of the machine.
    "qHostInfo": FORM, "qProcessInfo": FORM, "qProcessInfoPID": FORM, "qfProcessInfo": FORM, "qsProcessInfo": FORM,
    # Where the kernel has put the program, its stack and its own library.
    "qXfer:auxv:read": PLACES,
    "qXfer:threads:read": FORM, "qXfer:siginfo:read": FORM, "qXfer:exec-file:read": FORM,
    "qXfer:libraries-svr4:read": FORM, "jThreadsInfo": FORM, "jModulesInfo": FORM, "jLoadedDynamicLibrariesInfos": FORM,
    "vFile:fstat": FORM, "vFile:stat": FORM, "vFile:lstat": FORM, "vFile:pread": FORM, "qMemoryRegionInfo": FORM,
    "qModuleInfo": FORM, "qGetWorkingDir": FORM, "qRcmd": FORM, "qThreadExtraInfo": FORM, "qFileLoadAddress": FORM,
    # The server leads this conversation.
    "qSymbol": IGNORE,
    "_M": FORM, "QSaveRegisterState": FORM, "qUserName": FORM, "qGroupName": FORM, "qGetPid": FORM,
}  # fmt: skip

OUTPUT = "output"
"""Stands for the debuggee's output where a packet's name is expected; it is compared or ignored."""

TREATMENT_NAMES = (EXACT, ITEMS, WORDS, PLACES, FORM, IGNORE, FIELDS)

IDENTIFIED_BY = frozenset({"pid", "tid", "thread"})
NOT_COMPARED = frozenset({"content", "host", "size"})

STOP_KEYS_IGNORED = frozenset({"core", "jstopinfo", "memory", "thread-pcs", "name", "threads", "description"})
NEAR = 24
"""Addresses that are the same but for so many low bits have moved by the same distance."""
LOWEST_ID = 9
LOWEST_ADDRESS = 0x10000
HIGHEST_ADDRESS = 1 << 47
WORD, HALF = 8, 4

AT_ADDRESSES = frozenset({3, 7, 9, 15, 25, 31, 33})
"""AT_PHDR, AT_BASE, AT_ENTRY, AT_PLATFORM, AT_RANDOM, AT_EXECFN, AT_SYSINFO_EHDR."""

_PLACE = re.compile("memory ([0-9a-f]+)-([0-9a-f]+)")
"""In the place of a packet's name: every read of memory that touches these addresses."""

_HEX = re.compile(rb"(?<![0-9a-zA-Z])(?:p)?([0-9a-f]{2,16})(?:\.([0-9a-f]{2,16}))?(?![0-9a-zA-Z])")

# Packets of the client whose numbers are ids, and those whose numbers are addresses.
WITH_IDS = frozenset(
    [
        "Hg",
        "Hc",
        "T",
        "D",
        "vKill",
        "vAttach",
        "vCont",
        "qAttached",
        "qThreadExtraInfo",
        "qThreadStopInfo",
        "qXfer:exec-file:read",
        "vFile:setfs",
        "p",
        "g",
        "G",
        "P",
        "QSaveRegisterState",
        "QRestoreRegisterState",
        "qProcessInfoPID",
        "qGetTLSAddr",
        "vCont;",
    ]
)
WITH_ADDRESSES = frozenset(
    [
        "m",
        "x",
        "M",
        "X",
        *BREAKPOINT_PACKETS,
        "qMemoryRegionInfo",
        "vCont",
        "qCRC",
        "qSearch:memory",
    ]
)


WITH_DATA = frozenset({"P", "G", "M", "X"})

_ESCAPED = re.compile(rb"[#$}*]")


def escape_binary(data: bytes) -> bytes:
    """Binary data as a client writes it."""
    return _ESCAPED.sub(lambda match: bytes((0x7D, match[0][0] ^ 0x20)), data)


class Rules:
    """How replies are compared: the built-in rules and those of one transcript. Raises `TranscriptError`."""

    def __init__(self, transcript: Transcript | None = None, *, exact: bool = False) -> None:
        self.exact = exact
        self._treatments = dict(TREATMENTS)
        self._places: list[tuple[int, int, str]] = []
        lines = (transcript.header.get("match", "") if transcript else "").splitlines()
        numbers = [*(transcript.header_lines.get("match", ()) if transcript else ()), *(0 for _ in lines)]
        for number, line in zip(numbers, lines, strict=False):
            name, _, treatment = line.strip().rpartition(" ")
            place = _PLACE.fullmatch(name)
            if treatment not in TREATMENT_NAMES or not name or (name.startswith("memory") and place is None):
                assert transcript is not None
                why = f"'match: {line}': PACKET and one of {', '.join(TREATMENT_NAMES)} are expected"
                raise TranscriptError(transcript.file, number, why)
            if place is not None:
                self._places.append((int(place[1], 16), int(place[2], 16), treatment))
            else:
                self._treatments[name] = treatment

    def treatment(self, name: str, request: bytes = b"") -> str:
        """How the replies to `request`, a packet `name` of the transcript, are compared."""
        if self.exact:
            return EXACT
        read = memory_read(request) if self._places else None
        if read is not None:
            start, end = read[0], read[0] + read[1]
            for low, high, treatment in self._places:
                if start < high and low < end:
                    return treatment
        return self._treatments.get(name, FIELDS)


class Bindings:
    """What was recorded and what it is now."""

    def __init__(self) -> None:
        self.ids: dict[int, int] = {}
        self.values: dict[int, int] = {}
        self.texts: list[tuple[bytes, bytes]] = []
        self._moves: dict[int, int] = {}

    # Ids.

    def same_id(self, recorded: int, actual: int) -> bool:
        """Whether these may be the same process or thread; binds them."""
        if recorded not in self.ids:
            self.ids[recorded] = actual
            if recorded != actual and recorded > LOWEST_ID:
                # Paths below /proc name processes and threads in decimal.
                pair = b"/%d" % recorded, b"/%d" % actual
                self.texts += [pair, (pair[0].hex().encode(), pair[1].hex().encode())]
        return self.ids[recorded] == actual

    # Addresses.

    def moved(self, recorded: int) -> int | None:
        """How far what was at `recorded` has moved, None if nothing near it is known."""
        place = recorded >> NEAR
        return next((self._moves[one] for one in (place, place + 1, place - 1) if one in self._moves), None)

    def same_address(self, recorded: int, actual: int) -> bool:
        """Whether these may be the same place; binds them."""
        move = self.moved(recorded)
        if move is None:
            self._moves[recorded >> NEAR] = actual - recorded
            return True
        return actual - recorded == move

    def same_word(self, recorded: int, actual: int) -> bool:
        """Whether a word of memory or a register may have the same meaning."""
        if recorded == actual:
            if LOWEST_ADDRESS <= recorded < HIGHEST_ADDRESS:
                self._moves.setdefault(recorded >> NEAR, 0)
            return True
        if self.ids.get(recorded & 0xFFFFFFFF) == actual & 0xFFFFFFFF:
            return True
        if all(LOWEST_ADDRESS <= one < HIGHEST_ADDRESS for one in (recorded, actual)):
            return self.same_address(recorded, actual)
        # A stack protector's value: random but for its first byte, which ends strings.
        if all(one >= HIGHEST_ADDRESS and one & 0xFF == 0 for one in (recorded, actual)):
            return self.values.setdefault(recorded, actual) == actual
        return False

    # What the client says now.

    def translate(self, body: bytes) -> bytes:
        """A recorded packet of the client, for this run."""
        name = packet_name(body)
        for recorded, actual in self.texts:
            body = body.replace(recorded, actual)
        if name in WITH_IDS and any(key != value for key, value in self.ids.items()):
            start = len(name) if name != "vCont" else 5
            body = body[:start] + _HEX.sub(self._translate_id, b":" + body[start:])[1:]
        if name in WITH_ADDRESSES and any(self._moves.values()):
            start = 1 if len(name) == 1 else len(name)
            head, colon, data = body.partition(b":") if name in ("M", "X") else (body, b"", b"")
            body = head[:start] + _HEX.sub(self._translate_address, b":" + head[start:])[1:] + colon + data
        if name in WITH_DATA and any(self._moves.values()):
            body = self._translate_data(name, body)
        return body

    def _translate_data(self, name: str, body: bytes) -> bytes:
        """What the client writes, with the addresses in it moved."""
        start = body.index({"P": b"=", "G": b"G"}.get(name, b":")) + 1
        data, _, suffix = body[start:].partition(b";thread:") if name != "X" else (unescape(body[start:]), b"", b"")
        if name != "X":
            try:
                data = bytes.fromhex(data.decode("ascii"))
            except ValueError:
                return body
        moved = self._move_words(data)
        if moved == data:
            return body
        written = escape_binary(moved) if name == "X" else moved.hex().encode()
        return body[:start] + written + (b";thread:" + suffix if suffix else b"")

    def _move_words(self, data: bytes) -> bytes:
        out, start = bytearray(data), 0
        while start + WORD <= len(data):
            value = int.from_bytes(data[start : start + WORD], "little")
            move = self.moved(value) if LOWEST_ADDRESS <= value < HIGHEST_ADDRESS else None
            if move:
                out[start : start + WORD] = (value + move).to_bytes(WORD, "little")
            start += WORD if move is not None else HALF
        return bytes(out)

    def _translate_id(self, match: re.Match[bytes]) -> bytes:
        def one(digits: bytes) -> bytes:
            value = int(digits, 16)
            return b"%x" % self.ids[value] if value in self.ids else digits

        text = match[0]
        prefix = b"p" if text[:1] == b"p" else b""
        return prefix + one(match[1]) + (b"." + one(match[2]) if match[2] else b"")

    def _translate_address(self, match: re.Match[bytes]) -> bytes:
        if match[0][:1] == b"p" or match[2]:
            return match[0]
        value = int(match[1], 16)
        move = self.moved(value) if value >= LOWEST_ADDRESS else None
        return b"%x" % (value + move) if move else match[0]


class Matcher:
    """Compares the replies of one run with the recorded ones."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.bindings = Bindings()

    def differs(self, request: bytes | None, recorded: bytes, actual: bytes) -> str | None:
        """Why `actual` is another reply than `recorded`, None if it is none."""
        if recorded == actual:
            self._bind_equal(request, recorded)
            return None
        if self.rules.exact:
            return "not the same bytes"
        for text, now in self.bindings.texts:
            recorded = recorded.replace(text, now)
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
        compare = {ITEMS: self._items, WORDS: self._words, PLACES: self._places, FORM: self._form}
        return compare.get(treatment, self._fields)(name, recorded, actual)

    def _bind_equal(self, request: bytes | None, reply: bytes) -> None:
        """Ids that are the same in both are bound, too."""
        if reply[:1] == b"T" and _is_stop(reply):
            self._stop(reply, reply)

    def _items(self, name: str, recorded: bytes, actual: bytes) -> str | None:
        before, now = (
            {item for item in body.split(b";") if item and not item.startswith(b"PacketSize")}
            for body in (recorded, actual)
        )
        if before == now:
            return None
        missing = b" ".join(sorted(before - now)).decode("latin-1")
        new = b" ".join(sorted(now - before)).decode("latin-1")
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
            if kind in IDENTIFIED_BY or kind in ("descriptor", "snapshot"):
                return self.bindings.same_id(recorded, actual)
            return kind == "address" and self.bindings.same_address(recorded, actual)
        return False

    def _stop(self, recorded: bytes, actual: bytes) -> str | None:
        if recorded[:1] != actual[:1] or recorded[1:3] != actual[1:3]:
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


def _is_stop(body: bytes) -> bool:
    return re.match(rb"[TSWX][0-9a-f]{1,2}", body) is not None


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
