"""The Linux backend: launches, attaches, resumes and waits through the C tracer."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from pydbgserver import logs
from pydbgserver.arch.model import Arch
from pydbgserver.backends.linux import host, ptrace_log, spawn, tracer
from pydbgserver.backends.linux.capabilities import LinuxMemoryMap
from pydbgserver.backends.linux.decode import stop_event
from pydbgserver.backends.linux.process import LinuxProcess
from pydbgserver.backends.linux.registers import describe_cpu
from pydbgserver.backends.linux.spawn import Started
from pydbgserver.errors import DebugError, TargetRunning
from pydbgserver.target import letting_go
from pydbgserver.target.api import (
    ANY,
    Backend,
    HostInfo,
    LaunchSpec,
    Process,
    ProcessInfo,
    ProcessStarts,
    ResumeAction,
    RunOptions,
    StopScope,
)
from pydbgserver.target.events import Execed, Forked, Interrupted, ProcessExited, StopEvent
from pydbgserver.target.files import Files
from pydbgserver.target.repeats import NativeRepeats

SPIN_US = 150
"""How long a wait spins before it sleeps: a step takes ~10 us when spun for, ~20 us when slept for."""
STDOUT = 1
"""Where the commands of breakpoints print, as gdbserver's do; with --stdio it is the same as stderr."""
_TURNING_POINTS = frozenset({ProcessExited, Forked, Execed})


