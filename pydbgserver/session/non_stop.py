"""Non-stop mode: threads run while others are stopped and looked at.

gdb's kind stops thread by thread: a thread is stopped for the client once the client has acknowledged its stop. lldb's
kind stops process by process: every thread of the process is reported, with or without a reason of its own, and a
process that runs takes no resume (GDBRemoteCommunicationServerLLGS::Handle_vCont).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from pydbgserver import logs
from pydbgserver.errors import DebugError, NoSuchThread, TargetRunning
from pydbgserver.rsp.replies import console_output
from pydbgserver.session import stop_reply
from pydbgserver.session.notifications import Notifications
from pydbgserver.session.stops import InitialStop, leftmost
from pydbgserver.target.api import ANY, Process, ResumeAction, ResumeKind, StopScope
from pydbgserver.target.events import (
    BreakpointHit,
    Cloned,
    Forked,
    Halted,
    NoneResumed,
    ProcessExited,
    StopEvent,
    ThreadEvent,
    ThreadExited,
)

if TYPE_CHECKING:
    from pydbgserver.session.session import Session

STEP_BUDGET_US = 60
"""How long a step's end is waited for, so that it goes out together with the reply to the step: three steps."""

ALREADY_RUNNING = 0x37
ILL_FORMED = 0x03
NOTHING_TO_ACKNOWLEDGE = 0xFF
"""lldb-server's numbers."""

NO_ACTION = ResumeAction(ResumeKind.STOP)
_STEPS = frozenset({ResumeKind.STEP, ResumeKind.RANGE_STEP})


