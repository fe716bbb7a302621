"""One Linux debuggee: the `Process` contract over the C tracer.

Register sets, the memory map and the flags of mappings are remembered for as
long as the process is stopped; `resumed` forgets them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar, cast

from pydbgserver import logs
from pydbgserver.arch.model import Arch, RegSet
from pydbgserver.backends.linux import procfs, tracer
from pydbgserver.backends.linux.capabilities import (
    CAPABILITIES,
    LinuxHardwareDebug,
    LinuxMemoryMap,
)
from pydbgserver.backends.terminal import ServerTerminal
from pydbgserver.errors import NoSuchRegister
from pydbgserver.target.api import Process
from pydbgserver.target.capabilities import HardwareDebug, StandardStreams
from pydbgserver.target.events import WatchKind

Capability = TypeVar("Capability")


class LinuxProcess(Process):
    """A process that the tracer holds. Made by `LinuxBackend` only."""

    def __init__(self, pid: int, arch: Arch, *, attached: bool, terminal: int = -1) -> None:
        self.pid = pid
        self.arch = arch
        self.attached = attached
        self.ever_resumed = False
        self.hardware = LinuxHardwareDebug(self)
        self._memory_map: LinuxMemoryMap | None = None
        self._sets: dict[tuple[int, str], bytes] = {}
        self._capabilities: dict[type[object], object] = {HardwareDebug: self.hardware}
        if terminal >= 0:
            self._capabilities[StandardStreams] = ServerTerminal(terminal)

    def threads(self) -> Sequence[int]:
        return tracer.threads(self.pid)

    def thread_name(self, tid: int) -> str:
        return procfs.thread_name(tid)

    def read_memory(self, address: int, length: int) -> bytes:
        return tracer.read_memory(self.pid, address, length)

    def search_memory(self, address: int, length: int, pattern: bytes) -> int | None:
        return tracer.search_memory(self.pid, address, length, pattern)

    def write_memory(self, address: int, data: bytes) -> None:
        tracer.write_memory(self.pid, address, data)

    def read_regset(self, tid: int, name: str) -> bytes:
        data = self._sets.get((tid, name))
        if data is None:
            regset = self._regset(name)
            data = tracer.read_regset(tid, regset.nt_type, regset.size)
            self._sets[tid, name] = data
        return data

    def write_regset(self, tid: int, name: str, data: bytes) -> None:
        self._sets.pop((tid, name), None)
        tracer.write_regset(tid, self._regset(name).nt_type, data)

    def _regset(self, name: str) -> RegSet:
        try:
            return self.arch.regsets_by_name[name]
        except KeyError:
            raise NoSuchRegister(name) from None

    def insert_breakpoint(self, address: int, kind: int) -> None:
        trap = self.arch.trap
        tracer.insert_trap(self.pid, address, trap.code, trap.pc_adjust)
        if logs.breakpoints.enabled:
            logs.breakpoints.write(f"process {self.pid}: trap planted at {address:#x}")

    def remove_breakpoint(self, address: int, kind: int) -> None:
        removed = tracer.remove_trap(self.pid, address)
        if logs.breakpoints.enabled and removed:
            logs.breakpoints.write(f"process {self.pid}: trap at {address:#x} removed")

    def kill(self) -> None:
        tracer.kill(self.pid)
        self.on_gone(self.pid)

    def detach(self, *, stopped: bool = False) -> None:
        tracer.detach(self.pid, stopped=stopped)
        self.on_gone(self.pid)

    def on_gone(self, pid: int) -> None:
        """Replaced by the backend: takes the process off its list."""

    def capability(self, kind: type[Capability]) -> Capability | None:
        found = self._capabilities.get(kind)
        if found is None and kind in CAPABILITIES:
            found = self._capabilities[kind] = CAPABILITIES[kind](self)
            if isinstance(found, LinuxMemoryMap):
                self._memory_map = found
        return cast("Capability | None", found)

    # --- for the backend ---------------------------------------------------

    def resumed(self) -> None:
        """Its threads are about to run: nothing that was read of them holds any longer."""
        self._sets.clear()
        self.ever_resumed = True
        if self._memory_map is not None:
            self._memory_map.resumed()

    def stopped(self, tid: int, general: bytes) -> None:
        """The general registers that came with a stop record."""
        self._sets[tid, "general"] = general

    def forget_registers(self, tid: int) -> None:
        """The thread has run something on our behalf."""
        for name in self.arch.regsets_by_name:
            self._sets.pop((tid, name), None)

    def execed(self, arch: Arch) -> None:
        """A new program, `arch` its CPU: no breakpoint, no debug register, no allocation of ours is in it."""
        self.arch = arch
        self.hardware = LinuxHardwareDebug(self)
        streams = self._capabilities.get(StandardStreams)
        self._capabilities = {HardwareDebug: self.hardware}
        self._memory_map = None
        if streams is not None:
            self._capabilities[StandardStreams] = streams

    def exec_file(self) -> str:
        """As the process itself calls it, below its own root directory: vFile:setfs has a client look there."""
        return procfs.below_root(self.proc_id(), procfs.exec_file(self.proc_id()))

    def proc_id(self) -> int:
        """The id under which /proc tells about the process: a zombie leader has no memory, program or map there."""
        threads = tracer.threads(self.pid)
        return threads[0] if threads else self.pid

    def watched(self, slot: int) -> tuple[WatchKind, int]:
        """What debug register `slot` waits for."""
        return self.hardware.watched(slot)

    def close(self) -> None:
        """The process is gone, or no longer ours."""
        streams = self._capabilities.pop(StandardStreams, None)
        if isinstance(streams, ServerTerminal):
            streams.close()
