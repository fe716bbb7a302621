"""One client's connection: an exchange of packets, and stops as they come.

Two tasks, both on trio's thread: `_read` for what the client sends and `_watch` for what the target does. Everything
between two awaits is synchronous, so that the session is never entered twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from time import perf_counter_ns

import trio

from pydbgserver import logs
from pydbgserver.server.exchange import Exchange, Pause
from pydbgserver.session.awaited import look_for_awaited
from pydbgserver.target.api import Backend

COLLECT_BUDGET_US = 2_000
"""How long the target may go on stepping or passing signals in C before the event loop has its turn: each turn costs
as much as four steps."""

LOOK_SECONDS = 0.1
"""Between two looks for a program that is to be attached to when it starts, where the system does not tell of programs
that start: a look at 300 processes takes 1 ms, which makes a hundredth of a processor."""


class Connection:
    """Carries an exchange on until the client goes or the session has ended: see `serve`."""

    def __init__(self, exchange: Exchange, backend: Backend) -> None:
        self._exchange = exchange
        self._session = exchange.session
        self._outgoing = exchange.outgoing
        self._backend = backend
        self._resumed = trio.Event()

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
                self._exchange.placement.leave()
            nursery.cancel_scope.cancel()

    # What the client sends.

    async def _read(self) -> None:
        exchange = self._exchange
        await self._outgoing.send()
        while (pause := exchange.talk()) is not Pause.END:
            self._note_running()
            if pause is Pause.SILENCE:
                await self._wait_readable()
            elif pause is Pause.FULL:
                await self._outgoing.wait_sent()
            else:
                await trio.lowlevel.checkpoint()

    def _note_running(self) -> None:
        if self._session.running or self._backend.unattended():
            self._resumed.set()

    async def _wait_readable(self) -> None:
        """Let the other tasks run until something comes."""
        exchange, descriptor = self._exchange, self._exchange.wire.read_descriptor
        exchange.placement.leave()
        if self._session.awaited is not None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._look_for_awaited)
                await trio.lowlevel.wait_readable(descriptor)
                nursery.cancel_scope.cancel()
            return
        before = perf_counter_ns()
        await trio.lowlevel.wait_readable(descriptor)
        exchange.patience.woken_after(perf_counter_ns() - before)

    async def _look_for_awaited(self) -> None:
        """Until the program that the client waits for runs, or something comes from the client."""
        starts = self._backend.watch_starts()
        if starts is None and logs.events.enabled:
            logs.events.write("this system does not tell of programs that start: they are looked for now and then")
        try:
            among: Sequence[int] | None = None
            while (reply := look_for_awaited(self._session, among)) is None:
                if starts is None:
                    await trio.sleep(LOOK_SECONDS)
                else:
                    among = await starts.wait()
        finally:
            if starts is not None:
                starts.close()
        self._exchange.post(reply)
        self._exchange.take(b"")
        self._note_running()
        await self._outgoing.send()

    # What the target does.

    async def _watch(self, whole: trio.CancelScope) -> None:
        """Wait for stops while the target runs. A stopped one is left alone: stepping would wake us each time."""
        session, backend = self._session, self._backend
        try:
            while True:
                if not (session.running or backend.unattended()):
                    self._resumed = trio.Event()
                    await self._resumed.wait()
                await backend.wait_activity()
                if session.running:
                    await self._collect_stops()
                elif backend.unattended():
                    backend.attend()
        except OSError as error:
            if logs.events.enabled:
                logs.events.write(f"the connection is lost: {error.strerror}")
            whole.cancel()

    async def _collect_stops(self) -> None:
        events = self._backend.poll(budget_us=COLLECT_BUDGET_US if self._session.non_stop is None else 0)
        if not events:
            return
        if logs.events.enabled:
            logs.events.write(f"stopped: {events!r}")
        self._exchange.post(self._session.run_control.on_stop(events))
        await self._outgoing.send()

    async def output(self, pid: int, data: bytes) -> None:
        """What the debuggee `pid` has printed. Waits while the client takes nothing more."""
        body = self._session.output.printed(data)
        if body is not None or self._session.notices:
            self._exchange.post(body)
            await self._outgoing.send()

    def _printed(self, nursery: trio.Nursery, pid: int, data: bytes) -> None:
        """`Backend.on_output`, for targets whose output does not come through a descriptor."""
        self._exchange.output_nowait(pid, data)
        nursery.start_soon(self._flush_while_connected)

    async def _flush_while_connected(self) -> None:
        with suppress(OSError):  # Whoever reads hears of it, too.
            await self._outgoing.send()
