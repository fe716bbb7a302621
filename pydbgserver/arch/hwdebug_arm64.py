"""The debug registers of arm64: breakpoint pairs (BVR, BCR) and watchpoint pairs (WVR, WCR).

Source: Arm ARM, D23.3 (DBGBCR<n>_EL1, DBGWCR<n>_EL1). A watchpoint holds any bytes within eight aligned ones, one bit
of BAS each, or a naturally aligned power of two of 16 bytes to 2 GiB by an address mask. It fires before the access.
Pure values; the C core (native/mach_*.c) writes what its own encoding makes of a chunk.
"""

from __future__ import annotations

from typing import NamedTuple

from pydbgserver.arch.debug_slots import Chunk
from pydbgserver.errors import NoDebugRegister

ENABLE = 1
USER_ONLY = 0b10 << 1
"""PAC: exceptions from EL0."""
INSTRUCTION_BYTES = 0xF
"""BAS of a breakpoint: all four bytes of an A64 instruction."""
BAS_SHIFT = 5
BAS_ALL = 0xFF
MASK_SHIFT = 24
ACCESS_BITS = {"read": 0b01 << 3, "write": 0b10 << 3, "access": 0b11 << 3}
"""LSC: loads, stores."""

WORD = 8
INSTRUCTION = 4
LONGEST = 1 << 31
ADDRESS_BITS = (1 << 49) - 1 & ~(WORD - 1)
"""Bits 48 to 3 of an address, by which a hit is matched: what the fault address register holds below them is not
sure to be what was watched."""


class Pair(NamedTuple):
    """A value register and its control register."""

    value: int
    control: int


def split_range(address: int, length: int) -> list[tuple[int, int]]:
    """The range as (address, length) pairs that one watchpoint each can hold, taken as long as they fit from below."""
    chunks = []
    end = address + length
    while address < end:
        size = min(WORD - address % WORD, end - address)
        while address % (2 * size) == 0 and size >= WORD and 2 * size <= min(end - address, LONGEST):
            size *= 2
        chunks.append((address, size))
        address += size
    return chunks


def split_request(kind: str, address: int, length: int) -> list[Chunk]:
    """The debug registers that a request needs. Raises `NoDebugRegister` for what can never fit."""
    if kind == "execute":
        if address % INSTRUCTION:
            raise NoDebugRegister(f"no instruction begins at {address:#x}: they are aligned to {INSTRUCTION} bytes")
        return [Chunk(kind, address, INSTRUCTION)]
    if not 0 < length <= LONGEST:
        raise NoDebugRegister(f"the debug registers cannot watch {length} bytes")
    return [Chunk(kind, start, size) for start, size in split_range(address, length)]


def encode(chunk: Chunk) -> Pair:
    """The values that make a pair of registers wait for `chunk`."""
    if chunk.kind == "execute":
        return Pair(chunk.address, INSTRUCTION_BYTES << BAS_SHIFT | USER_ONLY | ENABLE)
    control = ACCESS_BITS[chunk.kind] | USER_ONLY | ENABLE
    if chunk.length > WORD:
        mask = chunk.length.bit_length() - 1
        return Pair(chunk.address, control | mask << MASK_SHIFT | BAS_ALL << BAS_SHIFT)
    first = chunk.address % WORD
    return Pair(chunk.address - first, control | ((1 << chunk.length) - 1) << first + BAS_SHIFT)


def decode(kind: str, pair: Pair) -> Chunk | None:
    """What the pair waits for, None if it is not enabled; `kind` is "execute" for a breakpoint pair."""
    if not pair.control & ENABLE:
        return None
    if kind == "execute":
        return Chunk(kind, pair.value, INSTRUCTION)
    name = next(name for name, bits in ACCESS_BITS.items() if bits == pair.control & 0b11 << 3)
    mask = pair.control >> MASK_SHIFT & 0x1F
    if mask:
        return Chunk(name, pair.value, 1 << mask)
    bas = pair.control >> BAS_SHIFT & BAS_ALL
    first = (bas & -bas).bit_length() - 1
    return Chunk(name, pair.value + first, bas.bit_count())


def is_hit(chunk: Chunk, fault_address: int) -> bool:
    """Whether an access that faulted at `fault_address` can have been caught by `chunk`: the exception tells the
    address alone, and of a wide access its lowest one, which may lie before what is watched."""
    low = chunk.address & ADDRESS_BITS
    high = chunk.address + chunk.length - 1 & ADDRESS_BITS
    return low <= fault_address & ADDRESS_BITS <= high
