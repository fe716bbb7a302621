"""The address space of a Mac process: regions one by one, the whole map, the pages that were written."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pydbgserver.backends.macos import vm_tags
from pydbgserver.backends.macos.memory_calls import PAGES_PER_QUERY, RawRegion
from pydbgserver.errors import DebugError
from pydbgserver.target.capabilities import MemoryMap, Region

if TYPE_CHECKING:
    from pydbgserver.backends.macos.process import MacProcess

ADDRESS_SPACE_END = 1 << 64
VM_PAGE_QUERY_PAGE_DIRTY = 8
MAX_REGIONS = 1 << 20
"""More than the kernel's map can hold: where a walk ends that makes no progress."""


class MacMemoryMap(MemoryMap):
    """Each region is asked for on its own: a big program has tens of thousands of them."""

    always_dirty_pages = True

    def __init__(self, process: MacProcess) -> None:
        self._process = process
        self._regions: Sequence[Region] | None = None
        self._ends: Sequence[int] | None = None
        self.page_size = process.tracer.page_size(process.pid)

    def resumed(self) -> None:
        self._regions = self._ends = None

    def walk(self, *, counted: bool = False) -> Iterator[RawRegion]:
        """All regions in ascending order; `counted`: with numbers of pages, which takes the kernel longer."""
        address = 0
        for _ in range(MAX_REGIONS):
            found = self._process.tracer.region_at(self._process.pid, address, counted=counted)
            if found is None:
                return
            region = found[1]
            yield region
            address = region.start + region.size
            if region.size <= 0 or address >= ADDRESS_SPACE_END:
                return

    def regions(self) -> Sequence[Region]:
        if self._regions is None:
            self._regions = [self._public(raw) for raw in self.walk()]
        return self._regions

    def region_at(self, address: int) -> Region:
        found = self._process.tracer.region_at(self._process.pid, address)
        if found is not None and found[0]:
            return self._public(found[1])
        return Region(self._end_below(address), found[1].start if found is not None else ADDRESS_SPACE_END, "")

    def _end_below(self, address: int) -> int:
        """Where the region below a gap ends; the kernel tells only of the one above."""
        if self._ends is None:
            self._ends = [raw.start + raw.size for raw in self.walk()]
        index = bisect_right(self._ends, address)
        return self._ends[index - 1] if index else 0

    def path(self, raw: RawRegion) -> str:
        """The file that is mapped there, "" where the kernel knows none."""
        return self._process.tracer.region_path(self._process.pid, raw.start)

    def _public(self, raw: RawRegion) -> Region:
        return Region(
            raw.start,
            raw.start + raw.size,
            vm_tags.letters(raw.protection),
            self.path(raw),
            raw.offset,
            shared=vm_tags.SHARE_MODES.get(raw.share_mode) == "SHM",
            kind=vm_tags.region_types(raw.user_tag, raw.protection, raw.share_mode),
            max_permissions=vm_tags.letters(raw.max_protection),
            share_mode=vm_tags.SHARE_MODES.get(raw.share_mode, ""),
        )

    def dirty_pages(self, region: Region) -> Sequence[int] | None:
        size, pages = self.page_size, []
        address = region.start - region.start % size
        while address < region.end:
            try:
                told = self._process.tracer.page_dispositions(
                    self._process.pid, address, min(region.end - address, PAGES_PER_QUERY * size), size
                )
            except DebugError:
                return None
            if not told:
                break
            pages += [address + index * size for index, bits in enumerate(told) if bits & VM_PAGE_QUERY_PAGE_DIRTY]
            address += len(told) * size
        return pages

    def flags(self, region: Region) -> Sequence[str]:
        return ()

    def listing(self) -> str | None:
        from pydbgserver.backends.macos import vmmap

        return vmmap.listing(self._process, self)
