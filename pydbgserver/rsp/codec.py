"""The byte work of the protocol, done in C: typed views of native/rsp.c and native/rsp_io.c."""

from __future__ import annotations

import errno
import os
from typing import Any, Protocol

from pydbgserver import native

RECEIVE_CAPACITY = 128 * 1024
"""How many bytes one `Wire.receive` can give."""

FRAMED_OVERHEAD = 4
"""What a frame adds at most, beside one escape byte for each byte of the body."""


class RspLibrary(Protocol):
    """native/cdef/rsp.h and native/cdef/registers.h."""

    RSP_RLE: int
    RSP_NOTIFICATION: int
    RSP_TURN_SILENCE: int
    RSP_TURN_OTHER: int
    RSP_TURN_NOT_SENT: int
    RSP_TURN_TOO_LONG: int
    RSP_TURN_REPEATED: int
    REGISTER_COPY: int
    REGISTER_FTAG: int
    REGISTER_MASK11: int
    REGISTER_ZX: int
    RSP_REGSETS: int
    RSP_LINE_OVERHEAD: int
    RSP_BODY_NAME: int
    RSP_BODY_OVERHEAD: int
    RSP_LEAST_HASHED: int
    RSP_FIRST_READ: int
    RSP_STEP: int

    def rsp_checksum(self, data: bytes, length: int, /) -> int: ...
    def rsp_frame(self, body: bytes, length: int, out: Any, capacity: int, flags: int, /) -> int: ...
    def rsp_expand(self, data: bytes, length: int, out: Any, capacity: int, /) -> int: ...
    def rsp_unescape(self, data: bytes, length: int, out: Any, /) -> int: ...
    def rsp_receive(self, descriptor: int, buffer: Any, capacity: int, wait_us: int, /) -> int: ...
    def rsp_send(self, descriptor: int, data: Any, length: int, /) -> int: ...
    def rsp_converse(self, conversation: Any, /) -> int: ...
    def rsp_turn(self, conversation: Any, body: bytes, length: int, /) -> int: ...
    def rsp_peer_silence(self, descriptor: int, /) -> int: ...
    def rsp_peer_processor(self, descriptor: int, /) -> int: ...
    def rsp_clock(self, /) -> int: ...
    def rsp_escape_line(self, body: bytes, length: int, out: Any, /) -> int: ...
    def rsp_map(self, room: Any, descriptor: int, mapped: int, /) -> int: ...
    def rsp_unmap(self, room: Any, /) -> None: ...
    def rsp_grow(self, room: Any, end: int, size: int, /) -> int: ...
    def rsp_start_ahead(self, /) -> Any: ...
    def rsp_end_ahead(self, ahead: Any, /) -> None: ...
    def rsp_hash(self, data: bytes, length: int, hash: Any, /) -> None: ...
    def rsp_body_name(self, hash: Any, length: int, name: Any, /) -> int: ...
    def rsp_move_names(self, bodies: Any, names: Any, slots: int, /) -> None: ...
    def rsp_journal_line(self, journal: Any, mark: bytes, body: bytes, length: int, /) -> int: ...
    def rsp_gather(self, layout: Any, images: Any, block: Any, /) -> None: ...


library: RspLibrary = native.lib
NOTIFICATION = library.RSP_NOTIFICATION
_new = native.ffi.new
_buffer = native.ffi.buffer
_from_buffer = native.ffi.from_buffer


def checksum(wire: bytes) -> int:
    """The sum of the bytes modulo 256."""
    return library.rsp_checksum(wire, len(wire))


class Encoder:
    """Makes frames. Keeps one buffer, so that a frame of ordinary size allocates only its result."""

    __slots__ = ("_capacity", "_out", "_view")

    def __init__(self) -> None:
        self._reserve(4096)

    def _reserve(self, capacity: int) -> None:
        self._capacity = capacity
        self._out = _new("uint8_t[]", capacity)
        self._view = _buffer(self._out)

    def frame(self, body: bytes, flags: int = 0) -> bytes:
        """``$``, the escaped `body`, ``#`` and the checksum; `flags` of `enum rsp_frame_flags`."""
        size = library.rsp_frame(body, len(body), self._out, self._capacity, flags)
        if size < 0:
            self._reserve(2 * len(body) + FRAMED_OVERHEAD)
            size = library.rsp_frame(body, len(body), self._out, self._capacity, flags)
        framed: bytes = self._view[:size]
        return framed


def frame(body: bytes, *, rle: bool = False) -> bytes:
    """One frame; see `Encoder.frame`."""
    return Encoder().frame(body, library.RSP_RLE if rle else 0)


def expand(wire: bytes, limit: int) -> bytes | None:
    """`wire` with its runs written out, None if that is longer than `limit` bytes."""
    if b"*" not in wire:
        return wire if len(wire) <= limit else None
    out = bytearray(limit)
    size = library.rsp_expand(wire, len(wire), _from_buffer(out), limit)
    return None if size < 0 else bytes(memoryview(out)[:size])


def unescape(wire: bytes) -> bytes:
    """`wire` without its ``}`` escapes."""
    if b"}" not in wire:
        return wire
    out = bytearray(len(wire))
    size = library.rsp_unescape(wire, len(wire), _from_buffer(out))
    return bytes(memoryview(out)[:size])


class Wire:
    """The two ends of a connection: descriptors in non-blocking mode, the same one twice for a socket.

    Owns neither of them. What was received last is in `room`; `view` shows it as bytes.
    """

    __slots__ = ("read_descriptor", "room", "view", "write_descriptor")

    def __init__(self, read_descriptor: int, write_descriptor: int | None = None) -> None:
        self.read_descriptor = read_descriptor
        self.write_descriptor = read_descriptor if write_descriptor is None else write_descriptor
        self.room = _new("uint8_t[]", RECEIVE_CAPACITY)
        self.view = _buffer(self.room)

    def receive(self, wait_us: int = 0) -> bytes | None:
        """What has arrived, b"" at the end of the stream, None if nothing has within `wait_us` microseconds.

        A signal ends the wait early. Raises `OSError`.
        """
        size = library.rsp_receive(self.read_descriptor, self.room, RECEIVE_CAPACITY, wait_us)
        if size >= 0:
            received: bytes = self.view[:size]
            return received
        if size == -errno.EAGAIN:
            return None
        raise OSError(-size, os.strerror(-size))

    def send(self, data: bytes | bytearray | memoryview) -> int:
        """How many bytes of `data` went out without blocking, 0 if none. Raises `OSError`."""
        size = library.rsp_send(self.write_descriptor, _from_buffer(data), len(data))
        if size >= 0:
            return size
        if size == -errno.EAGAIN:
            return 0
        raise OSError(-size, os.strerror(-size))
