"""What becomes of debuggees when nobody debugs them any more: the same on every system."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from pydbgserver import logs
from pydbgserver.errors import DebugError, NoSuchProcess
from pydbgserver.target.api import Backend, ResumeAction, ResumeKind
from pydbgserver.target.events import SignalStop, StopEvent

STOP_BUDGET_US = 2_000_000
"""How long all threads may take to stop: 500 of them take 5 ms."""

CONTINUE_ALL = ResumeAction(ResumeKind.CONTINUE)


def deliveries(stops: Sequence[StopEvent]) -> list[ResumeAction]:
    """Continue everything, and give each thread the signal that it has stopped for."""
    signals = {stop.tid: stop for stop in stops if isinstance(stop, SignalStop)}
    return [
        *(ResumeAction(ResumeKind.CONTINUE, stop.pid, stop.tid, stop.signal) for stop in signals.values()),
        CONTINUE_ALL,
    ]


def tidy(backend: Backend, *, running: Callable[[], int], lift: Callable[[int], None]) -> None:
    """Traps and debug registers out, in a running target too: a trap hit a moment ago is undone by the stop.

    `running`: how many threads run. `lift`: takes everything out of a process.
    """
    was_running = running() > 0
    events: Sequence[StopEvent] = ()
    if was_running:
        backend.interrupt()
        events = backend.poll(budget_us=STOP_BUDGET_US)
    for pid in list(backend.processes):
        lift(pid)
    if was_running and backend.processes and not running():
        backend.resume(deliveries(events))


class Held(Protocol):
    """A process that a tracer holds. `ever_resumed`: it has run since the tracer has it."""

    pid: int
    attached: bool
    ever_resumed: bool

    def kill(self) -> None:
        """See `Process.kill`."""

    def detach(self) -> None:
        """See `Process.detach`."""


def release(processes: Iterable[Held], *, kill_launched: bool, remove: Callable[[int], None]) -> None:
    """Let go what was attached to and what has run; kill the rest, or all that was launched.

    `remove`: called with the pid of a process that is not there any more.
    """
    for process in list(processes):
        doomed = not process.attached and (kill_launched or not process.ever_resumed)
        try:
            if doomed:
                process.kill()
            else:
                process.detach()
        except NoSuchProcess:
            remove(process.pid)
        except DebugError as error:
            logs.problem(f"process {process.pid}: {error}")
