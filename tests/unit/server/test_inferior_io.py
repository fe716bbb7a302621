"""Terminals of debuggees."""

from __future__ import annotations

import os

import pytest
import trio

from pydbgserver.server.inferior_io import Terminals
from pydbgserver.target.capabilities import StandardStreams
from pydbgserver.testing.sim import SimBackend, SimProcess

LIMIT = 5.0


class Terminal:
    """A real pty as the terminal of a made-up process."""

    def __init__(self) -> None:
        self.process = SimProcess(100)
        self.ours, self.theirs = os.openpty()
        streams = self.process.capability(StandardStreams)
        assert streams is not None
        streams.terminal = self.ours

    def close(self) -> None:
        os.close(self.ours)


async def test_output_is_forwarded_until_the_program_closes_it() -> None:
    terminal = Terminal()
    came: list[tuple[int, bytes]] = []
    arrived = trio.Event()

    async def take(pid: int, data: bytes) -> None:
        came.append((pid, data))
        arrived.set()

    with trio.fail_after(LIMIT):
        async with trio.open_nursery() as nursery:
            terminals = Terminals(SimBackend(terminal.process))
            terminals.forward(nursery)
            terminals.on_output = take
            terminals.adopt()
            terminals.adopt()
            os.write(terminal.theirs, b"hello")
            await arrived.wait()
            os.close(terminal.theirs)
    assert came == [(100, b"hello")]
    terminal.close()


async def test_collect_takes_what_is_there_after_the_backend_has_closed_its_end() -> None:
    terminal = Terminal()
    came: list[bytes] = []
    with trio.fail_after(LIMIT):
        async with trio.open_nursery() as nursery:
            terminals = Terminals(SimBackend(terminal.process))
            terminals.forward(nursery)
            terminals.on_output_nowait = lambda pid, data: came.append(data)
            terminals.adopt()
            os.write(terminal.theirs, b"last words")
            terminal.close()
            terminals.collect()
            assert came == [b"last words"]
            terminals.collect()
            assert came == [b"last words"]
            os.close(terminal.theirs)


async def test_without_a_client_output_is_read_and_dropped() -> None:
    terminal = Terminal()
    with trio.fail_after(LIMIT):
        async with trio.open_nursery() as nursery:
            terminals = Terminals(SimBackend(terminal.process))
            terminals.forward(nursery)
            terminals.adopt()
            os.set_blocking(terminal.theirs, False)
            written = 0
            while written < 200_000:
                try:
                    written += os.write(terminal.theirs, b"x" * 1000)
                except BlockingIOError:
                    await trio.lowlevel.wait_writable(terminal.theirs)
            os.close(terminal.theirs)
    terminal.close()


@pytest.mark.parametrize("without", [(), (StandardStreams,)])
async def test_a_process_without_a_terminal_is_left_alone(without: tuple[type, ...]) -> None:
    process = SimProcess(100, without=without)
    with trio.fail_after(LIMIT):
        async with trio.open_nursery() as nursery:
            terminals = Terminals(SimBackend(process))
            terminals.forward(nursery)
            terminals.adopt()
            terminals.collect()
            assert not nursery.child_tasks
