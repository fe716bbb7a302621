"""The optional capabilities of a Linux debuggee, each a small class over the tracer and /proc."""

from __future__ import annotations

import resource
from collections.abc import Callable, Mapping, Sequence
from errno import EPERM
from typing import TYPE_CHECKING

from pydbgserver import logs
from pydbgserver.arch.hwdebug_x86 import DebugRegisters
from pydbgserver.backends.linux import libraries, procfs, siginfo, system, tracer
from pydbgserver.backends.linux.remote_call import LinuxMemoryAllocation
from pydbgserver.backends.snapshots import RegsetSnapshots
from pydbgserver.errors import DebugError, KernelError, Unsupported
from pydbgserver.target.capabilities import (
    Auxv,
    BreakpointPrograms,
    CoreFiles,
    ExecFile,
    HardwareDebug,
    LoadedLibrary,
    MemoryAllocation,
    MemoryMap,
    NativeReads,
    OpenFile,
    OpenFiles,
    Region,
    RegionUsage,
    RegisterSnapshots,
    SharedLibraries,
    SignalInfo,
    SignalSending,
    ThreadDetails,
    ThreadPlacement,
    ThreadReports,
)
from pydbgserver.target.events import WatchKind

if TYPE_CHECKING:
    from pydbgserver.backends.linux.process import LinuxProcess


class LinuxHardwareDebug(HardwareDebug):
    """The debug registers; the tracer writes them to each thread before it next runs."""

    def __init__(self, process: LinuxProcess) -> None:
        self._process = process
        self._registers: DebugRegisters[WatchKind] = DebugRegisters()
        self.slots = process.arch.hardware_debug.slots

    def insert(self, kind: WatchKind, address: int, length: int) -> None:
        if self._registers.insert(kind, address, length):
            self._apply()

    def remove(self, kind: WatchKind, address: int, length: int) -> None:
        if self._registers.remove(kind, address, length):
            self._apply()

    def _apply(self) -> None:
        pid, addresses, control = self._process.pid, self._registers.addresses, self._registers.control
        tracer.set_debug_registers(pid, addresses, control)
        if logs.breakpoints.enabled:
            slots = " ".join(f"{address:#x}" for address in addresses)
            logs.breakpoints.write(f"process {pid}: debug registers {slots} control {control:#x}")

    def clear(self) -> None:
        """Forget every request; the tracer has been told already."""
        self._registers.clear()

    def watched(self, slot: int) -> tuple[WatchKind, int]:
        """What register `slot` waits for, and the address the client asked to watch."""
        watch = self._registers.watch_at(slot)
        assert watch is not None, "the tracer reports enabled registers only"
        return watch.kind, watch.address


class LinuxMemoryMap(MemoryMap):
    remembers = True
    """False while threads run unseen, in non-stop mode."""

    def __init__(self, process: LinuxProcess) -> None:
        self._process = process
        self._regions: Sequence[Region] | None = None
        self._details: dict[str, dict[int, tuple[str, ...]]] | None = None
        self.page_size = resource.getpagesize()

    def resumed(self) -> None:
        self._regions = self._details = None

    def regions(self) -> Sequence[Region]:
        if self._regions is None or not self.remembers:
            self._regions = procfs.parse_maps(procfs.read_text(self._process.proc_id(), "maps"))
        return self._regions

    def region_at(self, address: int) -> Region:
        return procfs.region_at(self.regions(), address)

    def dirty_pages(self, region: Region) -> Sequence[int] | None:
        try:
            return procfs.dirty_pages(self._process.proc_id(), region, self.page_size)
        except OSError:
            return None

    def flags(self, region: Region) -> Sequence[str]:
        return self._detail("VmFlags").get(region.start, ())

    def protection_key(self, region: Region) -> int | None:
        words = self._detail("ProtectionKey").get(region.start)
        return int(words[0]) if words else None

    def written(self, region: Region) -> bool:
        words = self._detail("Anonymous").get(region.start)
        return not words or words[0] != "0"

    def _detail(self, name: str) -> Mapping[int, tuple[str, ...]]:
        if self._details is None or not self.remembers:
            self._details = procfs.parse_details(procfs.read_text(self._process.proc_id(), "smaps"))
        return self._details[name]

    def usage(self) -> Mapping[int, RegionUsage]:
        return procfs.parse_usage(procfs.read_text(self._process.proc_id(), "smaps"))


class LinuxOpenFiles(OpenFiles):
    def __init__(self, process: LinuxProcess) -> None:
        self._process = process

    def open_files(self) -> Sequence[OpenFile]:
        pid = self._process.proc_id()
        try:
            return procfs.open_files(pid)
        except OSError as error:
            raise KernelError(error.errno or EPERM, f"cannot list the open files of process {pid}") from None


