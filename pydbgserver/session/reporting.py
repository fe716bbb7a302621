"""Telling the client of stops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydbgserver.errors import DebugError
from pydbgserver.rsp.grammar import ANY, ThreadId
from pydbgserver.rsp.replies import console_output
from pydbgserver.session import stop_reply
from pydbgserver.session.stops import InitialStop
from pydbgserver.target.api import ResumeAction
from pydbgserver.target.events import BreakpointHit, Forked, ProcessExited, StopEvent, ThreadEvent, WatchpointHit
from pydbgserver.target.registers import pc

if TYPE_CHECKING:
    from pydbgserver.session.session import Session


class StopReports:
    """What is reported is the session's last stop, and the thread that has it is selected.

    `packet`: what `Session.packets` was at the last report.
    """

    __slots__ = ("_session", "packet")

    def __init__(self, session: Session) -> None:
        self._session = session
        self.packet = 0

    def report(self, event: StopEvent) -> bytes:
        """The stop reply of `event`, which the client is sent now."""
        session = self._session
        if event.__class__ is BreakpointHit and event.failure:
            # On the client's console: no stop reply has a place for it.
            session.outbox.append(console_output(f"{stop_reply.failure_text(event)}\n".encode()))
        self.note(event, session.packets)
        return stop_reply.compose(session, event)

    def note(self, event: StopEvent, packet: int) -> None:
        """The client has been told of `event` in the reply to packet number `packet`."""
        session = self._session
        session.stops.report(event)
        self.packet = packet
        if isinstance(event, ThreadEvent):
            process = session.backend.processes.get(event.pid)
            if process is not None:
                session.selection.select(process, event.tid)

    def again(self) -> bytes:
        """The last stop once more, without side effects; that of a launch or an attach if there was none."""
        session = self._session
        stops = session.stops
        if stops.last is not None:
            return stop_reply.compose(session, stops.last)
        event = stops.take_waiting(self._still_true) if stops.waiting else None
        if event is None:
            process, tid = session.selection.find(ThreadId(None, ANY))
            event = InitialStop(process.pid, tid)
        return self.report(event)

    def next_waiting(self, actions: Sequence[ResumeAction]) -> StopEvent | None:
        """The stop that is to be reported instead of resuming by `actions`, if there is one: see `StopQueue`."""
        return self._session.stops.next_waiting(actions, self._still_true)

    def _still_true(self, event: StopEvent) -> bool:
        """Whether a stop that has waited may be reported: its breakpoint is there and its thread has not been moved, or
        its child is there."""
        session = self._session
        process = session.backend.processes.get(event.pid)
        if isinstance(event, ProcessExited):
            return True
        if isinstance(event, WatchpointHit):
            return (event.pid, event.address) in session.inserted.watchpoints
        if isinstance(event, Forked):
            return process is not None and event.child_pid in session.backend.processes
        if isinstance(event, BreakpointHit):
            inserted = (event.pid, event.address) in session.inserted.breakpoints
            try:
                return inserted and process is not None and pc(process, event.tid) == event.address
            except DebugError:
                return False
        return process is not None
