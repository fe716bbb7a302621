"""How the value of a register lies in its register set, and the moves in both directions.

A register that a client sees is not always a plain piece of what the kernel
gives: the x87 control registers are 16 bits in memory and 32 bits in gdb's
``g`` packet, the tag word is compressed. Values are in target byte order,
which is little-endian for every operation but COPY.
"""

from __future__ import annotations

from enum import IntEnum

from pydbgserver.arch import x87


class Op(IntEnum):
    """The values are those of ``enum register_op`` in native/cdef/registers.h."""

    COPY = 0
    """The bytes as they are."""
    FTAG = 1
    """The abridged x87 tag byte of an FXSAVE image, seen as the full tag word in 4 bytes."""
    MASK11 = 2
    """The low 11 bits of 2 bytes, seen as 4 bytes (x87 opcode)."""
    ZX = 3
    """2 bytes, seen as 4 bytes with zeros above."""


_STORED = {Op.FTAG: 1, Op.MASK11: 2, Op.ZX: 2}
_MASK11 = 0x7FF


def stored_size(op: Op, width: int) -> int:
    """How many bytes a register of `width` visible bytes takes in its register set."""
    return _STORED.get(op, width)


def source_span(op: Op, offset: int, size: int) -> tuple[int, int]:
    """Start and end of the bytes that `decode` looks at; `offset` and `size` say where the register is stored."""
    if op is Op.FTAG:
        start = offset - x87.TAG_OFFSET
        return start, start + x87.IMAGE_SIZE
    return offset, offset + size


def decode(op: Op, image: bytes, offset: int, size: int) -> bytes:
    """The visible value of what is stored in `size` bytes at `offset` of `image`."""
    if op is Op.COPY:
        return image[offset : offset + size]
    if op is Op.FTAG:
        return x87.full_tag(image, offset - x87.TAG_OFFSET).to_bytes(4, "little")
    value = int.from_bytes(image[offset : offset + size], "little")
    return (value & _MASK11 if op is Op.MASK11 else value).to_bytes(4, "little")


def encode(op: Op, image: bytearray, offset: int, size: int, value: bytes) -> None:
    """Store the visible `value` in `size` bytes at `offset` of `image`; bits that have no place are dropped."""
    if op is Op.FTAG:
        value = bytes([x87.abridged_tag(int.from_bytes(value, "little"))])
    elif op is Op.MASK11:
        value = (int.from_bytes(value, "little") & _MASK11).to_bytes(2, "little")
    image[offset : offset + size] = value[:size]
