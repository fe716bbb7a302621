"""A core file of a stopped process: an ELF file as the kernel would have written it (core(5)).

What memory is in it says the process' coredump_filter: by default all that no file has, of the rest the first page of
programs and libraries. Breakpoints are not in it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from pydbgserver.backends.linux import core_notes, procfs
from pydbgserver.errors import DebugError
from pydbgserver.target.capabilities import CoreFiles, MemoryMap, Region

if TYPE_CHECKING:
    from pydbgserver.backends.linux.process import LinuxProcess

CHUNK = 1 << 20
ET_CORE = 4
PT_LOAD, PT_NOTE = 1, 4
MOST_SEGMENTS = 0xFFFE
"""What e_phnum holds (PN_XNUM stands for more)."""

_MACHINES = {"x86_64": 62, "i386": 3}
"""e_machine by LLVM's name of the architecture."""

_HEADERS = {8: struct.Struct("<16sHHIQQQIHHHHHH"), 4: struct.Struct("<16sHHIIIIIHHHHHH")}
_SEGMENTS = {8: "<IIQQQQQQ", 4: "<IIIIIIII"}
_PERMISSIONS = {"r": 4, "w": 2, "x": 1}

# Bits of coredump_filter (core(5)).
ANONYMOUS_PRIVATE, ANONYMOUS_SHARED, FILE_PRIVATE, FILE_SHARED, ELF_HEADERS = 1, 2, 4, 8, 16
DEFAULT_FILTER = ANONYMOUS_PRIVATE | ANONYMOUS_SHARED | ELF_HEADERS
_NEVER = frozenset({"dd", "io", "pf"})
"""VmFlags of what must not be read: MADV_DONTDUMP, memory of devices, pages without structures."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A mapping and how many of its bytes, from its start on, are in the file."""

    region: Region
    size: int


class LinuxCoreFiles(CoreFiles):
    """Cores of one process."""

    def __init__(self, process: LinuxProcess) -> None:
        self._process = process

    def save(self, hint: str, tid: int, signal: int) -> str:
        path = _place(hint)
        unfinished = f"{path}.{os.getpid()}"
        try:
            descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(descriptor, "wb") as file:
                self._write(file, tid, signal)
            os.rename(unfinished, path)
        except OSError as error:
            raise DebugError(f"cannot write {path}: {error.strerror}", error.errno) from error
        finally:
            with suppress(OSError):
                os.unlink(unfinished)
        return path

    def _write(self, file: BinaryIO, tid: int, signal: int) -> None:
        memory_map = self._process.capability(MemoryMap)
        assert memory_map is not None
        word, page = self._process.arch.pointer_size, memory_map.page_size
        segments = self._segments(memory_map)
        notes = core_notes.notes(self._process, tid, signal, memory_map.regions(), page)
        header, form = _HEADERS[word], _SEGMENTS[word]
        table = header.size + struct.calcsize(form) * (len(segments) + 1)
        file.write(self._elf_header(header, struct.calcsize(form), len(segments) + 1))
        file.write(_segment_header(form, PT_NOTE, 0, table, 0, len(notes), 0, 4))
        offset = first = table + len(notes) + page - 1 & -page
        for segment in segments:
            region = segment.region
            flags = sum(_PERMISSIONS[letter] for letter in region.permissions)
            whole = region.end - region.start
            file.write(_segment_header(form, PT_LOAD, flags, offset, region.start, segment.size, whole, page))
            offset += segment.size
        file.write(notes)
        file.seek(first)
        for segment in segments:
            self._copy(file, segment, page)
        file.truncate(offset)

    def _elf_header(self, header: struct.Struct, entry_size: int, count: int) -> bytes:
        arch = self._process.arch
        identity = b"\x7fELF" + bytes((2 if arch.pointer_size == 8 else 1, 1, 1))
        machine = _MACHINES[arch.llvm_arch]
        return header.pack(identity, ET_CORE, machine, 1, 0, header.size, 0, 0, header.size, entry_size, count, 0, 0, 0)

    def _segments(self, memory_map: MemoryMap) -> Sequence[Segment]:
        try:
            wanted = int(procfs.read_text(self._process.proc_id(), "coredump_filter"), 16)
        except (DebugError, ValueError):
            wanted = DEFAULT_FILTER
        segments = []
        for region in memory_map.regions():
            if not _NEVER.isdisjoint(memory_map.flags(region)) or region.name in ("[vsyscall]", "[vvar]"):
                continue
            segments.append(Segment(region, self._kept(memory_map, region, wanted)))
        if len(segments) >= MOST_SEGMENTS:
            raise DebugError(f"{len(segments)} mappings are more than a core file has room for")
        return segments

    def _kept(self, memory_map: MemoryMap, region: Region, wanted: int) -> int:
        """Bytes of the region that belong into the file."""
        size = region.end - region.start
        if not region.permissions and not memory_map.written(region):
            return 0
        has_file = region.name.startswith("/")
        anonymous = ANONYMOUS_SHARED if region.shared else ANONYMOUS_PRIVATE
        if (not has_file or memory_map.written(region)) and wanted & anonymous:
            return size
        if has_file and wanted & (FILE_SHARED if region.shared else FILE_PRIVATE):
            return size
        if wanted & ELF_HEADERS and not region.offset and "r" in region.permissions and self._is_elf(region):
            return memory_map.page_size
        return 0

    def _is_elf(self, region: Region) -> bool:
        try:
            return self._process.read_memory(region.start, 4) == b"\x7fELF"
        except DebugError:
            return False

    def _copy(self, file: BinaryIO, segment: Segment, page: int) -> None:
        """The segment's bytes; what cannot be read is a hole of zeros."""
        address, end = segment.region.start, segment.region.start + segment.size
        while address < end:
            try:
                data = self._process.read_memory(address, min(CHUNK, end - address))
            except DebugError:
                data = b""
            file.write(data)
            address += len(data)
            if not data:
                skipped = min(page, end - address)
                file.seek(skipped, os.SEEK_CUR)
                address += skipped


def _place(hint: str) -> str:
    """All memory of the program is in the file: nobody else may look into the folder that is made for it."""
    if hint and "\0" not in hint and os.path.isdir(os.path.dirname(os.path.abspath(hint))):
        return os.path.abspath(hint)
    import tempfile

    return os.path.join(tempfile.mkdtemp(prefix="pydbgserver-"), "core")


def _segment_header(
    form: str, kind: int, flags: int, offset: int, address: int, size: int, whole: int, alignment: int
) -> bytes:
    """One program header; 64-bit files have the flags in another place (gABI, "Program Header")."""
    if form == _SEGMENTS[8]:
        return struct.pack(form, kind, flags, offset, address, 0, size, whole, alignment)
    return struct.pack(form, kind, offset, address, 0, size, whole, flags, alignment)