class LinuxAuxv(Auxv):
    def __init__(self, process: LinuxProcess) -> None:
        self._process = process

    def auxv(self) -> bytes:
        return procfs.read(self._process.proc_id(), "auxv")


class LinuxSharedLibraries(SharedLibraries):
    def __init__(self, process: LinuxProcess) -> None:
        self._process = process
        self._layout = libraries.LAYOUTS[process.arch.pointer_size]
        self._r_debug: int | None = 0

    def libraries(self) -> tuple[int, Sequence[LoadedLibrary]]:
        read = self._process.read_memory
        try:
            if self._r_debug == 0:
                auxv = procfs.read(self._process.proc_id(), "auxv")
                self._r_debug = libraries.find_r_debug(self._layout, auxv, read)
            if self._r_debug is not None:
                return libraries.walk(self._layout, self._r_debug, read) if self._r_debug else (0, ())
        except DebugError:
            return 0, ()
        raise Unsupported("the program has no list of libraries")

    def load_address(self, path: str) -> int | None:
        memory_map = self._process.capability(MemoryMap)
        assert memory_map is not None
        real = system.real_path(path)
        return next((region.start for region in memory_map.regions() if region.name in (path, real)), None)


class LinuxExecFile(ExecFile):
    def __init__(self, process: LinuxProcess) -> None:
        self._process = process

    def exec_file(self) -> str:
        return self._process.exec_file()


class LinuxSignalInfo(SignalInfo):
    """In the layout of the program, which for a 32-bit one is not the kernel's."""

    def __init__(self, process: LinuxProcess) -> None:
        self._converted = process.arch.pointer_size == 4
        self._x32 = process.arch.name == "x32"

    def read_siginfo(self, tid: int) -> bytes:
        data = tracer.read_siginfo(tid)
        return siginfo.narrowed(data, x32=self._x32) if self._converted else data

    def write_siginfo(self, tid: int, data: bytes) -> None:
        tracer.write_siginfo(tid, siginfo.widened(data, x32=self._x32) if self._converted else data)


class LinuxSignalSending(SignalSending):
    def __init__(self, process: LinuxProcess) -> None:
        self._pid = process.pid

    def send(self, signal: int) -> None:
        try:
            system.send_signal(self._pid, signal)
        except OSError as error:
            raise KernelError(error.errno or EPERM, f"cannot send signal {signal} to process {self._pid}") from None


class LinuxThreadReports(ThreadReports):
    def __init__(self, process: LinuxProcess) -> None:
        self._pid = process.pid

    def report(self, tid: int, *, clones: bool, exits: bool) -> None:
        tracer.report_thread(self._pid, tid, clones=clones, exits=exits)


class LinuxThreadDetails(ThreadDetails):
    def __init__(self, _: LinuxProcess) -> None:
        """A thread's id says all."""

    def details(self, tid: int) -> Mapping[str, int | float | str]:
        return procfs.thread_details(tid)


class LinuxThreadPlacement(ThreadPlacement):
    def __init__(self, _: LinuxProcess) -> None:
        """A thread's id says all."""

    def core(self, tid: int) -> int:
        return procfs.last_core(tid)


class LinuxNativeReads(NativeReads):
    def __init__(self, functions: tuple[object, object]) -> None:
        self.read_memory, self.read_regset = functions


def native_reads(process: LinuxProcess) -> LinuxNativeReads | None:
    functions = tracer.read_functions()
    return LinuxNativeReads(functions) if functions else None


def _core_files(process: LinuxProcess) -> CoreFiles:
    from pydbgserver.backends.linux.core_file import LinuxCoreFiles

    return LinuxCoreFiles(process)


def _breakpoint_programs(process: LinuxProcess) -> object:
    """Few sessions have any."""
    from pydbgserver.backends.linux.breakpoint_programs import LinuxBreakpointPrograms

    return LinuxBreakpointPrograms(process)


CAPABILITIES: dict[type[object], Callable[[LinuxProcess], object]] = {
    BreakpointPrograms: _breakpoint_programs,
    CoreFiles: _core_files,
    MemoryMap: LinuxMemoryMap,
    OpenFiles: LinuxOpenFiles,
    MemoryAllocation: LinuxMemoryAllocation,
    Auxv: LinuxAuxv,
    SharedLibraries: LinuxSharedLibraries,
    ExecFile: LinuxExecFile,
    SignalInfo: LinuxSignalInfo,
    SignalSending: LinuxSignalSending,
    ThreadDetails: LinuxThreadDetails,
    ThreadPlacement: LinuxThreadPlacement,
    ThreadReports: LinuxThreadReports,
    RegisterSnapshots: RegsetSnapshots,
    NativeReads: native_reads,
}
