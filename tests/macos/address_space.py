"""An address space as XNU keeps it, in Python: the rules that native/mach_*.c depends on and Linux has not.

Pages of any size, a maximum beside the current protection, submaps, MAP_JIT, shared objects, VM_PROT_COPY. Function
names in comments are XNU's (osfmk/vm/vm_map.c, vm_user.c). Each rule has a test in test_address_space.py. The same
object answers the calls of the C code compiled for Linux and of the machine code built for macOS.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field, replace

SUCCESS, INVALID_ADDRESS, PROTECTION_FAILURE, INVALID_ARGUMENT = 0, 1, 2, 4
READ, WRITE, EXECUTE, COPY = 1, 2, 4, 0x10
SM_COW, SM_PRIVATE, SM_EMPTY, SM_SHARED, SM_TRUESHARED = 1, 2, 3, 4, 5
SHORT_INFO_WORDS, FULL_INFO_WORDS = 12, 16
PAGE_PRESENT, PAGE_DIRTY = 1, 8
COPYOUT_LIMIT = {"x86_64": 16 * 1024, "arm64": 32 * 1024}
"""Up to this size a transfer goes through the target's page tables, and every failure looks the same."""


@dataclass
class Entry:
    """One vm_map_entry: [start, end), its memory (one object can be in several) and what may be done with it."""

    start: int
    end: int
    protection: int
    maximum: int
    memory: bytearray
    offset: int = 0
    """Of `start` in `memory`."""
    shared: bool = False
    jit: bool = False
    permanent: bool = False
    copied: bool = False
    """By VM_PROT_COPY: an object of its own, never merged with its neighbours again."""
    user_tag: int = 0
    depth: int = 0
    """Above 0: inside a submap."""


