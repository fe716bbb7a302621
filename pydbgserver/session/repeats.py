"""Packets that a client sends again and again, which C carries out by itself from the third time on.

A stepping client says ``vCont;s:TID`` for every step, and one that hits a breakpoint takes it out, steps and puts it
back: always the same bytes. The second time such a packet is handled, a call that does the same is made for it
(`NativeRepeats`). The server loop hands the calls to its conversation, and tells here what has been carried out, so
that the session is as if it had handled the packets itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pydbgserver import logs
from pydbgserver.errors import DebugError
from pydbgserver.rsp.conversation import MOST_REPEATS, Conversation, Repeat
from pydbgserver.session import gdb_stops
from pydbgserver.target.api import ANY, Process, ResumeAction
from pydbgserver.target.capabilities import StandardStreams
from pydbgserver.target.repeats import NativeCall, NativeRepeats

if TYPE_CHECKING:
    from pydbgserver.session.session import Session

MOST_SEEN = 1024
"""Packets that have come once."""


class Repeats:
    """What of `session` may be repeated: the handlers say `note_...`, the server loop the rest."""

    __slots__ = ("_bodies", "_native", "_runs", "_seen", "_session", "known")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._native: NativeRepeats | None = session.backend.native_repeats()
        self._seen: set[bytes] = set()
        self._bodies: set[bytes] = set()
        self._runs: dict[Repeat, NativeCall] = {}
        self.known: list[Repeat] = []
        """Grows; another list once everything has been forgotten."""

    def forget(self) -> None:
        """What was known does not hold: a process has come or gone, or is another program."""
        self._seen.clear()
        self._bodies.clear()
        self._runs = {}
        self.known = []

    # By the handlers, after they have done it.

    def note_insertion(self, process: Process, address: int, kind: int) -> None:
        """``Z0`` of a breakpoint without conditions."""
        native = self._worth_it(body := b"Z0,%x,%x" % (address, kind))
        if native is not None:
            breakpoints, place = self._session.inserted.breakpoints, (process.pid, address)
            self._add(body, native.insertion(process, address, kind), lambda: breakpoints.add(place))

    def note_removal(self, process: Process, address: int, kind: int) -> None:
        """``z0``."""
        native = self._worth_it(body := b"z0,%x,%x" % (address, kind))
        if native is not None:
            breakpoints, place = self._session.inserted.breakpoints, (process.pid, address)
            self._add(body, native.removal(process, address, kind), lambda: breakpoints.discard(place))

    def note_run(self, body: bytes, actions: Sequence[ResumeAction]) -> None:
        """A ``vCont`` whose actions do not depend on what is selected. Its stop is replied to in C when the thread
        that it names has it, or else the one selected now."""
        native, session = self._worth_it(body), self._session
        process = session.selection.process
        if native is None or process is None or process.capability(StandardStreams) is not None:
            return  # What the process has printed goes out before the stop reply.
        tid = session.selection.tid if actions[0].tid == ANY else actions[0].tid
        replies = gdb_stops.run_replies(session, process, tid)
        if replies is not None:
            call = native.run(actions, replies, budget_us=session.run_control.budget_us)
            self._runs[self._add(body, call)] = call

    def _worth_it(self, body: bytes) -> NativeRepeats | None:
        if self._native is None or body in self._bodies:
            return None
        if body in self._seen:
            return self._native
        if len(self._seen) >= MOST_SEEN:
            self._seen.clear()
        self._seen.add(body)
        return None

    def _add(self, body: bytes, call: NativeCall, account: Callable[[], None] | None = None) -> Repeat:
        if len(self.known) >= MOST_REPEATS:
            self.forget()
        repeat = Repeat(body, call.function, call.arguments, account)
        self._bodies.add(body)
        self.known.append(repeat)
        return repeat

    # By the server loop.

    def usable(self) -> Sequence[Repeat]:
        """What may be carried out now: nothing while something is pending that a handler has to look at."""
        session = self._session
        if not self.known or session.run_control.has_pending or len(session.backend.processes) != 1:
            return ()
        if logs.ptrace.enabled or logs.breakpoints.enabled:
            self.forget()
            return ()
        return self.known

    def account_for(self, conversation: Conversation) -> None:
        """After a turn of `conversation`: what C has answered by itself is known to the session as if it had."""
        session = self._session
        before, repeated = session.packets, conversation.take_repeated()
        session.packets += conversation.take_answered()
        ran: tuple[int, NativeCall] | None = None
        for number, repeat in repeated:
            if repeat.account is None:
                ran = before + number, self._runs[repeat]
            else:
                repeat.account()
        # One that is not finished has come after it, see `go_on`.
        if ran is not None and self._native is not None and conversation.unfinished is None:
            session.run_control.has_stopped(self._native.stops(ran[1])[0], ran[0])

    def go_on(self, repeat: Repeat) -> bytes | None:
        """A resume has been carried out up to its stops, if it has any: gives the reply as `Session.dispatch` does."""
        session, native = self._session, self._native
        assert native is not None
        session.packets += 1
        session.stops.resumed(())
        try:
            reply = session.run_control.has_run(native.stops(self._runs[repeat]))
        except DebugError as error:
            return session.dialect.error(error, "vCont")
        return reply if isinstance(reply, bytes) else None
