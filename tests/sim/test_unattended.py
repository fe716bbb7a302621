"""What was let go and still has to be looked after: with a client, whose target stands, and between two clients."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from pydbgserver.options import Options
from pydbgserver.session.options import SessionOptions
from pydbgserver.testing.sim import SimBackend, SimProcess
from tests.sim.test_server import LIMIT, Running


class Leaving(SimBackend):
    """Has let go of `left` things of which it has yet to hear something."""

    def __init__(self, *processes: SimProcess) -> None:
        super().__init__(*processes)
        self.left = 0
        self.waits = trio.Event()
        self.waits.set()  # nobody waits yet

    def unattended(self) -> bool:
        return self.left > 0

    def attend(self) -> None:
        self.left -= 1

    async def wait_activity(self) -> None:
        self.waits = trio.Event()
        await self.waits.wait()

    async def hear(self) -> int:
        """Something happens to one of them; gives how many are left when that has been seen to."""
        before = self.left
        while self.waits.is_set():
            await trio.lowlevel.checkpoint()
        self.waits.set()
        while self.left == before:
            await trio.lowlevel.checkpoint()
        return self.left


@asynccontextmanager
async def leaving() -> AsyncIterator[tuple[Leaving, Running]]:
    backend = Leaving(SimProcess(100))
    running = Running(backend, Options(multi=True), SessionOptions())
    with trio.fail_after(LIMIT):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(running.run)
            yield backend, running
            nursery.cancel_scope.cancel()


async def test_it_is_looked_after_while_the_target_stands() -> None:
    async with leaving() as (backend, running), running.client() as client:
        assert await client.ask(b"qC") == b"QC64"
        backend.left = 2
        assert await client.ask(b"D;64") == b"OK"
        assert [await backend.hear(), await backend.hear()] == [1, 0]


async def test_it_is_looked_after_between_two_clients() -> None:
    async with leaving() as (backend, running):
        async with running.client() as client:
            assert await client.ask(b"D;64") == b"OK"
            backend.left = 2
        assert [await backend.hear(), await backend.hear()] == [1, 0]
        async with running.client() as client:
            assert (await client.ask(b"qC")).startswith(b"E")