class LinuxBackend(Backend):
    """One tracer per server process: make only one of these."""

    def __init__(self) -> None:
        self._wakeup = tracer.open_tracer()
        self.processes: dict[int, LinuxProcess] = {}
        self._options = RunOptions()
        self._logging = ptrace_log.follow()
        self._caught: dict[int, frozenset[int] | None] = {}
        """What the tracer was told last of the system calls to catch; the options may be the same object each time."""
        self._plain_registers = False
        tracer.configure(self._options)
        tracer.print_to(STDOUT)
        # On one processor a spinning tracer only keeps the target from running.
        self._spin_us = SPIN_US if len(os.sched_getaffinity(0)) > 1 else 0
        self._terminal_owner = False

    # --- making processes ------------------------------------------------------

    def launch(self, spec: LaunchSpec) -> Process:
        return self.adopt(spawn.launch(spec))

    def attach(self, pid: int) -> Process:
        return self.adopt(spawn.attach(pid))

    def adopt(self, started: Started) -> Process:
        """Take over what `spawn` has started; raises `AttachError` for what cannot be debugged, letting it go."""
        self._terminal_owner |= started.foreground
        try:
            arch = self._describe(next(iter(tracer.threads(started.pid)), started.pid))
        except DebugError:
            tracer.detach(started.pid)
            raise
        return self._add(started.pid, arch, attached=started.attached, terminal=started.terminal)

    def _add(self, pid: int, arch: Arch, *, attached: bool, terminal: int = -1) -> LinuxProcess:
        process = LinuxProcess(pid, arch, attached=attached, terminal=terminal)
        process.on_gone = self._remove  # type: ignore[method-assign]
        self.processes[pid] = process
        return process

    def _describe(self, pid: int) -> Arch:
        return describe_cpu(pid, plain=self._plain_registers)

    def _remove(self, pid: int) -> None:
        process = self.processes.pop(pid, None)
        if process is not None:
            process.close()

    # --- running -----------------------------------------------------------------

    def resume(self, actions: Sequence[ResumeAction], *, budget_us: int = 0) -> Sequence[StopEvent]:
        if logs.ptrace.enabled is not self._logging:
            self._logging = ptrace_log.follow()
        for process in self.processes.values():
            process.resumed()
        tracer.resume(actions)
        return self.poll(budget_us=budget_us)

    def native_repeats(self) -> NativeRepeats | None:
        if tracer.read_functions() is None:
            return None
        from pydbgserver.backends.linux.repeats import LinuxRepeats

        return LinuxRepeats(self, self._spin_us)

    def ran(self, count: int) -> Sequence[StopEvent]:
        """As `resume`, when C has resumed and found `count` stops."""
        for process in self.processes.values():
            process.resumed()
        return [self._event(index) for index in range(count)]

    def poll(self, *, budget_us: int = 0) -> Sequence[StopEvent]:
        count = tracer.wait(budget_us, self._spin_us)
        return [self._event(index) for index in range(count)] if count else ()

    def _event(self, index: int) -> StopEvent:
        stop, general = tracer.stop_at(index)
        process = self.processes[stop.pid]
        if general:
            process.stopped(stop.tid, general)
        event = stop_event(stop, process)
        if event.__class__ not in _TURNING_POINTS:
            return event
        if isinstance(event, ProcessExited):
            self._remove(event.pid)
        elif isinstance(event, Forked):
            self._add(event.child_pid, process.arch, attached=process.attached).ever_resumed = True
        elif isinstance(event, Execed):
            process.execed(self._describe_again(process))
        return event

    def _describe_again(self, process: LinuxProcess) -> Arch:
        """As before for one that has been killed meanwhile: its end is told next."""
        try:
            return self._describe(process.proc_id())
        except DebugError:
            return process.arch

    def interrupt(self, pid: int = ANY) -> None:
        tracer.interrupt(pid if pid in self.processes else next(iter(self.processes), 0))

    def set_scope(self, scope: StopScope) -> Sequence[StopEvent]:
        tracer.set_scope(scope.value)
        for process in self.processes.values():
            process.resumed()
        LinuxMemoryMap.remembers = scope is StopScope.ALL
        if scope is not StopScope.ALL:
            return ()
        events = self.poll(budget_us=letting_go.STOP_BUDGET_US)
        if tracer.running():
            raise TargetRunning("a thread does not stop")
        return [event for event in events if not isinstance(event, Interrupted)]

    def acknowledge(self, tid: int) -> None:
        tracer.acknowledge(tid)

    def run_attached(self, pid: int, *, but: int = 0) -> None:
        tracer.run_attached(pid, but)

    async def wait_activity(self) -> None:
        import trio

        await trio.lowlevel.wait_readable(self._wakeup)
        tracer.clear_wakeup()

    def unattended(self) -> bool:
        return bool(tracer.unattended())

    def attend(self) -> None:
        tracer.attend()

    def set_options(self, options: RunOptions) -> None:
        leaving = options.unattended and not self._options.unattended
        for pid in self.processes:
            caught = options.catch_syscalls.get(pid, frozenset())
            if caught != self._caught.get(pid, frozenset()):
                tracer.catch_syscalls(pid, caught)
        self._caught = dict(options.catch_syscalls)
        self._options = options
        if options.plain_registers is not self._plain_registers:
            self._plain_registers = options.plain_registers
            for process in self.processes.values():
                process.arch = self._describe_again(process)
        tracer.configure(options)
        if leaving:
            letting_go.tidy(self, running=tracer.running, lift=self._lift)

    def _lift(self, pid: int) -> None:
        tracer.lift_all(pid)
        self.processes[pid].hardware.clear()

    def release(self, *, kill_launched: bool = False) -> None:
        letting_go.release(self.processes.values(), kill_launched=kill_launched, remove=self._remove)
        if self._terminal_owner:
            _take_terminal_back()

    # --- the machine -----------------------------------------------------------------

    def host_info(self) -> HostInfo:
        return host.host_info()

    def process_info(self, pid: int) -> ProcessInfo:
        return host.process_info(pid)

    def list_processes(self) -> Sequence[ProcessInfo]:
        return host.list_processes()

    def processes_named(self, name: str, among: Sequence[int] | None = None) -> Sequence[int]:
        return host.processes_named(name, among)

    def age_of(self, pid: int) -> float:
        return host.age_of(pid)

    def watch_starts(self) -> ProcessStarts | None:
        from pydbgserver.backends.linux import process_starts

        return process_starts.watch()

    def files_of(self, pid: int) -> Files:
        from pydbgserver.backends.linux import root_files

        process = self.processes.get(pid)
        return root_files.files_of(pid if process is None else process.proc_id())

    def host_tables(self) -> Sequence[tuple[str, ...]]:
        from pydbgserver.backends.linux import osdata

        return osdata.names()

    def host_table(self, name: str) -> tuple[tuple[str, ...], Iterable[tuple[str, ...]]] | None:
        from pydbgserver.backends.linux import osdata

        return osdata.table(name)


def _take_terminal_back() -> None:
    """The debuggee's group was in the foreground; a background process that says otherwise gets SIGTTOU."""
    import signal

    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    try:
        os.tcsetpgrp(0, os.getpgrp())
    except OSError:
        pass
    finally:
        signal.signal(signal.SIGTTOU, before)
