"""Which threads of the made-up machine run, in the scopes in which a stop leaves others running."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pydbgserver.target.api import ANY, ResumeAction, ResumeKind, StopScope
from pydbgserver.target.events import Cloned, Forked, Halted, Interrupted, StopEvent, ThreadEvent

if TYPE_CHECKING:
    from pydbgserver.testing.sim import SimProcess

Place = tuple[int, int]
"""Process and thread."""


class SimThreads:
    """`scope`: who stops with an event. `running`: the threads that run. `unknown`: those whose stop was reported and
    not acknowledged; no resume means them."""

    def __init__(self) -> None:
        self.scope = StopScope.ALL
        self.running: set[int] = set()
        self.unknown: set[int] = set()

    def resume(
        self, live: Mapping[int, SimProcess], actions: Sequence[ResumeAction]
    ) -> tuple[list[Place], list[ThreadEvent]]:
        """Apply `actions`: gives the threads that have begun to run and the events of those that were stopped."""
        started: list[Place] = []
        halted: list[ThreadEvent] = []
        for pid, tid in _places(live):
            action = next((one for one in actions if one.pid in (ANY, pid) and one.tid in (ANY, tid)), None)
            if action is None:
                continue
            if action.kind is not ResumeKind.STOP:
                if tid not in self.running | self.unknown:
                    self.running.add(tid)
                    started.append((pid, tid))
            elif tid in self.running:
                halted.append(self._halt(live, pid, tid))
        return started, halted

    def _halt(self, live: Mapping[int, SimProcess], pid: int, tid: int) -> ThreadEvent:
        self.running.discard(tid)
        if self.scope is StopScope.THREAD:
            return Halted(pid, tid)
        self.running.difference_update(live[pid].threads())
        return Interrupted(pid, live[pid].threads()[0])

    def interrupt(self, live: Mapping[int, SimProcess]) -> ThreadEvent | None:
        """Stop the first thread, or process, that runs."""
        for pid, tid in _places(live):
            if tid in self.running:
                self._halt(live, pid, tid)
                return Interrupted(pid, tid)
        return None

    def stopped(self, live: Mapping[int, SimProcess], event: StopEvent) -> None:
        """`event` is being reported."""
        if not isinstance(event, ThreadEvent):
            return
        self.running.discard(event.tid)
        if self.scope is StopScope.PROCESS and event.pid in live:
            self.running.difference_update(live[event.pid].threads())
        if self.scope is StopScope.THREAD:
            self.unknown.add(event.tid)
            if isinstance(event, (Forked, Cloned)):
                self.unknown.add(event.child_tid if isinstance(event, Cloned) else event.child_pid)

    def enter(self, scope: StopScope) -> None:
        """Everything is stopped from now on, and known to be."""
        self.scope = scope
        self.running.clear()
        self.unknown.clear()


def _places(live: Mapping[int, SimProcess]) -> Iterator[Place]:
    for pid, process in live.items():
        for tid in process.threads():
            yield pid, tid
