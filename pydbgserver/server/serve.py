"""The life of a server: one client after the other, and the target between them."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence

import trio

import pydbgserver.handlers  # noqa: F401 - importing it registers the packets
from pydbgserver.options import Options
from pydbgserver.rsp.codec import Wire
from pydbgserver.server import farewell
from pydbgserver.server.connection import Connection
from pydbgserver.server.farewell import Farewell
from pydbgserver.server.inferior_io import Terminals
from pydbgserver.server.listen import Link, Listener
from pydbgserver.session.session import Session, SessionOptions
from pydbgserver.target.api import Backend, RunOptions
from pydbgserver.target.events import ProcessExited, StopEvent

ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def say(text: str) -> None:
    """One line on stderr, whether or not anybody reads it."""
    try:
        print(text, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        return


class Server:
    """Serves the clients of `listener`; whatever ends it, `run` leaves every debuggee free and clean."""

    def __init__(self, options: Options, settings: SessionOptions, backend: Backend, listener: Listener) -> None:
        self._options = options
        self._settings = settings
        self._backend = backend
        self._listener = listener
        self._unattended = False
        """The target runs and has no client."""

    async def run(self) -> None:
        """Serve until the last client is gone for good, or SIGTERM, SIGINT or SIGHUP come."""
        try:
            async with trio.open_nursery() as nursery:
                terminals = Terminals(self._backend, nursery)
                await nursery.start(self._end_by_signal, nursery.cancel_scope)
                await self._serve_clients(terminals)
                nursery.cancel_scope.cancel()
        finally:
            self._listener.close()
            self._backend.release()

    async def _end_by_signal(self, whole: trio.CancelScope, task_status: trio.TaskStatus[None]) -> None:
        with trio.open_signal_receiver(*ENDING_SIGNALS) as signals:
            task_status.started()
            async for _ in signals:
                whole.cancel()

    async def _serve_clients(self, terminals: Terminals) -> None:
        while True:
            link = await self._next_client()
            if link is None:
                return
            try:
                say(_greeting(self._options, link))
                session = await self._serve(link, terminals)
            finally:
                link.close()
            if not self._goes_on(session):
                return
            say("Remote side has terminated connection.  GDBserver will reopen the connection.")
            say(f"Listening on port {self._listener.place}")

    async def _serve(self, link: Link, terminals: Terminals) -> Session:
        stops = await self._stop_for_client() if self._unattended else ()
        session = Session(self._backend, self._settings)
        session.on_stop(stops)
        connection = Connection(session, self._backend, Wire(link.read_descriptor, link.write_descriptor))
        connection.on_new_process = terminals.adopt
        session.collect_output = terminals.collect
        terminals.on_output, terminals.on_output_nowait = connection.output, connection.output_nowait
        terminals.adopt()
        try:
            await connection.serve()
        finally:
            terminals.on_output = terminals.on_output_nowait = None
            session.connection_lost()
        return session

    # Between two clients.

    async def _next_client(self) -> Link | None:
        """The next client; None when the last process has ended while there was none."""
        link: Link | None = None
        async with trio.open_nursery() as nursery:
            if self._unattended:
                nursery.start_soon(self._look_after_target, nursery.cancel_scope)
            link = await self._listener.accept()
            nursery.cancel_scope.cancel()
        return link

    async def _look_after_target(self, whole: trio.CancelScope) -> None:
        """Let the target run on, whatever happens to it, until its last process has ended."""
        backend = self._backend
        while backend.processes:
            await backend.wait_activity()
            events = backend.poll()
            _say_exits(events)
            if events and backend.processes:
                backend.resume(farewell.deliveries(list(events)))
        self._unattended = False
        if not self._options.multi:
            whole.cancel()

    async def _stop_for_client(self) -> Sequence[StopEvent]:
        """Stop the target that has run without a client; gives what happened to it."""
        backend = self._backend
        self._unattended = False
        backend.set_options(RunOptions())
        backend.interrupt()
        while backend.processes:
            events = backend.poll()
            if events:
                return events
            await backend.wait_activity()
        return ()

    def _goes_on(self, session: Session) -> bool:
        """After a connection: settle what becomes of the target, and whether another client is waited for."""
        last = session.stops.last
        if isinstance(last, ProcessExited):
            _say_exits([last])
        stays = self._options.multi or session.extended
        if session.exit_requested:
            self._kill(say_pids=True)
            return False
        if session.ended:
            if self._options.style == "gdb":
                say("Killing all inferiors")
            return False
        if not self._backend.processes:
            return stays and self._listener.again and not self._options.once
        return self._leave(session)

    def _leave(self, session: Session) -> bool:
        """The client is gone and there is a target."""
        decided = farewell.decide(self._options, session)
        if decided is Farewell.KILL:
            self._kill(say_pids=True)
            return self._options.multi and self._listener.again
        if decided is Farewell.DETACH or self._options.once or not self._listener.again:
            return False
        if decided is Farewell.RUN_ON:
            farewell.run_on(session)
        else:
            farewell.stand_still(session)
        self._unattended = decided is Farewell.RUN_ON or session.running
        return True

    def _kill(self, *, say_pids: bool) -> None:
        if say_pids and self._backend.processes:
            say(f"Killing process(es): {' '.join(map(str, self._backend.processes))}")
        farewell.kill_all(self._backend)


def _greeting(options: Options, link: Link) -> str:
    return "Connection established." if options.style == "lldb" else f"Remote debugging {link.peer}"


def _say_exits(events: Sequence[StopEvent]) -> None:
    for event in events:
        if isinstance(event, ProcessExited):
            if event.exit_code is not None:
                say(f"\nChild exited with status {event.exit_code}")
            else:
                name = signal.Signals(event.signal or 0).name
                say(f"\nChild terminated with signal = 0x{event.signal or 0:x} ({name})")


def run(options: Options, settings: SessionOptions, backend: Backend, listener: Listener) -> None:
    """Serve the clients of `listener` until the end; see `Server`."""
    trio.run(Server(options, settings, backend, listener).run)