class NonStop:
    """The state of a session in this mode. `Session.stops.reasons` has, of every thread that is stopped, why."""

    def __init__(self, session: Session) -> None:
        """Everything is stopped. Raises `Unsupported` if the target cannot do this."""
        self._session = session
        self._lldb = session.dialect.is_lldb
        session.backend.set_scope(StopScope.PROCESS if self._lldb else StopScope.THREAD)
        self.stops: Notifications[StopEvent] = Notifications(self._compose, lambda body: self._send("Stop", body))
        self.output: Notifications[bytes] = Notifications(console_output, lambda body: self._send("Stdio", body))
        for process in session.backend.processes.values():
            self._note_stopped(process)
        self._take_over_waiting()

    def _compose(self, event: StopEvent) -> bytes:
        return stop_reply.compose(self._session, event)

    def _send(self, name: str, body: bytes) -> None:
        self._session.notices.append((name, body))

    def _take_over_waiting(self) -> None:
        """What the client has not heard of yet, it hears by `?`, or when it resumes something."""
        stops = self._session.stops
        waiting, stops.waiting = stops.waiting, []
        for event in waiting:
            self._note(event)
        self.stops.restart(*waiting)

    def _note_stopped(self, process: Process) -> None:
        """Of what is stopped without a reason the first thread is where its launch or attach has left it."""
        pid, tids, reasons = process.pid, process.threads(), self._session.stops.reasons
        if tids and not any(tid in reasons for tid in tids):
            reasons[tids[0]] = Halted(pid, tids[0]) if process.attached else InitialStop(pid, tids[0])
            if process.attached and not self._lldb and len(tids) > 1:
                # gdb 13 fails (remote.c, wait: remote_async_inferior_event_token) when `?` tells of several threads of
                # a program that was attached to. gdbserver tells of one, and gdb stops the others itself.
                self._session.backend.run_attached(pid, but=tids[0])
                return
        for tid in tids:
            reasons.setdefault(tid, Halted(pid, tid))

    def run_on(self) -> None:
        """What ran before this client came, and was stopped for it, runs again."""
        queue = self.stops.queue
        waiting = [ResumeAction(ResumeKind.STOP, one.pid, one.tid) for one in queue if isinstance(one, ThreadEvent)]
        self._resume([*waiting, ResumeAction(ResumeKind.CONTINUE)])

    # The client's requests.

    def resume(self, actions: Sequence[ResumeAction]) -> bytes:
        """Apply `actions` to what is stopped, and stop what they say; the stops come as notifications."""
        if self._lldb:
            actions = self._for_lldb(actions)
        if self._session.run_settings.changed:
            self._session.run_settings.apply()
        self._resume(actions)
        self.stops.announce()
        return b"OK"

    def _resume(self, actions: Sequence[ResumeAction]) -> None:
        session = self._session
        told = {event.tid for event in self.stops.queue if isinstance(event, ThreadEvent)}
        reasons = session.stops.reasons
        for tid in [tid for tid, event in reasons.items() if tid not in told and _runs(actions, event)]:
            del reasons[tid]
        session.xfer_snapshot = None
        budget = STEP_BUDGET_US if any(action.kind in _STEPS for action in actions) else 0
        self.on_stop(session.backend.resume(actions, budget_us=budget))

    def _for_lldb(self, actions: Sequence[ResumeAction]) -> Sequence[ResumeAction]:
        if any(action.kind is ResumeKind.STOP and action.tid != ANY for action in actions):
            raise DebugError("single threads cannot be stopped", ILL_FORMED)
        resumed = [one for one in self._session.backend.processes.values() if _touches(actions, one.pid)]
        for process in resumed:
            if self.runs(process):
                raise DebugError(f"process {process.pid} is running", ALREADY_RUNNING)
        # What was not acknowledged is out of date.
        pids = {process.pid for process in resumed}
        self.stops.withdraw(lambda event: _of_thread(event) and event.pid in pids)
        first = self.stops.queue[0] if self.stops.queue else None
        if first is not None and _of_thread(first) and first.pid in pids:
            self.stops.acknowledged()
        return actions

    def status(self) -> bytes:
        """The reply to `?`: the first of all that are stopped; vStopped asks for the others."""
        session = self._session
        exits = [event for event in self.stops.queue if isinstance(event, ProcessExited)]
        stopped = [
            session.stops.reasons[tid]
            for process in session.backend.processes.values()
            for tid in process.threads()
            if tid in session.stops.reasons
        ]
        stopped.sort(key=lambda event: event.tid != session.selection.tid)
        self.stops.restart(*exits, *stopped)
        return self.stops.next() or b"OK"

    def acknowledge(self) -> bytes:
        """The client has read the last stop; gives the next one, or OK."""
        event = self.stops.acknowledged()
        if event is None and self._lldb:
            raise DebugError("no stop was to be acknowledged", NOTHING_TO_ACKNOWLEDGE)
        if isinstance(event, ThreadEvent):
            self._known(event.tid)
            if isinstance(event, (Forked, Cloned)):
                self._known(_child(event)[1])
        return self.stops.next() or b"OK"

    def _known(self, tid: int) -> None:
        with suppress(NoSuchThread):
            self._session.backend.acknowledge(tid)

    def acknowledge_output(self) -> bytes:
        """The same of output."""
        if self.output.acknowledged() is None:
            raise DebugError("no output was to be acknowledged", NOTHING_TO_ACKNOWLEDGE)
        return self.output.next() or b"OK"

    def attached(self, process: Process) -> bytes:
        """After an attach gdb takes the threads for running, and stops them itself; lldb wants to hear of the stop."""
        if self._lldb:
            reply = self._session.run_control.started(process)
            self._note_stopped(process)
            return reply
        self._session.selection.select(process, next(iter(process.threads()), process.pid))
        self._session.backend.run_attached(process.pid)
        return b"OK"

    # What happens.

    def on_stop(self, events: Sequence[StopEvent]) -> None:
        """Queue `events` for the client."""
        if not events:
            return
        if self._session.output.collect is not None:
            self._session.output.collect()
        self._session.account(events)
        for event in events:
            self._note(event)
            if isinstance(event, BreakpointHit) and event.failure:
                # The client reads no console output while it may wait for a reply (remote.c, getpkt): whoever looks
                # after the server is told. gdbserver says nothing at all.
                logs.problem(stop_reply.failure_text(event))
            if not isinstance(event, NoneResumed) or self._session.dialect.no_resumed:
                self.stops.push(event)
        if self._lldb:
            self._report_others(events)

    def _note(self, event: StopEvent) -> None:
        reasons = self._session.stops.reasons
        if isinstance(event, ThreadExited):
            reasons.pop(event.tid, None)
        elif isinstance(event, ThreadEvent) and not isinstance(event, NoneResumed):
            reasons[event.tid] = event
        if isinstance(event, (Forked, Cloned)):
            pid, tid = _child(event)
            reasons[tid] = Halted(pid, tid)

    def _report_others(self, events: Iterable[StopEvent]) -> None:
        """The threads that have stopped because another one of their process did. lldb's server makes the one that
        did it the present thread of its process."""
        reported = {event.tid for event in events if isinstance(event, ThreadEvent)}
        for pid in {event.pid for event in events if isinstance(event, ThreadEvent)}:
            process = self._session.backend.processes.get(pid)
            if process is not None and process is self._session.selection.process:
                self._session.selection.select(
                    process, next(event.tid for event in events if isinstance(event, ThreadEvent))
                )
            for tid in () if process is None else process.threads():
                if tid not in reported:
                    event = self._session.stops.reasons.setdefault(tid, Halted(pid, tid))
                    self.stops.push(event)

    def exited(self, event: ProcessExited) -> None:
        """A process is gone by the client's own doing, and the client wants to hear of it."""
        self.stops.push(event)

    def printed(self, data: bytes) -> bool:
        """Tell lldb what a debuggee has printed; False for gdb, which takes no output in this mode."""
        if self._lldb:
            self.output.push(data)
        return self._lldb

    def forget(self, pid: int) -> None:
        """The process is gone, let go, or has become another program."""
        self.stops.withdraw(lambda event: _of_thread(event) and event.pid == pid)

    def runs(self, process: Process) -> bool:
        """Whether a thread of `process` runs, as far as it is known."""
        return any(tid not in self._session.stops.reasons for tid in process.threads())

    @property
    def anything_runs(self) -> bool:
        """The same of all processes."""
        return any(self.runs(process) for process in self._session.backend.processes.values())

    def end(self) -> None:
        """Back to all-stop: everything is stopped. What the client has not heard of waits for it.

        Raises `TargetRunning` if something does not stop.
        """
        session = self._session
        try:
            events = session.backend.set_scope(StopScope.ALL)
        except TargetRunning:
            session.running = True
            raise
        session.account(events)
        stops = session.stops
        stops.last = None
        stops.keep([event for event in self.stops.queue if not isinstance(event, (InitialStop, Halted))])
        stops.keep(events)
        for tid in [tid for tid, event in stops.reasons.items() if isinstance(event, Halted)]:
            del stops.reasons[tid]


def required(session: Session) -> NonStop:
    """Raises `DebugError`: the packet means nothing in all-stop."""
    if session.non_stop is None:
        raise DebugError("this packet is of non-stop mode", NOTHING_TO_ACKNOWLEDGE)
    return session.non_stop


def _child(event: Forked | Cloned) -> tuple[int, int]:
    """The process and the thread that the event has brought."""
    return (event.pid, event.child_tid) if isinstance(event, Cloned) else (event.child_pid, event.child_pid)


def _of_thread(event: StopEvent) -> bool:
    return isinstance(event, ThreadEvent)


def _runs(actions: Sequence[ResumeAction], event: ThreadEvent) -> bool:
    return (leftmost(actions, event.pid, event.tid) or NO_ACTION).kind is not ResumeKind.STOP


def _touches(actions: Sequence[ResumeAction], pid: int) -> bool:
    """Whether `actions` resume a thread of the process."""
    return any(action.pid in (ANY, pid) and action.kind is not ResumeKind.STOP for action in actions)
