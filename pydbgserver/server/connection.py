"""One client's connection: bytes in, packets to the session, replies out, stops as they come.

Two tasks, both on trio's thread: `_read` for what the client sends and `_watch` for what the target does. Everything
between two awaits is synchronous, so that the session is never entered twice.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import perf_counter_ns
from typing import TYPE_CHECKING

import trio

from pydbgserver import logs
from pydbgserver.rsp.codec import Wire, library
from pydbgserver.rsp.conversation import Conversation
from pydbgserver.rsp.framing import Control, Framing
from pydbgserver.rsp.transcript import Mark, escape
from pydbgserver.server.outgoing import Outgoing
from pydbgserver.server.patience import WAIT_US, Patience
from pydbgserver.server.placement import Placement
from pydbgserver.session.awaited import look_for_awaited
from pydbgserver.session.direct_reads import direct_reads
from pydbgserver.session.session import Session
from pydbgserver.target.api import Backend

if TYPE_CHECKING:
    from pydbgserver.transcripts.recorder import Recorder

TURNS_WITHOUT_TRIO = 64
"""After so many packets in a row that never had to be waited for, the other tasks (signals, the target's output) get
their turn; a checkpoint costs as much as a tenth of them."""

COLLECT_BUDGET_US = 2_000
"""How long the target may go on stepping or passing signals in C before the event loop has its turn: each turn costs
as much as four steps."""

INTERRUPT_BUDGET_US = 20_000
"""How long an interrupt waits in place for the stop: 500 threads take 5 ms."""


LOOK_SECONDS = 0.1
"""Between two looks for a program that is to be attached to when it starts, where the system does not tell of programs
that start: a look at 300 processes takes 1 ms, which makes a hundredth of a processor."""


class Connection:
    """The link between one client and its session; `serve` ends when the client goes or the session has ended.

    `on_new_process` is called when a packet has brought one. `recorder` writes everything down.
    """

    def __init__(self, session: Session, backend: Backend, wire: Wire, recorder: Recorder | None = None) -> None:
        self.session = session
        self.framing = Framing()
        self.framing.lossless = not os.isatty(wire.read_descriptor)
        self.on_new_process: Callable[[], None] = lambda: None
        self._backend = backend
        self._processes = len(backend.processes)
        self._wire = wire
        self._outgoing = Outgoing(wire, self.framing)
        self._recorder = recorder
        self._resumed = trio.Event()
        self._identified = False
        self._converses = False
        self._conversation: Conversation | None = None
        self._reading: tuple[object, ...] = ()
        """What `Session.reading` was when the conversation was told what it may answer by itself."""
        self._patience = Patience()
        self._placement = Placement(wire.read_descriptor)
        session.before_spawning = self._placement.leave
        session.since_heard = lambda: max(0, library.rsp_peer_silence(wire.read_descriptor)) / 1000

    async def serve(self) -> None:
        """Talk until the end. The client's going is no error, however it goes."""
        async with trio.open_nursery() as nursery:
            self._backend.on_output = lambda pid, data: self._printed(nursery, pid, data)
            nursery.start_soon(self._watch, nursery.cancel_scope)
            try:
                await self._read()
            except OSError as error:
                if logs.events.enabled:
                    logs.events.write(f"the connection is lost: {error.strerror}")
            finally:
                self._backend.on_output = None
                self._placement.leave()
            nursery.cancel_scope.cancel()

    # What the client sends.

    async def _read(self) -> None:
        wire, framing, session, patience = self._wire, self.framing, self.session, self._patience
        outgoing = self._outgoing
        turns = 0
        while not session.ended:
            wait_us = 0 if session.running else patience.wait_us()
            data = wire.receive(wait_us)
            if data is None:
                await self._wait_readable(wait_us)
                turns = 0
                continue
            if not data:
                return
            patience.hit()
            if self._conversation is not None and not session.running and patience.wait_us() and not framing.buffered:
                data = self._converse(self._conversation, data)
            self._take(data)
            if framing.out and not outgoing.send_nowait():
                await outgoing.wait_sent()
            turns += 1
            if turns == TURNS_WITHOUT_TRIO:
                turns = 0
                await trio.lowlevel.checkpoint()

    async def _wait_readable(self, waited_us: int) -> None:
        """Nothing has come in `waited_us`: let the other tasks run until something does."""
        if waited_us:
            self._patience.missed()
        self._placement.leave()
        if self.session.awaited is not None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._look_for_awaited)
                await trio.lowlevel.wait_readable(self._wire.read_descriptor)
                nursery.cancel_scope.cancel()
            return
        before = perf_counter_ns()
        await trio.lowlevel.wait_readable(self._wire.read_descriptor)
        self._patience.woken_after(perf_counter_ns() - before)

    async def _look_for_awaited(self) -> None:
        """Until the program that the client waits for runs, or something comes from the client."""
        starts = self._backend.watch_starts()
        if starts is None and logs.events.enabled:
            logs.events.write("this system does not tell of programs that start: they are looked for now and then")
        try:
            among: Sequence[int] | None = None
            while (reply := look_for_awaited(self.session, among)) is None:
                if starts is None:
                    await trio.sleep(LOOK_SECONDS)
                else:
                    among = await starts.wait()
        finally:
            if starts is not None:
                starts.close()
        self._post(reply)
        self._take(b"")
        await self._outgoing.send()

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
        self._placement.join()
        left = TURNS_WITHOUT_TRIO
        while left > 0:
            if recorder is not None:
                recorder.received(body)
            reply = dispatch(body)
            over = session.running or session.ended
            if reply is None or over or outbox or notices or len(processes) != self._processes:
                self._post(reply)
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
            self._post(self.session.repeats.go_on(unfinished))
        elif conversation.rest is None:
            self._patience.missed()
        return conversation.rest or b""

    def _take(self, data: bytes) -> None:
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
            self.on_new_process()
        if session.running and not self._resumed.is_set():
            self._resumed.set()

    def _interrupt(self) -> None:
        """The interrupt byte. Most targets have stopped before the event loop could have waited for them."""
        if logs.packets.enabled:
            logs.packets.write(Mark.INTERRUPT.value)
        if self._recorder is not None:
            self._recorder.mark(Mark.INTERRUPT)
        self.session.run_control.interrupt()
        if self.session.outbox:
            self._post(None)
        if self.session.running:
            events = self._backend.poll(budget_us=INTERRUPT_BUDGET_US)
            if events:
                self._post(self.session.run_control.on_stop(events))

    def _packet(self, body: bytes) -> None:
        session, framing = self.session, self.framing
        if logs.packets.enabled:
            logs.packets.write(f"<- {escape(body).decode()}")
        if self._recorder is not None:
            self._recorder.received(body)
        reply = session.dispatch(body)
        if not self._identified:
            self._identify()
        self._post(reply)
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
        return Conversation(self._wire, rle=rle, wait_us=WAIT_US, most=TURNS_WITHOUT_TRIO, journal=journal)

    def _identify(self) -> None:
        """What the framing does differently for each client, once it is known which one it is."""
        dialect = self.session.dialect
        if not dialect.presumed:
            self._identified = True
            if self._recorder is not None:
                self._recorder.name_client(dialect.client.value)
            self.framing.rle = dialect.run_length_encoding

    def _post(self, reply: bytes | None) -> None:
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

    # What the target does.

    async def _watch(self, whole: trio.CancelScope) -> None:
        """Wait for stops while the target runs. A stopped one is left alone: stepping would wake us each time."""
        session, backend = self.session, self._backend
        try:
            while True:
                if not session.running:
                    self._resumed = trio.Event()
                    await self._resumed.wait()
                await backend.wait_activity()
                if session.running:
                    await self._collect_stops()
        except OSError as error:
            if logs.events.enabled:
                logs.events.write(f"the connection is lost: {error.strerror}")
            whole.cancel()

    async def _collect_stops(self) -> None:
        events = self._backend.poll(budget_us=COLLECT_BUDGET_US if self.session.non_stop is None else 0)
        if not events:
            return
        if logs.events.enabled:
            logs.events.write(f"stopped: {events!r}")
        self._post(self.session.run_control.on_stop(events))
        await self._outgoing.send()

    async def output(self, pid: int, data: bytes) -> None:
        """What the debuggee `pid` has printed. Waits while the client takes nothing more."""
        body = self.session.output.printed(data)
        if body is not None or self.session.notices:
            self._post(body)
            await self._outgoing.send()

    def output_nowait(self, pid: int, data: bytes) -> None:
        """The same, queued only."""
        body = self.session.output.printed(data)
        if body is not None:
            self._post(body)  # a notice goes with the stop that the output comes before

    def _printed(self, nursery: trio.Nursery, pid: int, data: bytes) -> None:
        """`Backend.on_output`, for targets whose output does not come through a descriptor."""
        self.output_nowait(pid, data)
        nursery.start_soon(self._flush_while_connected)

    async def _flush_while_connected(self) -> None:
        with suppress(OSError):  # Whoever reads hears of it, too.
            await self._outgoing.send()
