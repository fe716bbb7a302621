"""The life of a server: one client after the other, and the target between them.

A client that comes as soon as the server listens is answered before there is an event loop: to import trio takes
longer than everything else from the start of the server to its first reply.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

import pydbgserver.handlers  # noqa: F401 - importing it registers the packets
from pydbgserver import logs
from pydbgserver.errors import UsageError
from pydbgserver.options import Options
from pydbgserver.rsp.codec import Wire
from pydbgserver.server import farewell
from pydbgserver.server.ending import Ending, end_by_signal
from pydbgserver.server.exchange import Exchange, Pause
from pydbgserver.server.farewell import Farewell
from pydbgserver.server.inferior_io import Terminals
from pydbgserver.server.listen import Link, Listener
from pydbgserver.server.visit import Visit
from pydbgserver.session.options import SessionOptions
from pydbgserver.session.session import Session
from pydbgserver.target.api import Backend, Process, RunOptions
from pydbgserver.target.events import ProcessExited, StopEvent
from pydbgserver.target.letting_go import deliveries

if TYPE_CHECKING:
    import trio

    from pydbgserver.transcripts.recorder import Recorder, Recordings

PAUSE_US = 250_000
"""A client that says nothing for so long is idle, so that the time it takes to import trio, half of that, costs nobody
anything. gdb and lldb pause for less while they connect, on a busy machine as well; lldb-dap 19 gives up when lldb has
to wait for us behind the last packets of an attach ("process unloaded during launch or attach")."""


def say(text: str, stream: TextIO | None = None) -> None:
    """One line on stderr (or `stream`), whether or not anybody reads it."""
    try:
        print(text, file=stream or sys.stderr, flush=True)
    except (OSError, ValueError):
        return


class Server:
    """Serves the clients of `listener`; whatever ends it, `run` leaves every debuggee free and clean."""

    def __init__(
        self,
        options: Options,
        settings: SessionOptions,
        backend: Backend,
        listener: Listener,
        recordings: Recordings | None = None,
        ending: Ending | None = None,
    ) -> None:
        """`ending`: what notes the signals that come before the event loop."""
        self._options = options
        self._recordings = recordings
        self._settings = settings
        self._backend = backend
        self._listener = listener
        self._stays = options.multi
        """Go on without a process."""
        self._unattended = False
        """The target runs and has no client."""
        self._stops: Sequence[StopEvent] = ()
        """What the next client has to hear of first."""
        self._terminals = Terminals(backend)
        self._ending = ending or Ending()
        self._visit: Visit | None = None
        """The client that is there."""

    def open(self) -> None:
        """Answer what a client that is there already asks of the program, up to where an event loop is needed.

        One who begins with an attach is served by the event loop from the start: what it lets run next is interrupted
        sooner than trio could be imported.
        """
        link = self._listener.accept_nowait() if self._backend.processes else None
        if link is None:
            return
        self._visit = visit = self._receive(link)
        with suppress(OSError):  # The end of the connection is found again.
            while visit.exchange.talk(PAUSE_US) is Pause.TURN and not self._ending.came:
                pass
        visit.exchange.placement.leave()

    async def run(self) -> None:
        """Serve until the last client is gone for good, or SIGTERM, SIGINT or SIGHUP come."""
        import trio

        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(end_by_signal, nursery.cancel_scope, self._ending)
                await self._serve_clients(nursery)
                nursery.cancel_scope.cancel()
        finally:
            self._listener.close()
            self._backend.release()

    async def _serve_clients(self, nursery: trio.Nursery) -> None:
        while True:
            visit = self._visit or await self._next_visit()
            if visit is None:
                return
            try:
                await self._serve(visit, nursery)
            finally:
                self._visit = None
                visit.close()
            if not await self._goes_on(visit.session):
                return
            self._say("Remote side has terminated connection.  GDBserver will reopen the connection.")
            self._say(self._listener.listening)

    def _receive(self, link: Link) -> Visit:
        """A session for a client."""
        self._greet(link)
        session = Session(self._backend, self._settings)
        recorder = self._recorder()
        wire = Wire(link.read_descriptor, link.write_descriptor)
        exchange = Exchange(session, self._backend, wire, recorder)
        terminals = self._terminals
        exchange.on_new_process = terminals.adopt
        session.output.collect = terminals.collect
        terminals.on_output_nowait = self._backend.on_output = exchange.output_nowait
        terminals.adopt()
        return Visit(link, exchange, recorder)

    async def _serve(self, visit: Visit, nursery: trio.Nursery) -> None:
        from pydbgserver.server.connection import Connection

        connection = Connection(visit.exchange, self._backend)
        self._terminals.on_output = connection.output
        self._terminals.forward(nursery)
        try:
            await connection.serve()
        finally:
            self._terminals.on_output = self._terminals.on_output_nowait = None

    def _recorder(self) -> Recorder | None:
        """The next session's. What cannot be recorded is served all the same."""
        if self._recordings is None:
            return None
        try:
            return self._recordings.begin()
        except UsageError as error:
            logs.problem(str(error))
            return None

    # Between two clients.

    async def _next_visit(self) -> Visit | None:
        """The next client; None when the last process has ended while there was none."""
        link = await self._next_link()
        if link is None:
            return None
        ran = self._unattended
        try:
            if ran:
                await self._stop_target()
            visit = self._receive(link)
        except BaseException:
            link.close()
            raise
        visit.session.ran_before = ran
        visit.session.run_control.on_stop(self._stops)
        self._stops = ()
        return visit

    async def _next_link(self) -> Link | None:
        import trio

        link: Link | None = None
        async with trio.open_nursery() as nursery:
            if self._unattended:
                nursery.start_soon(self._look_after_target, nursery.cancel_scope)
            elif self._backend.unattended():
                nursery.start_soon(self._attend)
            link = await self._listener.accept()
            nursery.cancel_scope.cancel()
        return link

    async def _attend(self) -> None:
        """Look after what was let go, until it needs that no more."""
        while self._backend.unattended():
            await self._backend.wait_activity()
            self._backend.attend()

    async def _look_after_target(self, whole: trio.CancelScope) -> None:
        """Let the target run on, whatever happens to it, until its last process has ended."""
        backend = self._backend
        while backend.processes:
            await backend.wait_activity()
            self._let_run(backend.poll())
        self._unattended = False
        if not self._stays:
            whole.cancel()

    def _let_run(self, events: Sequence[StopEvent]) -> None:
        """Nobody is told of `events`: what has stopped goes on, with its signals."""
        while events:
            self._say_exits(events)
            if not self._backend.processes:
                return
            events = self._backend.resume(deliveries(events))

    async def _stop_target(self) -> None:
        """Stop the target that runs without a client; what happened to it is kept for the next one."""
        backend = self._backend
        self._unattended = False
        backend.set_options(RunOptions())
        backend.interrupt()
        while backend.processes:
            self._stops = backend.poll()
            if self._stops:
                return
            await backend.wait_activity()

    async def _goes_on(self, session: Session) -> bool:
        """After a connection: settle what becomes of the target, and whether another client is waited for."""
        if isinstance(session.stops.last, ProcessExited):
            self._say_exits([session.stops.last])
        self._stays = self._options.multi or session.extended
        if session.exit_requested:
            # As gdbserver: what was attached to is let go.
            self._kill([one for one in self._backend.processes.values() if not one.attached])
            return False
        if session.ended:
            self._say("Killing all inferiors")
            return False
        decided = farewell.decide(self._options, session) if self._backend.processes else None
        if decided is Farewell.KILL:
            self._kill(list(self._backend.processes.values()))
        if decided is Farewell.DETACH or self._options.once or not self._listener.again:
            return False
        if decided in (Farewell.RUN_ON, Farewell.STOP):
            await self._keep(session, decided)
        return self._stays or bool(self._backend.processes)

    async def _keep(self, session: Session, decided: Farewell | None) -> None:
        """Take every trap out of the target and let it run, or stop, until the next client comes."""
        backend = self._backend
        backend.set_options(RunOptions(unattended=True))
        self._stops = farewell.signals_at_stop(session)
        if decided is Farewell.RUN_ON:
            if not session.running:
                self._let_run(backend.resume(deliveries(self._stops)))
            self._unattended = bool(backend.processes)
            self._stops = ()
        elif session.running:
            await self._stop_target()

    def _kill(self, processes: Sequence[Process]) -> None:
        if processes:
            self._say(f"Killing process(es): {' '.join(str(one.pid) for one in processes)}")
        farewell.kill_all(processes)

    # Words.

    def _greet(self, link: Link) -> None:
        if self._options.style == "lldb":
            say("Connection established.", sys.stdout)
        else:
            say(f"Remote debugging {link.peer}")

    def _say(self, text: str) -> None:
        """A line for whoever started gdbserver; lldb-server says nothing of what its client does."""
        if self._options.style == "gdb":
            say(text)

    def _say_exits(self, events: Sequence[StopEvent]) -> None:
        for event in events:
            if isinstance(event, ProcessExited):
                self._say(describe_exit(event))


def describe_exit(event: ProcessExited) -> str:
    """How a process ended, as gdbserver says it."""
    if event.exit_code is not None:
        return f"\nChild exited with status {event.exit_code}"
    number = event.signal or 0
    return f"\nChild terminated with signal = {number:#x} ({signal.Signals(number).name})"


def run(
    options: Options,
    settings: SessionOptions,
    backend: Backend,
    listener: Listener,
    recordings: Recordings | None = None,
) -> None:
    """Serve the clients of `listener` until the end; see `Server`."""
    with Ending() as ending:
        server = Server(options, settings, backend, listener, recordings, ending)
        server.open()
        import trio

        trio.run(server.run)
