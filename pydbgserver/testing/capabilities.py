"""Every capability of a simulated process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydbgserver.errors import BadAddress, DebugError, NoDebugRegister, NoSuchThread, Unsupported
from pydbgserver.target.api import ANY
from pydbgserver.target.capabilities import (
    Auxv,
    BreakpointPrograms,
    CoreFiles,
    ExecFile,
    HardwareDebug,
    LoadedImage,
    LoadedLibrary,
    MachException,
    MachExceptions,
    MachImages,
    MachThreads,
    MemoryAllocation,
    MemoryMap,
    OpenFile,
    OpenFiles,
    Region,
    RegionUsage,
    RegisterSnapshots,
    SharedCache,
    SharedLibraries,
    SignalInfo,
    SignalSending,
    StandardStreams,
    ThreadDetails,
    ThreadHandles,
    ThreadPlacement,
    ThreadReports,
)
from pydbgserver.target.events import WatchKind
from pydbgserver.testing.breakpoint_programs import SimBreakpointPrograms
from pydbgserver.testing.memory import SimRegion

if TYPE_CHECKING:
    from pydbgserver.testing.sim import SimProcess

ALLOCATIONS = 0x7FFFF7000000
LIBRARY = LoadedLibrary("/lib/libsim.so.1", 0x7FFFF7E00000, 0x7FFFF7C00000, 0x7FFFF7DF0000, 0x7FFFF7FFE118)
IMAGE_INFOS = 0x7FFFF7FFE400
SHARED_CACHE = 0x180000000
PTHREAD, DISPATCH_QUEUE = 0x7FFFF7FFE500, 0x7FFFF7FFE600
MAIN_LINK_MAP = 0x7FFFF7FFE2E0
AUXV = b"".join(number.to_bytes(8, "little") for number in (6, 4096, 9, 0x401000, 0, 0))


class _Capability:
    def __init__(self, process: SimProcess) -> None:
        self.process = process


class SimHardwareDebug(_Capability, HardwareDebug):
    """Four debug registers; each request takes one."""

    slots = 4

    def __init__(self, process: SimProcess) -> None:
        super().__init__(process)
        self.used: list[tuple[WatchKind, int, int]] = []

    def insert(self, kind: WatchKind, address: int, length: int) -> None:
        if kind is WatchKind.READ:
            raise Unsupported("x86 has no read watchpoints")
        if (kind, address, length) in self.used:
            return
        if len(self.used) == self.slots or length not in (1, 2, 4, 8) or address % length:
            raise NoDebugRegister("no debug register can take it")
        self.used.append((kind, address, length))

    def remove(self, kind: WatchKind, address: int, length: int) -> None:
        if (kind, address, length) in self.used:
            self.used.remove((kind, address, length))


class SimMemoryMap(_Capability, MemoryMap):
    """The regions of the process' `SimMemory`."""

    page_size = 4096

    def regions(self) -> Sequence[Region]:
        return [region.public() for region in self.process.memory.regions]

    def region_at(self, address: int) -> Region:
        region = self.process.memory.region_at(address)
        return region.public() if region is not None else Region(*self.process.memory.gap_at(address), "")

    def dirty_pages(self, region: Region) -> Sequence[int] | None:
        return sorted(page for page in self.process.memory.written if region.start <= page < region.end)

    def flags(self, region: Region) -> Sequence[str]:
        return ("rd", "mr", "mw", "me")

    def usage(self) -> Mapping[int, RegionUsage]:
        return {
            region.start: RegionUsage(region.end - region.start, len(self.dirty_pages(region) or ()) * self.page_size)
            for region in self.regions()
        }


class SimMemoryAllocation(_Capability, MemoryAllocation):
    """New regions above `ALLOCATIONS`."""

    def __init__(self, process: SimProcess) -> None:
        super().__init__(process)
        self.allocated: set[int] = set()

    def allocate(self, size: int, permissions: str) -> int:
        if not 0 < size <= 1 << 24:
            raise DebugError("cannot allocate that much")
        address = max([ALLOCATIONS, *(one.end for one in self.process.memory.regions if one.start < 0x7FFFF8000000)])
        address = (address + 0xFFF) & ~0xFFF
        self.process.memory.map(SimRegion(address, bytearray((size + 0xFFF) & ~0xFFF), permissions))
        self.allocated.add(address)
        return address

    def free(self, address: int) -> None:
        if address not in self.allocated:
            raise BadAddress(address, 1, "free")
        self.allocated.remove(address)
        self.process.memory.unmap(address)


class SimOpenFiles(_Capability, OpenFiles):
    """The program's standard streams."""

    def open_files(self) -> Sequence[OpenFile]:
        return [OpenFile(number, "rw", 0, "/dev/pts/0") for number in range(3)]


class SimAuxv(_Capability, Auxv):
    """Page size, entry point, end."""

    def auxv(self) -> bytes:
        return AUXV


class SimSharedLibraries(_Capability, SharedLibraries):
    """One library."""

    def libraries(self) -> tuple[int, Sequence[LoadedLibrary]]:
        return MAIN_LINK_MAP, (LIBRARY,)

    def load_address(self, path: str) -> int | None:
        if path == LIBRARY.name:
            return LIBRARY.load_bias
        starts = [region.start for region in self.process.memory.regions if region.name == path]
        return min(starts, default=None)


