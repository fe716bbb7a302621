"""Several requests in one packet: lldb 22's reads of memory, lldb 23's breakpoints."""

from __future__ import annotations

import errno
from typing import Any

from pydbgserver.errors import DebugError, MalformedPacket
from pydbgserver.rsp.registry import packet
from pydbgserver.session.dialect import PACKET_SIZE
from pydbgserver.session.session import Session

ROOM = PACKET_SIZE // 2 - 1024
"""Bytes of memory in one reply: each of them may be escaped. Later ranges are cut short, which lldb reads again."""

BAD_RANGES = 3
"""debugserver's error for ranges that make no sense."""


@packet("MultiMemRead", "':ranges:' numbers:hex+',' [',' end:word] ';' [rest:text]", dialect="lldb",
        features=["MultiMemRead+"])  # fmt: skip
def read_ranges(session: Session, numbers: tuple[int, ...], end: str | None, rest: str | None) -> bytes:
    """Pairs of address and length. The reply: how many bytes of each range, then all of them one after another."""
    if len(numbers) % 2 or end:
        raise DebugError("MultiMemRead takes pairs of address and length", BAD_RANGES)
    process, room = session.process, ROOM
    pieces = []
    for address, length in zip(numbers[::2], numbers[1::2], strict=True):
        try:
            piece = process.read_memory(address, min(length, room)) if length and room else b""
        except DebugError:
            piece = b""
        room -= len(piece)
        pieces.append(piece)
    return b"%b;%b" % (b",".join(b"%x" % len(piece) for piece in pieces), b"".join(pieces))


@packet("jMultiBreakpoint", "':' request:binary", dialect="lldb", features=["jMultiBreakpoint+"])
def change_breakpoints(session: Session, request: bytes) -> str:
    """``{"breakpoint_requests": ["Z0,ADDRESS,KIND", ...]}``, carried out in this order; the results are the replies."""
    import json

    try:
        wanted: Any = json.loads(request)["breakpoint_requests"]
        if not (isinstance(wanted, list) and all(isinstance(one, str) for one in wanted)):
            raise TypeError(wanted)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise MalformedPacket('jMultiBreakpoint takes {"breakpoint_requests": [packets...]}') from error
    pid = session.process.pid
    return json.dumps({"results": [_change(session, pid, one) for one in wanted]}, separators=(",", ":"))


def _change(session: Session, pid: int, request: str) -> str:
    """The reply to one Z or z packet; a breakpoint that is not there cannot be removed here."""
    if request[:1] not in ("Z", "z") or not request.isascii():
        return f"E{errno.EINVAL:02x}"
    if request[0] == "z" and not _is_set(session, pid, request):
        return f"E{errno.ENOENT:02x}"
    reply = session.dispatch(request.encode())
    return (reply or b"E%02x" % errno.EOPNOTSUPP).decode()


def _is_set(session: Session, pid: int, request: str) -> bool:
    try:
        place = (pid, int(request.split(",")[1], 16))
    except (ValueError, IndexError):
        return True  # Why it cannot be removed says the packet itself.
    return place in session.inserted
