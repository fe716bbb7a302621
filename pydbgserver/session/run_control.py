"""Letting the target run, interrupting it, and what comes of its stops."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from time import monotonic
from typing import TYPE_CHECKING

from pydbgserver.errors import NoSuchProcess, TargetRunning
from pydbgserver.rsp.grammar import ANY, ThreadId
from pydbgserver.rsp.registry import NO_REPLY, Reply
from pydbgserver.session import awaited, stop_mode
from pydbgserver.session.options import RESUME_BUDGET_US
from pydbgserver.session.stops import InitialStop, leftmost
from pydbgserver.target.api import Process, ResumeAction, ResumeKind, RunOptions
from pydbgserver.target.events import Execed, Forked, Interrupted, ProcessExited, StopEvent, VforkDone

if TYPE_CHECKING:
    from pydbgserver.session.session import Session

_ENDINGS = frozenset({ProcessExited, Execed})
"""Events after which something that was known is not true any more."""

GOES_ON_BY_ITSELF = 0.5
"""Seconds in which nobody reads a stop and types a command: a client that never paused for so long after a stop, and
resumes, was not asked to by its user. On a busy machine it takes several times that from the stop to the resume."""


class RunControl:
    """For handlers: `resume`, `started`, `stop_reply`. For the server loop: `on_stop` and `interrupt`.

    `budget_us`: how long a resume waits for its stop, in microseconds.
    """

    __slots__ = ("_interrupt_until", "_interrupting", "_newest", "_session", "_unattended", "budget_us")

    def __init__(self, session: Session, budget_us: int = RESUME_BUDGET_US) -> None:
        self._session = session
        self.budget_us = budget_us
        self._newest = 0
        """The pid of what was launched or attached to last: an interrupt of several processes is told of that one, as
        gdbserver does (linux-low.cc, signal_pid). What gdb has selected may be where it put a breakpoint last."""
        self._interrupt_until = 0.0
        """Until when (time.monotonic) the next packet has to come for an interrupt that came before a resume to stop
        that resume at once; 0 without an interrupt."""
        self._interrupting = False
        """The target runs, and the client has asked it to stop."""
        self._unattended = False
        """The client has detached, and everything runs on with the server attached (`leave_running`)."""

    # Running.

    def started(self, process: Process) -> bytes:
        """A launch or an attach has brought `process`: gives the stop reply of its first stop. An interrupt that came
        before was meant for what there was then."""
        self._newest = process.pid
        self._interrupt_until = 0.0
        tids = process.threads()
        return self._session.reports.report(InitialStop(process.pid, tids[0] if tids else process.pid))

    def resume(self, actions: Sequence[ResumeAction]) -> bytes | Reply:
        """Let threads run as `actions` say; gives the stop reply if a stop came at once or was waiting.

        Raises `TargetRunning`, `NoSuchProcess` and `NoSuchThread`.
        """
        session = self._session
        if session.running and session.non_stop is None:
            raise TargetRunning
        if session.selection.process is None and not session.backend.processes:
            raise NoSuchProcess
        if session.non_stop is not None:
            return session.non_stop.resume(actions)
        if self._interrupt_until:
            self._interrupt_until = 0.0
            return self._stop_before_running(actions)
        if session.stops.waiting:
            event = session.reports.next_waiting(actions)
            if event is not None:
                return session.reports.report(event)
        if session.run_settings.changed:
            session.run_settings.apply()
        return self.has_run(session.backend.resume(session.stops.resumed(actions), budget_us=self.budget_us))

    def has_run(self, events: Sequence[StopEvent]) -> bytes | Reply:
        """A resume has brought `events`, or none yet; gives the stop reply then."""
        if events:
            return self._stopped(events)
        self._session.running = True
        self._session.output.flush()
        return NO_REPLY

    def has_stopped(self, event: StopEvent, packet: int) -> None:
        """The client has been told of `event` in the reply to packet number `packet`, which resumed the target."""
        self._session.stops.resumed(())
        self._session.reports.note(event, packet)

    @property
    def has_pending(self) -> bool:
        """Whether a resume has more to see to than its actions."""
        session = self._session
        if session.run_settings.changed or session.stops.pending or self.interrupted_before:
            return True
        return session.non_stop is not None or bool(session.inserted.programmed)

    def leave_running(self) -> None:
        """Detach, but for the breakpoints whose commands go on without a client: the target runs until it ends or
        another client comes."""
        session = self._session
        stop_mode.abandon(session)
        session.backend.set_options(RunOptions(unattended=True))
        if not session.running:
            session.account(session.backend.resume((ResumeAction(ResumeKind.CONTINUE),)))
        session.running = self._unattended = bool(session.backend.processes)

    # Stopping.

    def interrupt(self) -> None:
        """The client's interrupt.

        While stopped there are two cases. One that follows other packets is meant for the resume to come: gdb 13 sends
        it before vCont when Ctrl-C is pressed while it still inserts breakpoints. gdbserver stops that resume at once.
        The first thing to come after a stop reply was sent before the client read that reply. What it asks for has
        happened, and it is dropped, unless gdb goes on by itself (a software watchpoint, a false condition): then its
        user is still waiting for the stop.

        While something runs another stop may come first, the end of a step for one. It is as if the interrupt had come
        after it for gdb, and before it for lldb, if that is of a kind which lldb acts upon: see `_hold_back`.

        A wait for a program to start is given up.
        """
        session = self._session
        if session.awaited is not None:
            awaited.give_up(session)
        elif session.running:
            self._interrupting = True
            session.backend.interrupt(self._newest)
        elif session.packets > session.reports.packet:
            self._interrupt_until = inf
        elif session.dialect.is_lldb:
            if isinstance(session.stops.last, Forked | Execed):
                session.stops.keep([session.stops.last])
        elif not isinstance(session.stops.last, Interrupted):
            self._keep_interrupt()

    def _hold_back(self, events: Sequence[StopEvent]) -> Sequence[StopEvent]:
        """The events to tell of when lldb has asked for the stop; the others wait for the next resume.

        lldb does nothing about a fork, the end of a vfork or an exec then (Process::ProcessEventData::DoOnRemoval): the
        child would be held for ever, and with it the parent of a vfork, which nothing can interrupt.
        """
        held = [event for event in events if isinstance(event, Forked | VforkDone | Execed)]
        if not held:
            return events
        self._session.account(held)
        self._session.stops.keep(held)
        return [event for event in events if event not in held] or [Interrupted(held[0].pid, held[0].tid)]

    def _keep_interrupt(self) -> None:
        if self._session.dialect.is_gdb:
            self._interrupt_until = monotonic() + GOES_ON_BY_ITSELF

    @property
    def interrupted_before(self) -> bool:
        """Whether an interrupt is kept for the resume to come."""
        return self._interrupt_until != 0.0

    def packet_came(self) -> None:
        """For `Session`: what an interrupt is kept for still goes on, or is over."""
        now = monotonic()
        self._interrupt_until = (
            max(self._interrupt_until, now + GOES_ON_BY_ITSELF) if now < self._interrupt_until else 0.0
        )

    def _stop_before_running(self, actions: Sequence[ResumeAction]) -> bytes:
        session = self._session
        newest = session.backend.processes.get(self._newest)
        meant = newest is not None and leftmost(actions, newest.pid, newest.pid) is not None
        process, tid = session.selection.find(ThreadId(self._newest if meant else None, ANY))
        session.stops.owe_signals(actions)
        return session.reports.report(Interrupted(process.pid, tid))

    def on_stop(self, events: Sequence[StopEvent]) -> bytes | None:
        """The backend reports `events`; gives the stop reply to send, None if no one waits for one."""
        if not events:
            return None
        session = self._session
        if self._unattended:
            session.account(events)
            session.running = self._unattended = bool(session.backend.processes)
            return None
        if session.non_stop is not None:
            session.non_stop.on_stop(events)
            return None
        if not session.running:
            session.account(events)
            session.stops.keep(events)
            return None
        return self._stopped(events)

    def _stopped(self, events: Sequence[StopEvent]) -> bytes:
        session = self._session
        session.running = False
        output = session.output
        if output.collect is not None:
            output.collect()
            output.flush()
        if self._interrupting:
            self._interrupting = False
            if session.dialect.is_lldb:
                events = self._hold_back(events)
            if not any(isinstance(one, Interrupted | ProcessExited) for one in events):
                self._keep_interrupt()
        event = events[0]
        if len(events) > 1 or event.__class__ in _ENDINGS:
            session.account(events)
            session.stops.arrive(events[1:], all_at_once=session.dialect.is_lldb)
        return session.reports.report(event)

    def stop_reply(self) -> bytes:
        """What `?` asks for: the last stop once more, without side effects. Raises `TargetRunning`."""
        session = self._session
        if session.non_stop is not None:
            return session.non_stop.status()
        if session.running:
            raise TargetRunning
        return session.reports.again()
