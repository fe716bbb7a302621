"""The debug registers of x86: four addresses (DR0 to DR3), DR7 to control them, DR6 to say which one fired.

Source: Intel SDM vol. 3, chapter 18.2. Pure values; the backend writes them.
There is no way to wait for reads alone, and a register watches 1, 2, 4 or 8
bytes at an address that is a multiple of the length.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydbgserver.arch.debug_slots import Chunk as Chunk
from pydbgserver.arch.debug_slots import Kind, SlotTable
from pydbgserver.errors import NoDebugRegister, Unsupported

SLOTS = 4
LENGTHS = (8, 4, 2, 1)

_RW = {"execute": 0b00, "write": 0b01, "access": 0b11}
_LEN = {1: 0b00, 2: 0b01, 4: 0b11, 8: 0b10}


def split_range(address: int, length: int) -> list[tuple[int, int]]:
    """The range as the fewest (address, length) pairs that one debug register each can watch."""
    chunks = []
    end = address + length
    while address < end:
        size = next(size for size in LENGTHS if address % size == 0 and size <= end - address)
        chunks.append((address, size))
        address += size
    return chunks


def split_request(kind: str, address: int, length: int) -> list[Chunk]:
    """The registers that a request needs. An execute register always has length 1 (SDM 18.2.4).

    Raises `Unsupported` for "read" and `NoDebugRegister` for what can never fit.
    """
    if kind not in _RW:
        raise Unsupported(f"x86 has no debug register for {kind} watchpoints")
    if kind == "execute":
        return [Chunk(kind, address, 1)]
    if not 0 < length <= SLOTS * max(LENGTHS):
        raise NoDebugRegister(f"the debug registers cannot watch {length} bytes")
    return [Chunk(kind, start, size) for start, size in split_range(address, length)]


def encode_control(slots: Sequence[Chunk | None]) -> int:
    """DR7 for what each slot holds (local enable bits; the kernel makes them per thread)."""
    control = 0
    for slot, chunk in enumerate(slots):
        if chunk is not None:
            control |= 1 << 2 * slot
            control |= (_RW[chunk.kind] | _LEN[chunk.length] << 2) << 16 + 4 * slot
    return control


class DebugRegisters(SlotTable[Kind]):
    """What is being waited for, and the register values for it: `addresses` (DR0 to DR3) and `control` (DR7)."""

    def __init__(self) -> None:
        super().__init__(SLOTS, split_request)

    @property
    def addresses(self) -> tuple[int, ...]:
        """DR0 to DR3; 0 in a free slot."""
        return tuple(0 if chunk is None else chunk.address for chunk in self.slots)

    @property
    def control(self) -> int:
        """DR7."""
        return encode_control(self.slots)