class SimExecFile(_Capability, ExecFile):
    """`SimProcess.program`."""

    def exec_file(self) -> str:
        return self.process.program


class SimSignalSending(_Capability, SignalSending):
    """Remembers what was sent; a script says what comes of it."""

    def __init__(self, process: SimProcess) -> None:
        super().__init__(process)
        self.sent: list[int] = []

    def send(self, signal: int) -> None:
        self.sent.append(signal)


class SimSignalInfo(_Capability, SignalInfo):
    """`SimProcess.siginfo`, by thread."""

    def read_siginfo(self, tid: int) -> bytes:
        if tid not in self.process.registers:
            raise NoSuchThread(tid)
        if tid not in self.process.siginfo:
            raise DebugError(f"thread {tid} did not stop for a signal")
        return self.process.siginfo[tid]

    def write_siginfo(self, tid: int, data: bytes) -> None:
        self.read_siginfo(tid)
        self.process.siginfo[tid] = data


class SimStandardStreams(_Capability, StandardStreams):
    """What is typed gathers in `SimProcess.typed`."""

    def write_stdin(self, data: bytes) -> None:
        self.process.typed += data


class SimThreadPlacement(_Capability, ThreadPlacement):
    """Thread n runs on processor n modulo 4."""

    def core(self, tid: int) -> int:
        if tid not in self.process.registers:
            raise NoSuchThread(tid)
        return tid % 4


class SimCoreFiles(_Capability, CoreFiles):
    """Remembers what was asked for; no file is written."""

    def save(self, hint: str, tid: int, signal: int) -> str:
        self.process.cores.append((hint, tid, signal))
        return hint or "/tmp/core"


class SimThreadDetails(_Capability, ThreadDetails):
    """A thread that has never had to wait."""

    def details(self, tid: int) -> Mapping[str, int | float | str]:
        return {"state": "t", "core": tid % 4, "user_time": 0.25}


class SimThreadReports(_Capability, ThreadReports):
    """`SimProcess.reports`: by thread, what is reported of it."""

    def report(self, tid: int, *, clones: bool, exits: bool) -> None:
        threads = self.process.registers
        if tid not in (ANY, *threads):
            raise NoSuchThread(tid)
        self.process.reports.update({one: (clones, exits) for one in (threads if tid == ANY else (tid,))})


class SimRegisterSnapshots(_Capability, RegisterSnapshots):
    """Copies of all register sets."""

    def __init__(self, process: SimProcess) -> None:
        super().__init__(process)
        self.taken: dict[int, tuple[int, dict[str, bytes]]] = {}
        self.count = 0

    def save(self, tid: int) -> int:
        if tid not in self.process.registers:
            raise NoSuchThread(tid)
        self.count += 1
        self.taken[self.count] = (tid, dict(self.process.registers[tid]))
        return self.count

    def restore(self, tid: int, snapshot: int) -> None:
        if snapshot not in self.taken or self.taken[snapshot][0] != tid:
            raise DebugError(f"there is no snapshot {snapshot} of thread {tid}")
        self.process.registers[tid] = self.taken.pop(snapshot)[1]


class SimMachExceptions(_Capability, MachExceptions):
    """`SimProcess.exceptions`, by thread: empty unless a test fills it."""

    def exception(self, tid: int) -> MachException | None:
        return self.process.exceptions.get(tid)


class SimMachImages(_Capability, MachImages):
    """One image, whose header is nowhere in memory; a shared cache."""

    def info_address(self) -> int:
        return IMAGE_INFOS

    def images(self) -> Sequence[LoadedImage]:
        return (LoadedImage(self.process.memory.regions[0].start, self.process.program),)

    def shared_cache(self) -> SharedCache:
        return SharedCache(SHARED_CACHE, bytes(range(16)), private=False)


class SimMachThreads(_Capability, MachThreads):
    """Every thread has the same handles."""

    def handles(self, tid: int) -> ThreadHandles:
        if tid not in self.process.registers:
            raise NoSuchThread(tid)
        return ThreadHandles(PTHREAD, DISPATCH_QUEUE)


IMPLEMENTATIONS: dict[type, Callable[[Any], object]] = {
    BreakpointPrograms: SimBreakpointPrograms,
    HardwareDebug: SimHardwareDebug,
    MemoryMap: SimMemoryMap,
    OpenFiles: SimOpenFiles,
    MemoryAllocation: SimMemoryAllocation,
    Auxv: SimAuxv,
    SharedLibraries: SimSharedLibraries,
    ExecFile: SimExecFile,
    SignalInfo: SimSignalInfo,
    SignalSending: SimSignalSending,
    StandardStreams: SimStandardStreams,
    CoreFiles: SimCoreFiles,
    ThreadDetails: SimThreadDetails,
    ThreadPlacement: SimThreadPlacement,
    ThreadReports: SimThreadReports,
    RegisterSnapshots: SimRegisterSnapshots,
    MachExceptions: SimMachExceptions,
    MachImages: SimMachImages,
    MachThreads: SimMachThreads,
}
"""By capability, what implements it for a `SimProcess`."""

MAC_CAPABILITIES: frozenset[type] = frozenset({MachExceptions, MachImages, MachThreads})
"""Those that only a Mac has."""
