"""The macOS backend: launches, attaches, resumes and waits through the C core's Mach calls.

Not yet run on a Mac: docs/macos.md says what of it has been run, and how.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from pydbgserver import logs
from pydbgserver.arch.model import Arch
from pydbgserver.backends.macos import host, spawn
from pydbgserver.backends.macos.decode import exception_of, stop_event
from pydbgserver.backends.macos.process import MacProcess
from pydbgserver.backends.macos.registers import addressing_bits, describe_cpu
from pydbgserver.backends.macos.spawn import Started
from pydbgserver.backends.macos.tracer import Tracer
from pydbgserver.errors import DebugError
from pydbgserver.target import letting_go
from pydbgserver.target.api import (
    ANY,
    Backend,
    HostInfo,
    LaunchSpec,
    Process,
    ProcessInfo,
    ResumeAction,
    RunOptions,
)
from pydbgserver.target.capabilities import BreakpointPrograms, CoreFiles, ThreadReports
from pydbgserver.target.events import (
    Cloned,
    Execed,
    Forked,
    ProcessExited,
    StopEvent,
    ThreadExited,
    ThreadStarted,
    VforkDone,
)

SPIN_US = 150
"""How long a wait spins before it sleeps; as on Linux, not measured on a Mac."""

EXCEPTION_TYPES = {
    "EXC_BAD_ACCESS": 1,
    "EXC_BAD_INSTRUCTION": 2,
    "EXC_ARITHMETIC": 3,
    "EXC_SYSCALL": 7,
    "EXC_RESOURCE": 11,
    "EXC_GUARD": 12,
}
"""<mach/exception_types.h>, those that a debugger can do without: breakpoints and signals come by the others."""


class MacBackend(Backend):
    """One for each server process: make only one of these. `tracer`: the C core, the compiled one unless given."""

    signal_numbering = "darwin"
    exception_types = EXCEPTION_TYPES
    lacking = (BreakpointPrograms, CoreFiles, ThreadReports)
    never_reports = frozenset({Forked, VforkDone, Cloned, ThreadStarted, ThreadExited})

    def __init__(self, tracer: Tracer | None = None) -> None:
        self.tracer = tracer or Tracer()
        self._wakeup = self.tracer.open()
        self.processes: dict[int, MacProcess] = {}
        self._options = RunOptions()
        self._logging = self._follow_log()
        self.tracer.configure(self._options)
        self._spin_us = SPIN_US if (os.cpu_count() or 1) > 1 else 0

    def _follow_log(self) -> bool:
        self.tracer.log_to(logs.descriptor() if logs.ptrace.enabled else -1)
        return logs.ptrace.enabled

    # --- making processes ------------------------------------------------------

    def launch(self, spec: LaunchSpec) -> Process:
        self._logging = self._follow_log()
        return self.adopt(spawn.launch(self.tracer, spec))

    def attach(self, pid: int) -> Process:
        self._logging = self._follow_log()
        return self.adopt(spawn.attach(self.tracer, pid))

    def adopt(self, started: Started) -> Process:
        """Take over what `spawn` has started; raises `AttachError` for what cannot be debugged, letting it go."""
        try:
            process = self._make(started)
        except DebugError:
            if started.attached:
                self.tracer.detach(started.pid)
            else:
                self.tracer.kill(started.pid)
            raise
        process.on_gone = self._remove  # type: ignore[method-assign]
        self.processes[started.pid] = process
        return process

    def _make(self, started: Started) -> MacProcess:
        return MacProcess(
            self.tracer,
            started.pid,
            self._arch(started.pid),
            attached=started.attached,
            terminal=started.terminal,
            addressing_bits=addressing_bits(self.tracer),
        )

    def _remove(self, pid: int) -> None:
        process = self.processes.pop(pid, None)
        if process is not None:
            process.close()

    # --- running -----------------------------------------------------------------

    def resume(self, actions: Sequence[ResumeAction], *, budget_us: int = 0) -> Sequence[StopEvent]:
        if logs.ptrace.enabled is not self._logging:
            self._logging = self._follow_log()
        for process in self.processes.values():
            process.resumed()
        self.tracer.resume(actions)
        return self.poll(budget_us=budget_us)

    def poll(self, *, budget_us: int = 0) -> Sequence[StopEvent]:
        return [self._event(index) for index in range(self.tracer.wait(budget_us, self._spin_us))]

    def _event(self, index: int) -> StopEvent:
        stop, general = self.tracer.stop_at(index)
        process = self.processes[stop.pid]
        if general:
            process.stopped(stop.tid, general)
        exception = exception_of(stop)
        if exception is not None:
            process.exceptions[stop.tid] = exception
        event = stop_event(stop, process)
        if isinstance(event, ProcessExited):
            self._remove(event.pid)
        elif isinstance(event, Execed):
            process.execed(self._execed_arch(process))
        return event

    def _execed_arch(self, process: MacProcess) -> Arch:
        """The CPU of the new program; that of the old one where the new one cannot be debugged, or has ended."""
        try:
            return self._arch(process.pid)
        except DebugError as error:
            logs.problem(f"process {process.pid} after its exec: {error}")
            return process.arch

    def _arch(self, pid: int) -> Arch:
        return describe_cpu(self.tracer, pid)

    def interrupt(self, pid: int = ANY) -> None:
        self.tracer.interrupt(pid if pid in self.processes else next(iter(self.processes), 0))

    async def wait_activity(self) -> None:
        """The descriptor is a kqueue on a Mac, which can be waited for by another kqueue, trio's. It is readable for as
        long as `poll` has something to take."""
        import trio

        await trio.lowlevel.wait_readable(self._wakeup)

    def set_options(self, options: RunOptions) -> None:
        leaving = options.unattended and not self._options.unattended
        self._options = options
        self.tracer.configure(options, sum(1 << number for number in options.ignored_exceptions))
        if leaving:
            letting_go.tidy(self, running=self.tracer.running, lift=self._lift)

    def _lift(self, pid: int) -> None:
        self.tracer.lift_all(pid)
        self.processes[pid].hardware.clear()

    def release(self, *, kill_launched: bool = False) -> None:
        letting_go.release(self.processes.values(), kill_launched=kill_launched, remove=self._remove)

    # --- the machine -----------------------------------------------------------------

    def host_info(self) -> HostInfo:
        return host.host_info(self.tracer)

    def process_info(self, pid: int) -> ProcessInfo:
        return host.process_info(self.tracer, pid)

    def list_processes(self) -> Sequence[ProcessInfo]:
        return host.list_processes(self.tracer)

    def processes_named(self, name: str, among: Sequence[int] | None = None) -> Sequence[int]:
        named = host.processes_named(self.tracer, name)
        return named if among is None else [pid for pid in named if pid in among]
