"""The packet specifications (protocol-specs/*.toml, see schema.md there), as reading a session needs them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pydbgserver.errors import MalformedPacket
from pydbgserver.rsp.grammar import ALL, ANY, Grammar, ThreadId

DIRECTORY = Path(__file__).with_name("specs")
NOT_PACKETS = frozenset({"features.toml", "stop.toml", "not-implemented.toml"})

Values = dict[str, Any]

_ERROR = re.compile(rb"E([0-9a-fA-F]{2})(?:;([0-9a-fA-F]*))?")
_STOP = re.compile(rb"[TS][0-9a-fA-F]{2}|[WXw][0-9a-fA-F]{1,8}(?:;|$)|N$")
_FILE_ERROR = re.compile(rb"F-1,([0-9a-fA-F]+).*")


@dataclass(slots=True)
class Form:
    """One form of bodies: `read` gives the values in a body, None if it is of another form."""

    name: str
    read: Callable[[bytes], Values | None]
    say: str = ""


@dataclass(slots=True)
class Spec:
    """One packet: its request, the forms of its replies, and what kind of volatile value is what."""

    name: str
    meaning: str
    request: Form
    replies: list[Form] = field(default_factory=list)
    volatile: Mapping[str, str] = field(default_factory=dict)


def grammar_form(name: str, source: str, say: str, *, suffix: bool = False, offset: int = 0) -> Form:
    """A form given by a grammar; `offset`: how long the packet's name is."""
    parser: list[Callable[[bytes], tuple[Any, ...]]] = []
    grammar = Grammar(name, source, suffix=suffix)

    def read(body: bytes) -> Values | None:
        if not parser:
            parser.append(grammar.parser())
        try:
            return dict(zip(grammar.names, parser[0](body[offset:]), strict=True))
        except MalformedPacket:
            return None

    return Form(name, read, say)


def _read_error(body: bytes) -> Values | None:
    match = _ERROR.fullmatch(body)
    if match is not None:
        text = bytes.fromhex((match[2] or b"").decode()).decode(errors="replace")
        return {"number": int(match[1], 16), "why": text or None}
    return {"number": None, "why": body[2:].decode(errors="replace")} if body[:2] == b"E." else None


def _read_file_error(body: bytes) -> Values | None:
    match = _FILE_ERROR.fullmatch(body)
    return None if match is None else {"number": int(match[1], 16)}


def _read_stop(body: bytes) -> Values | None:
    return {} if _STOP.match(body) else None


COMMON = {
    "OK": Form("OK", lambda body: {} if body == b"OK" else None, "done"),
    "empty": Form("empty", lambda body: None if body else {}, "not supported"),
    "error": Form("error", _read_error, "failed[: {why}][ (error {number/dec})]"),
    "stop": Form("stop", _read_stop, "stop"),
    "none": Form("none", lambda body: None, ""),
    "file-error": Form("file-error", _read_file_error, "failed: error {number/dec}"),
}


def _reply_form(given: Any) -> Form:
    if isinstance(given, str):
        return COMMON[given]
    return grammar_form("reply", given["form"], given.get("say", ""))


def _spec(entry: Mapping[str, Any]) -> Spec:
    name = entry["name"]
    request = grammar_form(
        name,
        entry.get("arguments", ""),
        entry.get("say", entry["meaning"]),
        suffix=entry.get("suffix", False),
        offset=len(name),
    )
    replies = [_reply_form(one) for one in entry.get("replies", ())]
    return Spec(name, entry["meaning"], request, replies, entry.get("volatile", {}))


@cache
def packets() -> Mapping[str, Spec]:
    """Every packet that there is a specification of, by its name."""
    found: dict[str, Spec] = {}
    for path in sorted(DIRECTORY.glob("*.toml")):
        if path.name not in NOT_PACKETS:
            with path.open("rb") as file:
                found |= {entry["name"]: _spec(entry) for entry in tomllib.load(file).get("packet", ())}
    return found


@cache
def stop_keys() -> Mapping[str, Mapping[str, Any]]:
    """The keys of stop replies, by their names."""
    with (DIRECTORY / "stop.toml").open("rb") as file:
        return {entry["name"]: entry for entry in tomllib.load(file).get("key", ())}


_WORD = re.compile(rb"[^:;,]*")


BREAKPOINT_PACKETS = tuple(f"{letter}{kind}" for letter in "Zz" for kind in range(5))
"""Insert and remove, by type."""


@cache
def packet_name(body: bytes) -> str:
    """The name of the packet that `body` is, by the specifications or, for one they do not know, by its looks."""
    text = body[:80].decode("latin-1")
    known = packets()
    best = ""
    for end in range(min(len(text), 40), 0, -1):
        spec = known.get(text[:end])
        if spec is not None and (spec.request.read(body) is not None or text[end : end + 1] in ("", ":", ";", ",")):
            best = text[:end]
            break
    if best:
        return best
    if text[:1] in "qQvj_":
        match = _WORD.match(body)
        return match[0].decode("latin-1") if match else text
    return text[:1]


# Values in words.

_HOLE = re.compile(r"\{([a-z_]+)(/dec)?\}")
_OPTIONAL = re.compile(r"\[([^\[\]]*)\]")
LONGEST_SHOWN = 48
_TEXT = re.compile(rb"[ -~\t\r\n]*")


def fill(template: str, values: Mapping[str, Any]) -> str:
    """`template` with `values` in words; a part in brackets is left out when a value in it is not there."""

    def optional(match: re.Match[str]) -> str:
        holes = _HOLE.findall(match[1])
        return match[1] if all(values.get(name) not in (None, (), "") for name, _ in holes) else ""

    before = ""
    while before != template:
        before, template = template, _OPTIONAL.sub(optional, template)
    return _HOLE.sub(lambda match: in_words(values.get(match[1]), decimal=bool(match[2])), template)


def in_words(value: Any, *, decimal: bool = False) -> str:
    """One value."""
    if isinstance(value, ThreadId):
        return thread_in_words(value)
    if isinstance(value, bool) or value is None:
        return "" if value is None else str(value)
    if isinstance(value, int):
        return str(value) if decimal else f"{value:#x}"
    if isinstance(value, bytes):
        if len(value) > 3 and _TEXT.fullmatch(value):
            return in_words(value.decode("ascii").replace("\n", "\\n"))
        shown = value[:LONGEST_SHOWN].hex(" ")
        return f"{shown} ... ({len(value)} bytes)" if len(value) > LONGEST_SHOWN else shown
    if isinstance(value, tuple):
        return ", ".join(in_words(one) for one in value)
    text = str(value)
    return text if len(text) <= 4 * LONGEST_SHOWN else f"{text[: 4 * LONGEST_SHOWN]}... ({len(text)} characters)"


def thread_in_words(thread: ThreadId) -> str:
    """A thread, or which threads, as gdb and lldb number them."""
    number = {ALL: "every thread", ANY: "any thread"}.get(thread.tid, f"thread {thread.tid}")
    if thread.pid is None:
        return number
    return f"{number} of {({ALL: 'every process', ANY: 'any process'}).get(thread.pid, f'process {thread.pid}')}"
