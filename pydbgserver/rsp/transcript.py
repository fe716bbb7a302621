"""Transcripts: what a client and a server said to each other, as text, one line per packet.

Sans-IO: text and bytes in, records out, and back. A file looks like this::

    pydbgserver transcript 1
    server: gdbserver
    program: /home/me/loop

    0.000000 <- qSupported:multiprocess+;swbreak+
    0.000212 -> PacketSize=47ff;QStartNoAckMode+
    0.104218 <- vCont;c
    0.104377 o> ready\\n
    0.304990 <!
    0.305421 -> T02thread:1f03;

A line is seconds since the start, a mark (see `Mark`) and a body. Of what the client sends the body is as it went
over the wire, with the protocol's own escapes, which only the packet's grammar can undo; of what the server sends
runs are expanded and escapes undone. Bytes that are not printable ASCII are written as in Python's byte strings. A
body whose text is longer than `LONGEST_LINE` is kept once in a side file (`rsp.bodies`) and named by its hash:
``@1f0c...:12345``.

The log channel `packets` prints the same lines, each after ``[packets]``; `parse` reads such logs too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from pydbgserver import native
from pydbgserver.rsp.codec import library

VERSION = 1
FIRST_LINE = f"pydbgserver transcript {VERSION}"

LONGEST_LINE = 8192
"""Bodies whose text would have more characters, where each escaped byte counts as four, are in the side file."""


class Mark(Enum):
    """What a line is."""

    TO_SERVER = "<-"
    TO_CLIENT = "->"
    NOTIFICATION = "~>"
    """A ``%`` packet to the client; the body is ``Name:data``."""
    INTERRUPT = "<!"
    """The byte 0x03 from the client; no body."""
    INPUT = "<i"
    """Input for the debuggee (an ``I`` packet); the body is the input itself."""
    OUTPUT = "o>"
    """What the debuggee or a monitor command printed (an ``O`` packet); the body is the text itself."""
    CLIENT_GONE = "<."
    SERVER_GONE = ".>"
    KERNEL = "k>"
    """A call to the kernel and its result, at the level `kernel`; the body is the backend's own."""

    @property
    def to_client(self) -> bool:
        """Whether the server says it."""
        return self in _FROM_SERVER


_FROM_SERVER = frozenset({Mark.TO_CLIENT, Mark.NOTIFICATION, Mark.OUTPUT, Mark.SERVER_GONE})
_MARKS = {mark.value: mark for mark in Mark}
_BODILESS = frozenset({Mark.INTERRUPT, Mark.CLIENT_GONE, Mark.SERVER_GONE})


class TranscriptError(Exception):
    """A transcript that cannot be read: `file`, `line` (from 1, 0 for the file as a whole) and why."""

    def __init__(self, file: str, line: int, why: str) -> None:
        super().__init__(f"{file}:{line}: {why}" if line else f"{file}: {why}")
        self.file = file
        self.line = line
        self.why = why


# Bodies as text.

_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(.?))", re.DOTALL)
_UNESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"\\": b"\\"}


def escape(body: bytes) -> bytes:
    """`body` on one line of printable ASCII."""
    out = native.ffi.new("uint8_t[]", 4 * len(body))
    text: bytes = native.ffi.buffer(out, library.rsp_escape_line(body, len(body), out))[:]
    return text


def unescape(text: bytes) -> bytes:
    """What `escape` made `text` of. Raises `ValueError` for an escape that there is none of."""
    if b"\\" not in text:
        return text
    return _ESCAPE.sub(_unescape_one, text)


def _unescape_one(match: re.Match[bytes]) -> bytes:
    if match[1] is not None:
        return bytes.fromhex(match[1].decode())
    try:
        return _UNESCAPES[match[2]]
    except KeyError:
        raise ValueError(f"no escape \\{match[2].decode('latin-1')}") from None


def console_text(body: bytes) -> bytes | None:
    """What an ``O`` or ``I`` packet carries, None if `body` is none that can be made again from it."""
    if len(body) % 2 == 0 or len(body) < 3 or body == b"OK":
        return None
    try:
        text = bytes.fromhex(body[1:].decode("ascii"))
    except ValueError:
        return None
    return text if text.hex().encode() == body[1:] else None


# Writing.


def format_header(header: Mapping[str, str]) -> bytes:
    """The lines before the packets, with the empty one that ends them."""
    lines = [FIRST_LINE, *(f"{key}: {one}" for key, value in header.items() for one in value.split("\n")), "", ""]
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def format_later_header(header: Mapping[str, str]) -> bytes:
    """Lines among the packets: what the header would have had, had it been known. A file name may have a newline."""
    lines = [f"#: {key}: {one}\n" for key, value in header.items() for one in value.split("\n")]
    return "".join(lines).encode("utf-8", "surrogateescape")


# Reading.


@dataclass(slots=True)
class Line:
    """One packet or mark: its `number` in the file (from 1), microseconds since the start, mark and body."""

    number: int
    time_us: int
    mark: Mark
    body: bytes

    @property
    def text(self) -> str:
        """The line without its time, as in the file, the whole body in it."""
        return f"{self.mark.value} {escape(self.body).decode('ascii')}".rstrip()


