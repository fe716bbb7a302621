"""The macOS backend with Linux's signal numbers at its upper edge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pydbgserver.arch.model import Arch
from pydbgserver.backends.linux import host as linux_host
from pydbgserver.backends.macos.backend import MacBackend
from pydbgserver.backends.macos.process import MacProcess
from pydbgserver.backends.macos.registers import describe_cpu
from pydbgserver.backends.macos.spawn import Started
from pydbgserver.backends.macos_sim.identity import SimProcess, linux_flavoured
from pydbgserver.target.api import HostInfo, ProcessInfo, ResumeAction, RunOptions
from pydbgserver.target.events import ProcessExited, SignalStop, StopEvent

# Names of Linux's signals by number, and of Darwin's where they differ (signal(7), <sys/signal.h>).
TO_LINUX = {7: 7, 10: 7, 12: 31, 16: 23, 17: 19, 18: 20, 19: 18, 20: 17, 23: 29, 29: 29, 30: 10, 31: 12}
TO_DARWIN = {7: 10, 31: 12, 23: 16, 19: 17, 20: 18, 18: 19, 17: 20, 29: 23, 10: 30, 12: 31}


def to_linux(number: int) -> int:
    return TO_LINUX.get(number, number)


def to_darwin(number: int) -> int:
    return TO_DARWIN.get(number, number)


def _set(signals: frozenset[int]) -> frozenset[int]:
    return frozenset(map(to_darwin, signals))


class SimBackend(MacBackend):
    """The Mach backend on Linux programs."""

    signal_numbering = "linux"

    def _make(self, started: Started) -> MacProcess:
        arch = self._arch(started.pid)
        return SimProcess(self.tracer, started.pid, arch, attached=started.attached, terminal=started.terminal)

    def _arch(self, pid: int) -> Arch:
        return linux_flavoured(describe_cpu(self.tracer, pid))

    def resume(self, actions: Sequence[ResumeAction], *, budget_us: int = 0) -> Sequence[StopEvent]:
        translated = [one._replace(signal=to_darwin(one.signal)) for one in actions]
        return super().resume(translated, budget_us=budget_us)

    def _event(self, index: int) -> StopEvent:
        event = super()._event(index)
        if isinstance(event, SignalStop | ProcessExited) and event.signal:
            event.signal = to_linux(event.signal)
        return event

    def set_options(self, options: RunOptions) -> None:
        wanted = options.program_signals
        program = None if wanted is None else _set(wanted)
        super().set_options(replace(options, pass_signals=_set(options.pass_signals), program_signals=program))

    def host_info(self) -> HostInfo:
        return linux_host.host_info()

    def process_info(self, pid: int) -> ProcessInfo:
        return linux_host.process_info(pid)

    def list_processes(self) -> Sequence[ProcessInfo]:
        return linux_host.list_processes()

    def processes_named(self, name: str, among: Sequence[int] | None = None) -> Sequence[int]:
        return linux_host.processes_named(name, among)
