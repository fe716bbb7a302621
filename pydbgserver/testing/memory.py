"""The address space of a simulated process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydbgserver.errors import BadAddress
from pydbgserver.target.capabilities import Region

ADDRESS_SPACE = 1 << 64


@dataclass(slots=True)
class SimRegion:
    """One mapping: its bytes from `start` on."""

    start: int
    data: bytearray
    permissions: str = "rw"
    name: str = ""
    kind: str = ""

    @property
    def end(self) -> int:
        """The address after the last byte."""
        return self.start + len(self.data)

    def public(self) -> Region:
        """As the memory map shows it."""
        return Region(self.start, self.end, self.permissions, self.name, kind=self.kind)


PAGE = 4096


class SimMemory:
    """Mappings that do not overlap, in ascending order."""

    def __init__(self, regions: Sequence[SimRegion] = ()) -> None:
        self.regions: list[SimRegion] = []
        self.written: set[int] = set()
        """Addresses of the pages that were written."""
        for region in regions:
            self.map(region)

    def map(self, region: SimRegion) -> None:
        """Add a mapping. Raises `ValueError` if it overlaps one that is there."""
        if any(region.start < one.end and one.start < region.end for one in self.regions):
            raise ValueError(f"something is mapped at {region.start:#x} already")
        self.regions = sorted([*self.regions, region], key=lambda one: one.start)

    def unmap(self, start: int) -> None:
        """Remove the mapping that begins at `start`. Raises `BadAddress` if none does."""
        remaining = [one for one in self.regions if one.start != start]
        if len(remaining) == len(self.regions):
            raise BadAddress(start, 1, "unmap")
        self.regions = remaining

    def region_at(self, address: int) -> SimRegion | None:
        """The mapping that holds `address`."""
        return next((one for one in self.regions if one.start <= address < one.end), None)

    def gap_at(self, address: int) -> tuple[int, int]:
        """(start, end) of the unmapped range around `address`."""
        start = max((one.end for one in self.regions if one.end <= address), default=0)
        end = min((one.start for one in self.regions if one.start > address), default=ADDRESS_SPACE)
        return start, end

    def read(self, address: int, length: int) -> bytes:
        """The longest mapped prefix of the range. Raises `BadAddress` if it is empty."""
        pieces = bytearray()
        while len(pieces) < length:
            region = self.region_at(address + len(pieces))
            if region is None:
                break
            offset = address + len(pieces) - region.start
            pieces += region.data[offset : offset + length - len(pieces)]
        if length and not pieces:
            raise BadAddress(address, length)
        return bytes(pieces)

    def write(self, address: int, data: bytes) -> None:
        """Write what is mapped. Raises `BadAddress` at the first byte that is not."""
        position = 0
        while position < len(data):
            region = self.region_at(address + position)
            if region is None:
                raise BadAddress(address + position, len(data) - position, "write")
            offset = address + position - region.start
            piece = data[position : position + len(region.data) - offset]
            region.data[offset : offset + len(piece)] = piece
            first, last = (address + position) // PAGE, (address + position + len(piece) - 1) // PAGE
            self.written.update(page * PAGE for page in range(first, last + 1))
            position += len(piece)
