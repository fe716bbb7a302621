"""Which stops the client has been told about, and which still wait for their turn.

The target stops as a whole, and several threads may have something to say at
one stop. gdb takes one event per stop reply: the others wait here, and each is
reported by the next resume that matches its thread, without resuming anything.
lldb is shown all of them at once (jThreadsInfo, qThreadStopInfo).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydbgserver.target.api import ANY, ResumeAction, ResumeKind
from pydbgserver.target.events import Interrupted, ProcessExited, StepDone, StopEvent, ThreadEvent


@dataclass(slots=True)
class InitialStop(ThreadEvent):
    """The stop of a launch or an attach: nothing has happened yet."""


# What is over once another stop has been reported: the thread stands where its step or the interrupt left it, and the
# client, which reads its registers afresh, would take a late report for a SIGTRAP of the program's own.
_STALE_LATER = (StepDone, Interrupted)


class StopQueue:
    """Session state about stops.

    `last`: what the last stop reply said, for `?`. `reasons`: by tid, why each thread of the present stop stopped,
    as far as the client may know it. `waiting`: events not reported yet.
    """

    __slots__ = ("_owed_signals", "last", "reasons", "waiting")

    def __init__(self) -> None:
        self.last: StopEvent | None = None
        self.reasons: dict[int, ThreadEvent] = {}
        self.waiting: list[StopEvent] = []
        self._owed_signals: dict[int, int] = {}

    def report(self, event: StopEvent) -> None:
        """`event` is what the client is told now."""
        self.last = event
        if isinstance(event, ThreadEvent):
            self.reasons[event.tid] = event

    def arrive(self, others: Sequence[StopEvent], *, all_at_once: bool) -> None:
        """Take in the events of a new stop beside the one that is reported.

        `all_at_once`: the client sees the reasons of all threads, so none of them waits.
        """
        for event in others:
            if all_at_once and isinstance(event, ThreadEvent):
                self.reasons[event.tid] = event
            elif not isinstance(event, _STALE_LATER):
                self.waiting.append(event)

    def keep(self, events: Sequence[StopEvent]) -> None:
        """Events that came while nobody waits for a stop."""
        self.waiting += [event for event in events if not isinstance(event, _STALE_LATER)]

    def next_waiting(
        self, actions: Sequence[ResumeAction], still_true: Callable[[StopEvent], bool]
    ) -> StopEvent | None:
        """The first waiting event of a thread that `actions` resume, taken out; None: go on and resume.

        An event that is no longer true (the breakpoint is gone, the PC was changed) is dropped. The signals that
        `actions` deliver are owed then.
        """
        for event in list(self.waiting):
            if not _resumes(actions, event):
                continue
            self.waiting.remove(event)
            if still_true(event):
                self.owe_signals(actions)
                return event
        return None

    def take_waiting(self, still_true: Callable[[StopEvent], bool]) -> StopEvent | None:
        """The first waiting event of all, taken out: what `?` tells a client that has just connected."""
        return self.next_waiting((ResumeAction(ResumeKind.CONTINUE),), still_true)

    def resumed(self, actions: Sequence[ResumeAction]) -> Sequence[ResumeAction]:
        """The target runs again: nothing of the last stop counts. Gives `actions` with the owed signals in them."""
        self.reasons.clear()
        if not self._owed_signals:
            return actions
        owed, self._owed_signals = self._owed_signals, {}
        return [*_deliveries(owed, actions), *actions]

    @property
    def pending(self) -> bool:
        """Whether the next resume has an event to report first, or a signal to deliver."""
        return bool(self.waiting or self._owed_signals)

    def forget(self, pid: int) -> None:
        """The process is gone, let go, or has become another program."""
        self.waiting = [event for event in self.waiting if event.pid != pid]
        self.reasons = {tid: event for tid, event in self.reasons.items() if event.pid != pid}
        if self.last is not None and self.last.pid == pid and not isinstance(self.last, ProcessExited):
            self.last = None

    def owe_signals(self, actions: Sequence[ResumeAction]) -> None:
        """The signals that `actions` deliver are owed to their threads until these really run."""
        for action in actions:
            tid = action.tid
            if tid == ANY and isinstance(self.last, ThreadEvent):
                tid = self.last.tid
            if action.signal and tid != ANY:
                self._owed_signals[tid] = action.signal


def _resumes(actions: Sequence[ResumeAction], event: StopEvent) -> bool:
    """Whether the leftmost action that matches the event's thread makes it run."""
    tid = event.tid if isinstance(event, ThreadEvent) else ANY
    action = leftmost(actions, event.pid, tid)
    return action is not None and action.kind is not ResumeKind.STOP


def leftmost(actions: Sequence[ResumeAction], pid: int, tid: int) -> ResumeAction | None:
    """The action that a thread gets, ANY standing for some thread or some process."""
    for action in actions:
        if (action.pid in (ANY, pid) or pid == ANY) and (action.tid in (ANY, tid) or tid == ANY):
            return action
    return None


def _deliveries(owed: dict[int, int], actions: Sequence[ResumeAction]) -> list[ResumeAction]:
    """The owed signals of the threads that `actions` resume without one of their own."""
    deliveries = []
    for tid, number in owed.items():
        action = leftmost(actions, ANY, tid)
        if action is not None and action.kind is not ResumeKind.STOP and not action.signal:
            deliveries.append(ResumeAction(action.kind, ANY, tid, number, action.range_start, action.range_end))
    return deliveries