@dataclass(slots=True)
class Transcript:
    """A whole session. `header`: lower-case keys; one that occurs several times has its values on lines."""

    file: str
    header: dict[str, str] = field(default_factory=dict)
    header_lines: dict[str, list[int]] = field(default_factory=dict)
    """By key: the numbers of the lines that its values are on."""
    lines: list[Line] = field(default_factory=list)

    @property
    def duration_us(self) -> int:
        """The time of the last line."""
        return self.lines[-1].time_us if self.lines else 0


_HEADER = re.compile(rb"([a-z][a-z0-9-]*):[ \t]*(.*?)[ \t]*")
_LINE = re.compile(rb"(\d{1,9})\.(\d{6}) (<-|->|~>|<!|<i|o>|<\.|\.>|k>)(?: (.*))?")
_LOGGED = re.compile(rb"(?:\d+\.\d{6} )?\[[a-z]+\] ")
_LOG_LINE = re.compile(rb"(?:(\d+)\.(\d{6}) )?\[packets\] (<-|->|~>|<!|<i|o>|<\.|\.>)(?: (.*))?")

Bodies = Callable[[], Mapping[bytes, bytes]]
"""Gives the bodies of the side file; called when the first is needed."""


def parse(data: bytes, file: str, bodies: Bodies = dict) -> Transcript:
    """The transcript (or log) in `data`. `file` is for messages.

    A last line without its newline was cut short and is left out, as are NULs after the last one. Raises
    `TranscriptError`.
    """
    whole, _, _ = data.rstrip(b"\0").rpartition(b"\n")
    lines = [line.removesuffix(b"\r") for line in whole.split(b"\n")]
    if _LOGGED.match(lines[0]):
        return _parse_log(lines, file)
    if lines[0].decode("latin-1") != FIRST_LINE:
        raise TranscriptError(file, 1, _why_not_ours(lines[0]))
    transcript = Transcript(file)
    start = _parse_header(lines, transcript)
    reader = _Reader(file, bodies)
    for number, line in enumerate(lines[start:], start + 1):
        if line.startswith(b"#: "):
            _take_header(line[3:], number, transcript)
        elif line and not line.startswith(b"#"):
            transcript.lines.append(reader.line(number, line))
    return transcript


def _why_not_ours(line: bytes) -> str:
    prefix = FIRST_LINE.rpartition(" ")[0]
    text = line.decode("latin-1")
    if text.startswith(prefix):
        return f"this is format {text[len(prefix) :].strip()!r}, known is {VERSION}"
    return f"not a transcript: the first line is not {FIRST_LINE!r}"


def _parse_header(lines: list[bytes], transcript: Transcript) -> int:
    """Take the header in; gives the index of the first line after it."""
    for index, line in enumerate(lines[1:], 1):
        if not line:
            return index + 1
        _take_header(line, index + 1, transcript)
    return len(lines)


def _take_header(line: bytes, number: int, transcript: Transcript) -> None:
    match = _HEADER.fullmatch(line)
    if match is None:
        raise TranscriptError(transcript.file, number, f"neither 'key: value' nor the end of the header: {line[:60]!r}")
    key, value = match[1].decode(), match[2].decode("utf-8", "surrogateescape")
    header = transcript.header
    header[key] = f"{header[key]}\n{value}" if key in header else value
    transcript.header_lines.setdefault(key, []).append(number)


class _Reader:
    """Lines to records; knows the time of the line before."""

    def __init__(self, file: str, bodies: Bodies) -> None:
        self.file = file
        self._bodies = bodies
        self._known: Mapping[bytes, bytes] | None = None
        self._before = 0

    def line(self, number: int, line: bytes) -> Line:
        match = _LINE.fullmatch(line)
        if match is None:
            raise TranscriptError(self.file, number, f"not a line of a transcript: {line[:60].decode('latin-1')!r}")
        time_us = int(match[1]) * 1_000_000 + int(match[2])
        if time_us < self._before:
            raise TranscriptError(self.file, number, "time runs backwards")
        self._before = time_us
        mark = _MARKS[match[3].decode()]
        if mark in _BODILESS and match[4]:
            raise TranscriptError(self.file, number, f"{mark.value} has no body")
        return Line(number, time_us, mark, self._body(number, match[4] or b""))

    def _body(self, number: int, text: bytes) -> bytes:
        if text[:1] != b"@":
            try:
                return unescape(text)
            except ValueError as error:
                raise TranscriptError(self.file, number, str(error)) from None
        if self._known is None:
            try:
                self._known = self._bodies()
            except TranscriptError as error:
                raise TranscriptError(self.file, number, f"the body is in the side file: {error}") from None
        body = self._known.get(text[1:])
        if body is None:
            raise TranscriptError(self.file, number, f"the side file has no body {text[1:].decode('latin-1')}")
        return body


def _parse_log(lines: list[bytes], file: str) -> Transcript:
    """The packets of a log; without timestamps their order is their time."""
    transcript = Transcript(file)
    start: int | None = None
    for number, line in enumerate(lines, 1):
        match = _LOG_LINE.fullmatch(line)
        if match is None:
            continue
        now = int(match[1]) * 1_000_000 + int(match[2]) if match[1] else len(transcript.lines)
        start = now if start is None else start
        try:
            body = unescape(match[4] or b"")
        except ValueError as error:
            raise TranscriptError(file, number, str(error)) from None
        transcript.lines.append(Line(number, now - start, _MARKS[match[3].decode()], body))
    return transcript