@dataclass
class AddressSpace:
    """Entries in ascending order; `arch` "arm64" or "x86_64"."""

    page_size: int = 16 * 1024
    arch: str = "arm64"
    entries: list[Entry] = field(default_factory=list)
    trace: list[tuple[object, ...]] = field(default_factory=list)
    """("protect", start, size, protection, result), ("write", start, size, result) in order."""
    before_write: Callable[[int], int | None] = lambda address: None
    """May end the target or give a result of its own for the write at an address."""
    before_protect: Callable[[int, int], int | None] = lambda address, protection: None

    def map(
        self,
        start: int,
        pages: int,
        protection: int,
        maximum: int = 7,
        *,
        shared: bool = False,
        jit: bool = False,
        permanent: bool = False,
        user_tag: int = 0,
        depth: int = 0,
        memory: bytearray | None = None,
    ) -> Entry:
        """Add an entry of `pages` pages at `start`, filled with zeros unless it shares `memory`."""
        size = pages * self.page_size
        contents = memory if memory is not None else bytearray(size)
        entry = Entry(start, start + size, protection, maximum, contents, 0, shared, jit, permanent)
        entry.user_tag, entry.depth = user_tag, depth
        self.entries.append(entry)
        self.entries.sort(key=lambda one: one.start)
        return entry

    def protections(self) -> list[tuple[int, int, int]]:
        """(start, end, protection) with neighbours of equal protection joined."""
        joined: list[tuple[int, int, int]] = []
        for entry in self.entries:
            if joined and joined[-1][1:] == (entry.start, entry.protection):
                joined[-1] = (joined[-1][0], entry.end, entry.protection)
            else:
                joined.append((entry.start, entry.end, entry.protection))
        return joined

    def peek(self, address: int, size: int) -> bytes:
        """Memory whatever its protection; inside one entry."""
        entry = self._at(address)
        assert entry is not None and address + size <= entry.end
        start = entry.offset + address - entry.start
        return bytes(entry.memory[start : start + size])

    # --- look-up -----------------------------------------------------------------

    def _at(self, address: int) -> Entry | None:
        return next((entry for entry in self.entries if entry.start <= address < entry.end), None)

    def _covering(self, start: int, end: int) -> list[Entry] | None:
        """The entries of the whole range; None if a part of it is not mapped."""
        found = []
        at = start
        while at < end:
            entry = self._at(at)
            if entry is None:
                return None
            found.append(entry)
            at = entry.end
        return found

    def _rounded(self, address: int, size: int) -> tuple[int, int]:
        mask = ~(self.page_size - 1)
        return address & mask, (address + size + self.page_size - 1) & mask

    def _clip(self, at: int) -> None:
        """Split the entry that holds `at` there (vm_map_clip_start)."""
        entry = self._at(at)
        if entry is not None and entry.start < at:
            tail = replace(entry, start=at, offset=entry.offset + at - entry.start)
            entry.end = at
            self.entries.insert(self.entries.index(entry) + 1, tail)

    # --- vm_map_protect --------------------------------------------------------------

    def protect(self, address: int, size: int, protection: int) -> int:
        """mach_vm_protect with set_maximum false."""
        result = self.before_protect(address, protection)
        if result is None:
            result = self._protect(address, size, protection)
        self.trace.append(("protect", address, size, protection, result))
        return result

    def _protect(self, address: int, size: int, protection: int) -> int:
        if size == 0:
            return SUCCESS
        start, end = self._rounded(address, size)
        covering = self._covering(start, end)
        if covering is None:
            return INVALID_ADDRESS
        wanted, copy = protection & 7, bool(protection & COPY)
        if any(self._refuses(entry, wanted, copy) for entry in covering):
            return PROTECTION_FAILURE
        self._clip(start)
        self._clip(end)
        for entry in self._covering(start, end) or ():
            if copy:
                self._make_private(entry)
            entry.protection = wanted
        return SUCCESS

    def _refuses(self, entry: Entry, wanted: int, copy: bool) -> bool:
        if entry.jit and self.arch == "arm64":
            return True
        if wanted & WRITE and wanted & EXECUTE and self.arch == "arm64":
            return True
        if copy:
            return entry.permanent and not entry.maximum & EXECUTE
        return bool(wanted & ~entry.maximum)

    def _make_private(self, entry: Entry) -> None:
        """vm_map_remap onto itself, copied: write joins the maximum, execute stays in it."""
        size = entry.end - entry.start
        entry.memory = bytearray(entry.memory[entry.offset : entry.offset + size])
        entry.offset, entry.shared, entry.copied = 0, False, True
        entry.maximum |= WRITE

    # --- contents -----------------------------------------------------------------------

    def _refused(self, address: int, size: int, needed: int) -> int:
        covering = self._covering(address, address + size)
        small = size <= COPYOUT_LIMIT[self.arch]
        if covering is None:
            return INVALID_ADDRESS
        if all(entry.protection & needed for entry in covering):
            return SUCCESS
        return INVALID_ADDRESS if small else PROTECTION_FAILURE

    def read(self, address: int, size: int) -> bytes | int:
        """mach_vm_read_overwrite: all of it, or the error."""
        refused = self._refused(address, size, READ)
        if refused:
            return refused
        data = b""
        for entry in self._covering(address, address + size) or ():
            start, end = max(address, entry.start), min(address + size, entry.end)
            data += self.peek(start, end - start)
        return data

    def write(self, address: int, data: bytes) -> int:
        """mach_vm_write: never changes a protection."""
        result = self.before_write(address)
        if result is None:
            result = self._refused(address, len(data), WRITE)
        if result == SUCCESS:
            for entry in self._covering(address, address + len(data)) or ():
                start, end = max(address, entry.start), min(address + len(data), entry.end)
                at = entry.offset + start - entry.start
                entry.memory[at : at + end - start] = data[start - address : end - address]
        self.trace.append(("write", address, len(data), result))
        return result

    def pages(self, address: int, count: int) -> list[int]:
        """mach_vm_page_range_query: VM_PAGE_QUERY bits of each page, 0 where nothing is mapped."""
        found = [self._at(address + index * self.page_size) for index in range(count)]
        return [0 if entry is None else PAGE_PRESENT | (PAGE_DIRTY if entry.copied else 0) for entry in found]

    # --- regions --------------------------------------------------------------------------

    def region(self, address: int, depth: int, words: int) -> tuple[int, int, int, bytes] | int:
        """mach_vm_region_recurse: (start, size, depth, info) of the entry that holds `address` or the next one."""
        if words < SHORT_INFO_WORDS:
            return INVALID_ARGUMENT
        entry = next((one for one in self.entries if one.end > address), None)
        if entry is None:
            return INVALID_ADDRESS
        found = min(entry.depth, depth)
        info = self._full_info(entry) if words >= FULL_INFO_WORDS else self._short_info(entry)
        return entry.start, entry.end - entry.start, found, info

    def _share_mode(self, entry: Entry) -> int:
        if entry.depth or entry.copied:
            return SM_COW
        return SM_SHARED if entry.shared else SM_PRIVATE

    def _short_info(self, entry: Entry) -> bytes:
        """vm_region_submap_short_info_64, 48 bytes."""
        head = struct.pack("<iiiQII", entry.protection, entry.maximum, 1, entry.offset, entry.user_tag, 1)
        return head + struct.pack("<HBBiiIHH", 0, 0, self._share_mode(entry), 0, 0, 0, 0, 0)

    def _full_info(self, entry: Entry) -> bytes:
        """vm_region_submap_info_64, the fields of version 0, 64 bytes."""
        pages = (entry.end - entry.start) // self.page_size
        head = struct.pack("<iiiQI", entry.protection, entry.maximum, 1, entry.offset, entry.user_tag)
        counts = struct.pack("<IIIII", pages, 0, 0, pages if entry.copied else 0, 1)
        return head + counts + struct.pack("<HBBiiIHH", 0, 0, self._share_mode(entry), 0, 0, 0, 0, 0)
