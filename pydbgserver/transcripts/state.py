"""What a transcript tells of the debuggee at each of its stops.

A session is cut at its stop replies. In each piece the same question has, unless something was written in between,
the same answer wherever it is asked; memory is known wherever any packet has read or written it.
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pydbgserver.errors import MalformedPacket
from pydbgserver.rsp.grammar import Grammar
from pydbgserver.rsp.transcript import Line, Mark, Transcript
from pydbgserver.transcripts.specs import COMMON, packet_name

RESUMES = frozenset({"vCont", "c", "C", "s", "S", "bc", "bs", "vRun", "vAttach", "R", "A", "k", "D", "vKill"})
"""Packets after which the debuggee is another: each begins a piece."""

READ = Grammar("m", "address:hex ',' length:hex").parser()
WRITE_HEX = Grammar("M", "address:hex ',' length:hex ':' data:hexbytes").parser()
WRITE_BINARY = Grammar("X", "address:hex ',' length:hex ':' data:binary").parser()

_THREAD_SUFFIX = re.compile(rb";thread:(?:p[0-9a-f]+\.)?([0-9a-f]+);?$")


@dataclass(slots=True)
class Exchange:
    """One request and what was said to it, with the lines of output and interrupts in between, in order."""

    request: Line
    answers: list[Line] = field(default_factory=list)
    thread: str = ""

    @property
    def reply(self) -> bytes | None:
        """The one reply, None if there is none, or notifications only."""
        return next((line.body for line in self.answers if line.mark is Mark.TO_CLIENT), None)


@dataclass(slots=True)
class Piece:
    """The exchanges from one resume to the next; the resume is the first of them."""

    exchanges: list[Exchange] = field(default_factory=list)
    asked: dict[tuple[bytes, str], deque[bytes]] = field(default_factory=lambda: defaultdict(deque))
    """By request and selected thread: the replies, in order."""
    memory: dict[int, int] = field(default_factory=dict)
    """By address: the byte there."""

    def read(self, address: int, length: int, otherwise: Mapping[int, int]) -> bytes | None:
        """The bytes as far as they are known, here or `otherwise`; None if the first one is not."""
        known = bytearray()
        for place in range(address, address + length):
            byte = self.memory.get(place, otherwise.get(place))
            if byte is None:
                break
            known.append(byte)
        return bytes(known) or None

    def write(self, address: int, data: bytes) -> None:
        """`data` is at `address` from now on."""
        self.memory.update(enumerate(data, address))


def exchanges(transcript: Transcript) -> Iterator[Exchange]:
    """The requests with their answers; what the server says before any request has none."""
    current: Exchange | None = None
    selected = ""
    for line in transcript.lines:
        if line.mark is Mark.TO_SERVER:
            if current is not None:
                yield current
            if line.body[:2] == b"Hg":
                selected = line.body[2:].decode("latin-1")
            current = Exchange(line, thread=selected)
        elif current is not None and line.mark is not Mark.KERNEL:
            current.answers.append(line)
    if current is not None:
        yield current


def pieces(transcript: Transcript) -> list[Piece]:
    """The session, cut at its resumes; what came before the first is the first piece."""
    found = [Piece()]
    for exchange in exchanges(transcript):
        if packet_name(exchange.request.body) in RESUMES:
            found.append(Piece())
        piece = found[-1]
        piece.exchanges.append(exchange)
        if exchange.reply is not None:
            piece.asked[key(exchange.request.body, exchange.thread)].append(exchange.reply)
            _learn(piece, exchange.request.body, exchange.reply)
    return found


THREAD_PACKETS = frozenset({"g", "G", "p", "P", "qXfer:siginfo:read", "qXfer:siginfo:write"})


def key(request: bytes, thread: str) -> tuple[bytes, str]:
    """What a reply depends on: the request, and for some packets the thread that Hg chose."""
    return request, thread if packet_name(request) in THREAD_PACKETS and not _THREAD_SUFFIX.search(request) else ""


def memory_read(request: bytes) -> tuple[int, int] | None:
    """Address and length, if `request` reads memory."""
    if request[:1] not in (b"m", b"x"):
        return None
    try:
        address, length = READ(request[1:])
    except MalformedPacket:
        return None
    # lldb asks for no bytes at all to see whether the packet is known.
    return (address, length) if length else None


def memory_write(request: bytes) -> tuple[int, bytes] | None:
    """Address and bytes, if `request` writes memory."""
    if request[:1] not in (b"M", b"X"):
        return None
    try:
        address, _, data = (WRITE_HEX if request[:1] == b"M" else WRITE_BINARY)(request[1:])
    except MalformedPacket:
        return None
    return address, data


def memory_bytes(request: bytes, reply: bytes, *, prefixed: bool) -> bytes | None:
    """The bytes that the reply to a read holds, None if it failed. `prefixed`: of `x` they come after a ``b``."""
    if request[:1] == b"x":
        if prefixed:
            return reply[1:] if reply[:1] == b"b" else None
        return None if COMMON["error"].read(reply) is not None else reply
    try:
        return bytes.fromhex(reply.decode("ascii"))
    except ValueError:
        return None


def _learn(piece: Piece, request: bytes, reply: bytes) -> None:
    read, write = memory_read(request), memory_write(request)
    if read is not None:
        data = memory_bytes(request, reply, prefixed=reply[:1] == b"b")
        for place, byte in enumerate(data or b"", read[0]):
            # What is written later in the same piece is not what was there at its beginning.
            piece.memory.setdefault(place, byte)
    elif write is not None and reply == b"OK":
        piece.memory.update((place, byte) for place, byte in enumerate(write[1], write[0]) if place not in piece.memory)
