"""Packets in, replies out: what a connection does as long as nobody has to be waited for.

It needs no event loop, so that a client which asks at once is answered before one is loaded.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING

from pydbgserver import logs
from pydbgserver.rsp.codec import Wire, library
from pydbgserver.rsp.conversation import Conversation
from pydbgserver.rsp.framing import Control, Framing
from pydbgserver.rsp.transcript import Mark, escape
from pydbgserver.server.outgoing import Outgoing
from pydbgserver.server.patience import WAIT_US, Patience
from pydbgserver.server.placement import Placement
from pydbgserver.session.direct_reads import direct_reads
from pydbgserver.session.session import Session
from pydbgserver.target.api import Backend

if TYPE_CHECKING:
    from pydbgserver.transcripts.recorder import Recorder

TURNS_WITHOUT_TRIO = 64
"""After so many packets in a row that never had to be waited for, the other tasks (signals, the target's output) get
their turn; a checkpoint costs as much as a tenth of them."""

INTERRUPT_BUDGET_US = 20_000
"""How long an interrupt waits in place for the stop: 500 threads take 5 ms."""


class Pause(Enum):
    """Why an exchange does not go on by itself."""

    SILENCE = "nothing comes from the client"
    FULL = "the client takes nothing more"
    TURN = "the other tasks have waited long enough"
    END = "the client is gone, or the session has ended"


class Exchange:
    """The packets of one client and its session.

    `on_new_process` is called when a packet has brought one. `recorder` writes everything down.
    """

    def __init__(self, session: Session, backend: Backend, wire: Wire, recorder: Recorder | None = None) -> None:
        self.session = session
        self.wire = wire
        self.framing = Framing()
        self.framing.lossless = not os.isatty(wire.read_descriptor)
        self.outgoing = Outgoing(wire, self.framing)
        self.patience = Patience()
        self.placement = Placement(wire.read_descriptor)
        self.on_new_process: Callable[[], None] = lambda: None
        self._backend = backend
        self._processes = len(backend.processes)
        self._recorder = recorder
        self._identified = False
        self._converses = False
        self._conversation: Conversation | None = None
        self._reading: tuple[object, ...] = ()
        """What `Session.reading` was when the conversation was told what it may answer by itself."""
        session.before_spawning = self.placement.leave
        session.since_heard = lambda: max(0, library.rsp_peer_silence(wire.read_descriptor)) / 1000

    def talk(self, least_us: int = 0) -> Pause:
        """Answer one packet after the other; gives what keeps it from going on.

        `least_us`: how long a client is waited for unless the target runs. Raises `OSError` when it is gone.
        """
        wire, framing, session, patience = self.wire, self.framing, self.session, self.patience
        turns = TURNS_WITHOUT_TRIO
        while not session.ended:
            wait_us = 0 if session.running else patience.wait_us()
            data = wire.receive(0 if session.running else max(wait_us, least_us))
            if data is None:
                if wait_us:
                    patience.missed()
                return Pause.SILENCE
            if not data:
                return Pause.END
            patience.hit()
            if self._conversation is not None and not session.running and patience.wait_us() and not framing.buffered:
                data = self._converse(self._conversation, data)
            self.take(data)
            if framing.out and not self.outgoing.send_nowait():
                return Pause.FULL
            turns -= 1
            if not turns:
                return Pause.TURN
        return Pause.END

    def _converse(self, conversation: Conversation, data: bytes) -> bytes:
        """Answer one packet after another as long as each comes by itself and soon; gives what else has come.

        The other tasks wait meanwhile, so that it ends when something runs, whose stops `_watch` tells of.
        """
        body = self.framing.single(data)
        if body is None:
            return data
        session, processes, recorder = self.session, self._backend.processes, self._recorder
        dispatch, turn, outbox, notices = session.dispatch, conversation.turn, session.outbox, session.notices
        repeats = session.repeats
        self.placement.join()
        left = TURNS_WITHOUT_TRIO
        while left > 0:
            if recorder is not None:
                recorder.received(body)
            reply = dispatch(body)
            over = session.running or session.ended
            if reply is None or over or outbox or notices or len(processes) != self._processes:
                self.post(reply)
                return b""
            if recorder is not None:
                recorder.sent(reply)
            if session.reading != self._reading:
                self._let_read(conversation)
            conversation.repeat(repeats.usable())
            before = session.packets
            try:
                packet = turn(reply)
            finally:
                repeats.account_for(conversation)
            if packet is None:
                return self._after_conversation(conversation)
            left -= 1 + session.packets - before
            body = packet
        return b"$" + body + b"#00"

    def _let_read(self, conversation: Conversation) -> None:
        """Packets now apply to another thread, or are answered in another form."""
        self._reading = self.session.reading
        conversation.read_directly(direct_reads(self.session))

    def _after_conversation(self, conversation: Conversation) -> bytes:
        """Something else came, or nothing did, or the end (which is found again by the next to look)."""
        self.framing.out += conversation.unsent
        unfinished, conversation.unfinished = conversation.unfinished, None
        if unfinished is not None:
            self.post(self.session.repeats.go_on(unfinished))
        elif conversation.rest is None:
            self.patience.missed()
        return conversation.rest or b""

    def take(self, data: bytes) -> None:
        """Handle every packet that `data` completes."""
        session, framing = self.session, self.framing
        for item in framing.receive(data):
            if item.__class__ is bytes:
                self._packet(item)
                if session.ended:
                    return
            elif item is Control.INTERRUPT:
                self._interrupt()
            elif item is Control.OVERSIZE:
                self._say(session.oversize())
        if len(self._backend.processes) != self._processes:
            self._processes = len(self._backend.processes)
            self._describe_process()
            self.on_new_process()

    def _describe_process(self) -> None:
        """What was not known yet when the recording began."""
        recorder, process = self._recorder, self.session.selection.process
        if recorder is not None and process is not None and "arch" not in recorder.header:
            from pydbgserver.server.description import describe

            recorder.add_header(describe(self._backend, process))

    def _interrupt(self) -> None:
        """The interrupt byte. Most targets have stopped before the event loop could have waited for them."""
        if logs.packets.enabled:
            logs.packets.write(Mark.INTERRUPT.value)
        if self._recorder is not None:
            self._recorder.mark(Mark.INTERRUPT)
        self.session.run_control.interrupt()
        if self.session.outbox:
            self.post(None)
        if self.session.running:
            events = self._backend.poll(budget_us=INTERRUPT_BUDGET_US)
            if events:
                self.post(self.session.run_control.on_stop(events))

    def _packet(self, body: bytes) -> None:
        session, framing = self.session, self.framing
        if logs.packets.enabled:
            logs.packets.write(f"<- {escape(body).decode()}")
        if self._recorder is not None:
            self._recorder.received(body)
        reply = session.dispatch(body)
        if not self._identified:
            self._identify()
        self.post(reply)
        if session.no_ack_requested and not framing.no_ack:
            framing.no_ack = True
        if self._converses or not framing.no_ack or framing.may_repeat:
            return
        if self._identified and not logs.packets.enabled:
            self._converses = True
            with suppress(OSError):  # Not over a pipe or a terminal.
                self._conversation = self._begin_conversation()

    def _begin_conversation(self) -> Conversation:
        """Raises `OSError` where there is no socket."""
        journal = None if self._recorder is None else self._recorder.journal
        rle = self.framing.rle
        return Conversation(self.wire, rle=rle, wait_us=WAIT_US, most=TURNS_WITHOUT_TRIO, journal=journal)

    def _identify(self) -> None:
        """What the framing does differently for each client, once it is known which one it is."""
        dialect = self.session.dialect
        if not dialect.presumed:
            self._identified = True
            if self._recorder is not None:
                self._recorder.name_client(dialect.client.value)
            self.framing.rle = dialect.run_length_encoding

    def post(self, reply: bytes | None) -> None:
        """Queue what the session has to say, `reply` last."""
        session = self.session
        if session.outbox:
            for body in session.outbox:
                self._say(body)
            session.outbox.clear()
        if reply is not None:
            self._say(reply)
        if session.notices:
            for name, body in session.notices:
                self._notify(name, body)
            session.notices.clear()

    def _notify(self, name: str, body: bytes) -> None:
        if logs.packets.enabled:
            logs.packets.write(f"~> {name}:{escape(body).decode()}")
        if self._recorder is not None:
            self._recorder.mark(Mark.NOTIFICATION, name.encode() + b":" + body)
        self.framing.notify(name, body)

    def _say(self, body: bytes) -> None:
        if logs.packets.enabled:
            logs.packets.write(f"-> {escape(body).decode()}")
        if self._recorder is not None:
            self._recorder.sent(body)
        self.framing.send(body)

    def output_nowait(self, pid: int, data: bytes) -> None:
        """Queue what the debuggee `pid` has printed."""
        body = self.session.output.printed(data)
        if body is not None:
            self.post(body)  # a notice goes with the stop that the output comes before
