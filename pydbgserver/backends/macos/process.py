"""One debuggee on a Mac: the `Process` contract over the C core.

Register sets and the memory map are remembered for as long as the process is stopped; `resumed` forgets them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, TypeVar, cast

from pydbgserver import logs
from pydbgserver.arch.arm64 import strip_pointers
from pydbgserver.arch.mach import GENERAL
from pydbgserver.arch.model import Arch, RegSet
from pydbgserver.backends.macos.capabilities import CAPABILITIES
from pydbgserver.backends.macos.hardware import MacHardwareDebug
from pydbgserver.backends.macos.memory_map import MacMemoryMap
from pydbgserver.backends.macos.registers import ThreadStates
from pydbgserver.backends.macos.tracer import Tracer
from pydbgserver.backends.terminal import ServerTerminal
from pydbgserver.errors import BadAddress, DebugError, NoSuchRegister
from pydbgserver.target.api import Process
from pydbgserver.target.capabilities import HardwareDebug, MachException, StandardStreams
from pydbgserver.target.events import WatchKind

Capability = TypeVar("Capability")


class MacProcess(Process):
    """A process that the C core holds. Made by `MacBackend` only."""

    capabilities: ClassVar = CAPABILITIES

    def __init__(
        self, tracer: Tracer, pid: int, arch: Arch, *, attached: bool, terminal: int = -1, addressing_bits: int = 0
    ) -> None:
        self.tracer = tracer
        self.pid = pid
        self.arch = arch
        self.attached = attached
        self.ever_resumed = False
        self.exceptions: dict[int, MachException] = {}
        """By thread, of the present stop."""
        self._bits = addressing_bits
        self._states = ThreadStates(tracer)
        self._sets: dict[tuple[int, str], bytes] = {}
        self._by_name: dict[str, RegSet] = {regset.name: regset for regset in arch.regsets}
        self.hardware = MacHardwareDebug(self)
        self._capabilities: dict[type[object], object] = {HardwareDebug: self.hardware}
        if terminal >= 0:
            self._capabilities[StandardStreams] = ServerTerminal(terminal)

    def threads(self) -> Sequence[int]:
        return self.tracer.threads(self.pid)

    def thread_name(self, tid: int) -> str:
        return self.tracer.thread_name(tid)

    def read_memory(self, address: int, length: int) -> bytes:
        return self.tracer.read_memory(self.pid, address, length)

    def write_memory(self, address: int, data: bytes) -> None:
        """Raises `BadAddress`, or `DebugError` where a protection could not be put back, with the kernel's reason."""
        if not data:
            return
        count, report = self.tracer.write_memory(self.pid, address, data)
        if report.restore_error:
            end = report.unrestored_start + report.unrestored_size
            words = self.tracer.words(report.restore_error)
            raise DebugError(
                f"{count} bytes were written at {address:#x}, but the memory from {report.unrestored_start:#x} to "
                f"{end:#x} could not be given its protection back: {words}"
            )
        if count < len(data):
            why = self.tracer.words(report.error) if report.error else "the memory is not mapped"
            raise BadAddress(address + count, len(data) - count, "write", why)

    def read_regset(self, tid: int, name: str) -> bytes:
        data = self._sets.get((tid, name))
        if data is None:
            data = self._plain(name, self._states.read(tid, self._regset(name)))
            self._sets[tid, name] = data
        return data

    def write_regset(self, tid: int, name: str, data: bytes) -> None:
        self._sets.pop((tid, name), None)
        self._states.write(tid, self._regset(name), data)

    def _plain(self, name: str, data: bytes) -> bytes:
        return strip_pointers(data, self._bits) if name == GENERAL and self._bits else data

    def _regset(self, name: str) -> RegSet:
        try:
            return self._by_name[name]
        except KeyError:
            raise NoSuchRegister(name) from None

    def insert_breakpoint(self, address: int, kind: int) -> None:
        trap = self.arch.trap
        self.tracer.insert_trap(self.pid, address, trap.code, trap.pc_adjust)
        if logs.breakpoints.enabled:
            logs.breakpoints.write(f"process {self.pid}: trap planted at {address:#x}")

    def remove_breakpoint(self, address: int, kind: int) -> None:
        removed = self.tracer.remove_trap(self.pid, address)
        if logs.breakpoints.enabled and removed:
            logs.breakpoints.write(f"process {self.pid}: trap at {address:#x} removed")

    def kill(self) -> None:
        self.tracer.kill(self.pid)
        self.on_gone(self.pid)

    def detach(self, *, stopped: bool = False) -> None:
        self.tracer.detach(self.pid, stopped=stopped)
        self.on_gone(self.pid)

    def on_gone(self, pid: int) -> None:
        """Replaced by the backend: takes the process off its list."""

    def capability(self, kind: type[Capability]) -> Capability | None:
        found = self._capabilities.get(kind)
        if found is None and kind in self.capabilities:
            found = self._capabilities[kind] = self.capabilities[kind](self)
        return cast("Capability | None", found)

    # --- for the backend ---------------------------------------------------

    def resumed(self) -> None:
        """Its threads are about to run: nothing that was read of them holds any longer."""
        self._sets.clear()
        self._states.forget()
        self.exceptions.clear()
        self.ever_resumed = True
        for one in self._capabilities.values():
            if isinstance(one, MacMemoryMap):
                one.resumed()

    def stopped(self, tid: int, general: bytes) -> None:
        """The general registers that came with a stop record."""
        self._sets[tid, GENERAL] = self._plain(GENERAL, general)

    def execed(self, arch: Arch) -> None:
        """A new program: no breakpoint, no debug register, no allocation of ours is in it."""
        self.arch = arch
        self._by_name = {regset.name: regset for regset in arch.regsets}
        self._sets = {key: data for key, data in self._sets.items() if key[1] == GENERAL}
        self.hardware = MacHardwareDebug(self)
        streams = self._capabilities.get(StandardStreams)
        self._capabilities = {HardwareDebug: self.hardware}
        if streams is not None:
            self._capabilities[StandardStreams] = streams

    def watched(self, slot: int, *, execute: bool) -> tuple[WatchKind, int]:
        """What debug register `slot` waits for."""
        return self.hardware.watched(slot, execute=execute)

    def close(self) -> None:
        """The process is gone, or no longer ours."""
        streams = self._capabilities.pop(StandardStreams, None)
        if isinstance(streams, ServerTerminal):
            streams.close()
