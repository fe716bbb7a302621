"""The debug registers of arm64: breakpoint pairs (BVR, BCR) and watchpoint pairs (WVR, WCR).

Source: Arm ARM, D23.3 (DBGBCR<n>_EL1, DBGWCR<n>_EL1). A watchpoint holds any bytes within eight aligned ones, one bit
of BAS each, or a naturally aligned power of two of 16 bytes to 2 GiB by an address mask. It fires before the access.
Pure values; their encoding is in the C core (native/mach_arm64.c).
"""

from __future__ import annotations

from pydbgserver.arch.debug_slots import Chunk
from pydbgserver.errors import NoDebugRegister

WORD = 8
INSTRUCTION = 4
LONGEST = 1 << 31


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
