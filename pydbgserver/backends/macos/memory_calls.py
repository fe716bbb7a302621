"""Memory of the target: reading, writing, allocation, regions and pages."""

from __future__ import annotations

from dataclasses import dataclass
from errno import ENOENT
from typing import Any

from pydbgserver.backends.macos.calls import ADDRESS_MASK, Calls
from pydbgserver.errors import BadAddress

PATH_MAX = 4096
PAGES_PER_QUERY = 4096


@dataclass(frozen=True, slots=True)
class RawRegion:
    """One `mach_region`: vm_region_submap_info_64 of the region from `start` (bytes), protections as VM_PROT bits."""

    start: int
    size: int
    offset: int
    protection: int
    max_protection: int
    user_tag: int
    share_mode: int
    external_pager: int
    is_submap: int
    depth: int
    ref_count: int
    pages_resident: int
    pages_dirtied: int
    pages_swapped: int


_REGION_FIELDS = tuple(RawRegion.__dataclass_fields__)


_REGION_FIELDS = tuple(RawRegion.__dataclass_fields__)


class MemoryCalls(Calls):
    """The part of the C core about memory."""

    def read_memory(self, pid: int, address: int, length: int) -> bytes:
        """The readable prefix; raises `BadAddress` when there is none."""
        if not length:
            return b""
        buffer = self.ffi.new("uint8_t[]", length)
        count = self.lib.mach_read_memory(pid, address & ADDRESS_MASK, buffer, length)
        if count <= 0:
            raise self._gone(count, pid) or BadAddress(address, length)
        return bytes(self.ffi.buffer(buffer, count))

    def write_memory(self, pid: int, address: int, data: bytes) -> tuple[int, Any]:
        """How many bytes were written, and the `mach_write_report`: why not all, and what was not put back.

        Raises `NoSuchProcess`; every other failure is in the report.
        """
        report = self.ffi.new("mach_write_report *")
        count = self.lib.mach_write_memory(pid, address & ADDRESS_MASK, data, len(data), report)
        if count < 0:
            gone = self._gone(count, pid)
            if gone is not None:
                raise gone
            report.error = report.error or count
        return max(count, 0), report

    def page_size(self, pid: int) -> int:
        return self._process(self.lib.mach_page_size_of(pid), pid, "find the page size of")

    def allocate_memory(self, pid: int, size: int, protection: int) -> int:
        return self._process(self.lib.mach_allocate_memory(pid, size, protection), pid, f"allocate {size} bytes in")

    def free_memory(self, pid: int, address: int, size: int) -> None:
        self._process(self.lib.mach_free_memory(pid, address, size), pid, f"free the memory at {address:#x} of")

    def region_at(self, pid: int, address: int, *, counted: bool = False) -> tuple[bool, RawRegion] | None:
        """(True, the region that holds `address`), or (False, the next one above); None: nothing is mapped from there
        on. `counted`: with numbers of pages."""
        raw = self.ffi.new("mach_region *")
        result = self.lib.mach_region_at(pid, address & ADDRESS_MASK, counted, raw)
        if result == -ENOENT:
            return None
        self._process(result, pid, "read the memory map of")
        return bool(result), RawRegion(*(getattr(raw, name) for name in _REGION_FIELDS))

    def region_path(self, pid: int, address: int) -> str:
        """The file mapped at `address`, "" if none is."""
        return self._text(PATH_MAX, lambda buffer: self.lib.mach_region_path(pid, address, buffer, PATH_MAX))

    def page_dispositions(self, pid: int, address: int, size: int, page_size: int) -> list[int]:
        """VM_PAGE_QUERY bits of each page of the range; short where the kernel says no more."""
        count = min(size // page_size, PAGES_PER_QUERY)
        buffer = self.ffi.new("int32_t[]", max(count, 1))
        told = self.lib.mach_page_dispositions(pid, address, count * page_size, buffer, count)
        return list(buffer[0 : self._process(told, pid, "ask about the pages of")])
