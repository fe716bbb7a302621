"""The byte work of the protocol, done in C: typed views of native/rsp.c, native/rsp_io.c and native/registers.c."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
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
    REGISTER_COPY: int
    REGISTER_FTAG: int
    REGISTER_MASK11: int
    REGISTER_ZX: int

    def rsp_checksum(self, data: bytes, length: int, /) -> int: ...
    def rsp_frame(self, body: bytes, length: int, out: Any, capacity: int, flags: int, /) -> int: ...
    def rsp_expand(self, data: bytes, length: int, out: Any, capacity: int, /) -> int: ...
    def rsp_unescape(self, data: bytes, length: int, out: Any, /) -> int: ...
    def rsp_receive(self, descriptor: int, buffer: Any, capacity: int, wait_us: int, /) -> int: ...
    def rsp_send(self, descriptor: int, data: Any, length: int, /) -> int: ...
    def rsp_turn(
        self,
        descriptor: int,
        body: bytes,
        length: int,
        flags: int,
        out: Any,
        out_capacity: int,
        incoming: Any,
        in_capacity: int,
        wait_us: int,
        count: Any,
        /,
    ) -> int: ...
    def rsp_gather(self, plan: Any, pieces: int, general: bytes, xstate: bytes, block: Any, /) -> None: ...
    def rsp_scatter(self, plan: Any, pieces: int, block: bytes, general: Any, xstate: Any, /) -> None: ...


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

    Owns neither of them.
    """

    __slots__ = ("_incoming", "_view", "read_descriptor", "write_descriptor")

    def __init__(self, read_descriptor: int, write_descriptor: int | None = None) -> None:
        self.read_descriptor = read_descriptor
        self.write_descriptor = read_descriptor if write_descriptor is None else write_descriptor
        self._incoming = _new("uint8_t[]", RECEIVE_CAPACITY)
        self._view = _buffer(self._incoming)

    def receive(self, wait_us: int = 0) -> bytes | None:
        """What has arrived, b"" at the end of the stream, None if nothing has within `wait_us` microseconds.

        A signal ends the wait early. Raises `OSError`.
        """
        size = library.rsp_receive(self.read_descriptor, self._incoming, RECEIVE_CAPACITY, wait_us)
        if size >= 0:
            received: bytes = self._view[:size]
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


class Conversation:
    """The quick way through a socket while a client sends one packet after another and waits for each reply.

    For connections without acknowledgements. Whatever is not one plain packet is left to `Framing`.
    """

    CAPACITY = 64 * 1024
    """The longest frame that is sent this way."""

    __slots__ = ("_arguments", "_count", "_flags", "_incoming", "_out", "_view", "_wire", "rest", "unsent")

    def __init__(self, wire: Wire, *, rle: bool) -> None:
        self._wire = wire
        self._flags = library.RSP_RLE if rle else 0
        self._out = _new("uint8_t[]", self.CAPACITY)
        self._incoming = wire._incoming
        self._view = wire._view
        self._count = _new("int64_t *")
        self.rest: bytes | None = None
        """After a turn without a packet: what came instead, None if nothing did in time, b"" at the end."""
        self.unsent = b""
        """After a turn without a packet: what could not be sent."""

    def turn(self, body: bytes, wait_us: int) -> bytes | None:
        """Reply with `body` and wait for the next packet; None if none came, see `rest` and `unsent`.

        Raises `OSError`.
        """
        size = library.rsp_turn(
            self._wire.read_descriptor,
            body,
            len(body),
            self._flags,
            self._out,
            self.CAPACITY,
            self._incoming,
            RECEIVE_CAPACITY,
            wait_us,
            self._count,
        )
        if size >= 0:
            packet: bytes = self._view[1 : size + 1]
            return packet
        self._explain(-1 - size, body)
        return None

    def _explain(self, status: int, body: bytes) -> None:
        self.rest, self.unsent = None, b""
        if status == library.RSP_TURN_OTHER:
            self.rest = self._view[: self._count[0]]
        elif status == library.RSP_TURN_NOT_SENT:
            self.unsent = frame(body, rle=bool(self._flags))[self._count[0] :]
        elif status == library.RSP_TURN_TOO_LONG:
            self.unsent = frame(body, rle=bool(self._flags))
        elif status != library.RSP_TURN_SILENCE:
            error = status - 999
            raise OSError(error, os.strerror(error))


class RegisterPlan:
    """A register layout compiled for C: how the `g` block is put together from raw register sets.

    Each piece is (op, set, source, target, size): op of `enum register_op`, set 0 general or 1 xstate, offsets in
    bytes in that set and in the block. Every offset is checked here, once; C trusts them.
    """

    __slots__ = ("_needed", "_pieces", "_plan", "block_size")

    def __init__(self, pieces: Sequence[tuple[int, int, int, int, int]], block_size: int) -> None:
        needed = [0, 0]
        for op, register_set, source, target, size in pieces:
            first, end, in_block = self._extent(op, source, size)
            if first < 0 or target < 0 or target + in_block > block_size or register_set not in (0, 1):
                raise ValueError(f"register piece {(op, register_set, source, target, size)} lies outside its buffers")
            needed[register_set] = max(needed[register_set], end)
        self._plan = _new("rsp_piece[]", [tuple(piece) for piece in pieces])
        self._pieces = len(pieces)
        self._needed = tuple(needed)
        self.block_size = block_size

    @staticmethod
    def _extent(op: int, source: int, size: int) -> tuple[int, int, int]:
        """First byte and end of what a piece touches in its register set, and its size in the block."""
        if op == library.REGISTER_COPY:
            return source, source + size, size
        if op == library.REGISTER_FTAG:
            return source - 2, source + 28 + 8 * 16, 4
        if op == library.REGISTER_MASK11:
            return source, source + 2, 4
        if op == library.REGISTER_ZX and 0 < size <= 4:
            return source, source + size, 4
        raise ValueError(f"no register operation {op} of {size} bytes")

    def _check(self, general: bytes | bytearray, xstate: bytes | bytearray) -> None:
        if len(general) < self._needed[0] or len(xstate) < self._needed[1]:
            raise ValueError(f"register sets of {len(general)} and {len(xstate)} bytes, need {self._needed}")

    def gather(self, general: bytes, xstate: bytes) -> bytes:
        """The block. Bytes that no piece covers are zero. Raises `ValueError` for a register set that is too short."""
        self._check(general, xstate)
        block = bytearray(self.block_size)
        library.rsp_gather(self._plan, self._pieces, general, xstate, _from_buffer(block))
        return bytes(block)

    def scatter(self, block: bytes, general: bytearray, xstate: bytearray) -> None:
        """Update both register sets in place. Raises `ValueError` for a wrong length."""
        self._check(general, xstate)
        if len(block) != self.block_size:
            raise ValueError(f"a block of {len(block)} bytes, need {self.block_size}")
        library.rsp_scatter(self._plan, self._pieces, block, _from_buffer(general), _from_buffer(xstate))
