"""A debuggee that is only made up: a `Backend` for tests of everything above it, without an OS or a CPU.

Memory, registers, threads and every capability are real enough to be read and
written. What runs is simple: a thread executes one-byte instructions in a
straight line. A step moves the PC by one. A continued thread runs to the next
planted breakpoint above its PC whose conditions hold and which has no
commands; without one it runs until something else happens. What else happens is a script::

    backend = SimBackend(SimProcess(pid=100, threads=2))
    backend.script.append(Stop(SignalStop(100, 100, signal=11)))
    backend.script.append(Stop(ProcessExited(100, exit_code=42), slow=True))

Each resume takes the next `Stop` of the script, if there is one, before it
lets the program run. A fast stop is given by `resume` itself, a `slow` one by
the next `poll`. `happen` makes something happen while the target runs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

import trio

from pydbgserver.errors import (
    AttachError,
    LaunchError,
    NoSuchProcess,
)
from pydbgserver.target.api import (
    ANY,
    Backend,
    HostInfo,
    LaunchSpec,
    Process,
    ProcessInfo,
    ResumeAction,
    ResumeKind,
    RunOptions,
    StopScope,
)
from pydbgserver.target.capabilities import BreakpointPrograms
from pydbgserver.target.events import (
    BreakpointHit,
    Cloned,
    Execed,
    Forked,
    Halted,
    Interrupted,
    ProcessExited,
    StepDone,
    StopEvent,
    ThreadEvent,
    ThreadExited,
    ThreadStarted,
)
from pydbgserver.testing.breakpoint_programs import SimBreakpointPrograms
from pydbgserver.testing.non_stop import SimThreads
from pydbgserver.testing.sim_process import CODE as CODE
from pydbgserver.testing.sim_process import DATA as DATA
from pydbgserver.testing.sim_process import REGION_SIZE as REGION_SIZE
from pydbgserver.testing.sim_process import SimProcess as SimProcess
from pydbgserver.testing.sim_process import sim_arch as sim_arch

TRIPLE = "x86_64-pc-linux-gnu"


@dataclass(slots=True)
class Stop:
    """What one resume leads to: `events`, the one to report first first. `slow`: not within the resume's budget."""

    events: tuple[StopEvent, ...]
    slow: bool

    def __init__(self, *events: StopEvent, slow: bool = False) -> None:
        self.events = events
        self.slow = slow


class SimBackend(Backend):
    """The made-up machine. For the test to look at: `resumed` (the actions of each resume), `launched` (each launch),
    `interrupts` (how often one was asked for), `options` (the last ones set), `released` (None, or kill_launched),
    `threads` (who runs, in non-stop scopes).

    `attachable`: the processes that `attach` finds, by pid; `ages`: how many seconds ago they were started;
    `programs`: the names that `launch` finds, None for all.
    """

    exception_types = {"EXC_BAD_ACCESS": 1, "EXC_GUARD": 12}  # noqa: RUF012

    def __init__(self, *processes: SimProcess, script: Iterable[Stop] = ()) -> None:
        self.live: dict[int, SimProcess] = {}
        self.script: deque[Stop] = deque(script)
        self.resumed: list[Sequence[ResumeAction]] = []
        self.launched: list[LaunchSpec] = []
        self.interrupts = 0
        self.options = RunOptions()
        self.released: bool | None = None
        self.attachable: dict[int, SimProcess] = {}
        self.ages: dict[int, float] = {}
        self.programs: frozenset[str] | None = None
        self.threads = SimThreads()
        self._pending: deque[tuple[StopEvent, ...]] = deque()
        self._activity = trio.Event()
        self._next_pid = 1000
        for process in processes:
            self.add(process)

    @property
    def processes(self) -> Mapping[int, Process]:  # type: ignore[override]
        return self.live

    def add(self, process: SimProcess) -> None:
        """Debug `process` from now on."""
        process.belongs_to(self)
        self.live[process.pid] = process

    def forget(self, pid: int) -> None:
        """`pid` is not debugged any more."""
        self.live.pop(pid, None)

    # What happens.

    def happen(self, *events: StopEvent) -> None:
        """Something stops the running target; `poll` will report it."""
        self._pending.append(events)
        self._activity.set()

    def output(self, pid: int, data: bytes) -> None:
        """The debuggee prints to a terminal that the server owns."""
        if self.on_output is not None:
            self.on_output(pid, data)

    def _come_true(self, events: Sequence[StopEvent]) -> Sequence[StopEvent]:
        for event in events:
            self._apply(event)
            if self.threads.scope is not StopScope.ALL:
                self.threads.stopped(self.live, event)
        return events

    def _apply(self, event: StopEvent) -> None:
        """Bring the made-up world to where `event` says it is."""
        process = self.live.get(event.pid)
        if process is None:
            return
        if isinstance(event, ProcessExited):
            self.forget(event.pid)
            process.ended = "exited"
        elif isinstance(event, BreakpointHit):
            process.set_pc(event.tid, event.address)
        elif isinstance(event, Forked):
            child = SimProcess(event.child_pid, name=process.name, arch=process.arch, attached=process.attached)
            child.memory = process.memory
            self.add(child)
        elif isinstance(event, Execed):
            process.program = event.path
            process.breakpoints.clear()
            process.registers = {process.pid: next(iter(process.registers.values()))}
        elif isinstance(event, (ThreadStarted, Cloned)):
            process.add_thread(event.child_tid if isinstance(event, Cloned) else event.tid)
        elif isinstance(event, ThreadExited):
            process.remove_thread(event.tid)

    def _run(self, actions: Sequence[ResumeAction]) -> Sequence[StopEvent]:
        """The straight-line program: steps end at once, a breakpoint ahead is reached at once."""
        for process in self.live.values():
            for tid in process.threads():
                event = self._run_thread(process, tid, actions)
                if event is not None:
                    return [event]
        return ()

    def _run_thread(self, process: SimProcess, tid: int, actions: Sequence[ResumeAction]) -> ThreadEvent | None:
        action = next((one for one in actions if one.pid in (ANY, process.pid) and one.tid in (ANY, tid)), None)
        if action is None or action.kind is ResumeKind.STOP:
            return None
        pc = process.pc(tid)
        if action.kind is ResumeKind.CONTINUE:
            return self._continue_thread(process, tid, pc)
        process.set_pc(tid, action.range_end if action.kind is ResumeKind.RANGE_STEP else pc + 1)
        return StepDone(process.pid, tid)

    def _continue_thread(self, process: SimProcess, tid: int, pc: int) -> ThreadEvent | None:
        programs = process.capability(BreakpointPrograms)
        for ahead in sorted(one for one in process.breakpoints if one > pc):
            process.set_pc(tid, ahead)
            if not isinstance(programs, SimBreakpointPrograms):
                return BreakpointHit(process.pid, tid, ahead)
            event = programs.hit(tid, ahead)
            if event is not None:
                return event
        return None

    # The contract of `Backend`.

    def launch(self, spec: LaunchSpec) -> Process:
        self.launched.append(spec)
        if self.programs is not None and spec.program not in self.programs:
            raise LaunchError(f"No such file or directory: {spec.program}", 2)
        process = SimProcess(self._new_pid())
        process.program = spec.program
        self.add(process)
        return process

    def _new_pid(self) -> int:
        self._next_pid += 100
        return self._next_pid

    def attach(self, pid: int) -> Process:
        process = self.attachable.pop(pid, None)
        if process is None:
            raise AttachError(f"there is no process {pid}", 3)
        process.attached = True
        self.add(process)
        return process

    def age_of(self, pid: int) -> float:
        return self.ages.get(pid, inf)

    def resume(self, actions: Sequence[ResumeAction], *, budget_us: int = 0) -> Sequence[StopEvent]:
        self.resumed.append(tuple(actions))
        if self.threads.scope is not StopScope.ALL:
            return self._resume_some(actions)
        if self._pending:
            return self._come_true(self._pending.popleft())
        if not self.script:
            return self._run(actions)
        stop = self.script.popleft()
        if not stop.slow:
            return self._come_true(stop.events)
        self.happen(*stop.events)
        return ()

    def _resume_some(self, actions: Sequence[ResumeAction]) -> Sequence[StopEvent]:
        started, halted = self.threads.resume(self.live, actions)
        for event in halted:
            self.happen(event)
        if started and self.script:
            stop = self.script.popleft()
            self.happen(*stop.events)
            return () if stop.slow else self.poll()
        for pid, tid in started if not self.script else ():
            reached = self._run_thread(self.live[pid], tid, actions)
            if reached is not None:
                self.happen(reached)
        return self.poll()

    def set_scope(self, scope: StopScope) -> Sequence[StopEvent]:
        found = [event for events in self._pending for event in events] if scope is StopScope.ALL else []
        self.threads.enter(scope)
        if scope is StopScope.ALL:
            self._pending.clear()
        return [one for one in self._come_true(found) if not isinstance(one, (Halted, Interrupted))]

    def acknowledge(self, tid: int) -> None:
        self.threads.unknown.discard(tid)

    def run_attached(self, pid: int, *, but: int = 0) -> None:
        self.threads.running.update(tid for tid in self.live[pid].threads() if tid != but)

    def poll(self, *, budget_us: int = 0) -> Sequence[StopEvent]:
        if not self._pending:
            return ()
        return self._come_true(self._pending.popleft())

    def interrupt(self, pid: int = ANY) -> None:
        self.interrupts += 1
        if self.threads.scope is not StopScope.ALL:
            event = self.threads.interrupt(self.live)
            if event is not None:
                self.happen(event)
        elif not self._pending:
            process = self.live.get(pid) or next(iter(self.live.values()), None)
            if process is not None:
                self.happen(Interrupted(process.pid, process.threads()[0]))

    async def wait_activity(self) -> None:
        if not self._pending:
            self._activity = trio.Event()
            await self._activity.wait()
        else:
            await trio.lowlevel.checkpoint()

    def host_info(self) -> HostInfo:
        return HostInfo(TRIPLE, 8, "little", "sim", "6.1.0", "6.1.0-sim", "#1 SMP", "debian")

    def _info(self, process: SimProcess) -> ProcessInfo:
        return ProcessInfo(
            process.pid, 1, 1000, 1000, 1000, 1000, process.program, (process.program, "argument"), TRIPLE
        )

    def process_info(self, pid: int) -> ProcessInfo:
        process = self.live.get(pid) or self.attachable.get(pid)
        if process is None:
            raise NoSuchProcess(pid)
        return self._info(process)

    def list_processes(self) -> Sequence[ProcessInfo]:
        return [self._info(process) for process in (*self.live.values(), *self.attachable.values())]

    def set_options(self, options: RunOptions) -> None:
        self.options = options

    def release(self, *, kill_launched: bool = False) -> None:
        self.released = kill_launched
        for process in list(self.live.values()):
            if kill_launched and not process.attached:
                process.kill()
            else:
                process.detach()
