"""A client that is there before the event loop: what it asks is answered at once, and it is served on by the loop."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
import trio

from pydbgserver.options import Options
from pydbgserver.server import serve
from pydbgserver.server.ending import Ending
from pydbgserver.server.exchange import Exchange, Pause
from pydbgserver.server.listen import ReadyListener, socket_link
from pydbgserver.server.serve import Server
from pydbgserver.session.options import SessionOptions
from pydbgserver.target.capabilities import StandardStreams
from pydbgserver.target.events import SignalStop, StepDone
from pydbgserver.testing.client import frame
from pydbgserver.testing.sim import SimBackend, SimProcess, Stop
from tests.trio_client import PacketStream

LIMIT = 5.0


class Opened:
    """A server, and the other end of its only connection."""

    def __init__(self, backend: SimBackend) -> None:
        ours, self.socket = socket.socketpair()
        self.backend = backend
        self.ending = Ending()
        self.server = Server(
            Options(), SessionOptions(), backend, ReadyListener(socket_link(ours, None)), ending=self.ending
        )

    def open(self, *packets: bytes) -> bytes:
        """What the server answers `packets` before it needs an event loop, without acknowledgements."""
        self.socket.sendall(b"".join(map(frame, packets)))
        self.server.open()
        return self.socket.recv(1 << 20, socket.MSG_DONTWAIT).replace(b"+", b"")

    async def serve_to_the_end(self) -> None:
        """As `serve.run` does."""
        with self.ending:
            self.server.open()
            with trio.fail_after(LIMIT):
                await self.server.run()
        self.socket.close()

    @asynccontextmanager
    async def served(self) -> AsyncIterator[PacketStream]:
        """The event loop serves the connection until the client goes."""
        with trio.fail_after(LIMIT):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.server.run)
                stream = trio.SocketStream(trio.socket.from_stdlib_socket(self.socket))
                async with stream:
                    yield PacketStream(stream)
        assert self.backend.released is not None


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "say", lambda text, stream=None: None)
    monkeypatch.setattr(serve, "PAUSE_US", 10_000)


async def test_what_is_asked_at_once_is_answered_and_the_session_goes_on() -> None:
    opened = Opened(SimBackend(SimProcess(100, threads=2)))
    assert opened.open(b"QStartNoAckMode", b"Hg65", b"qC") == frame(b"OK") * 2 + frame(b"QC65")
    async with opened.served() as client:
        await client.stream.send_all(frame(b"qC"))
        assert await client.reply() == b"QC65"


async def test_a_target_that_runs_is_left_to_the_event_loop() -> None:
    opened = Opened(SimBackend(SimProcess(100), script=[Stop(SignalStop(100, 100, signal=10), slow=True)]))
    assert opened.open(b"QStartNoAckMode", b"vCont;c") == frame(b"OK")
    async with opened.served() as client:
        assert (await client.reply())[:3] == b"T1e"


async def test_what_is_sent_behind_a_resume_is_taken_by_the_event_loop() -> None:
    opened = Opened(SimBackend(SimProcess(100)))
    assert opened.open(b"vCont;c") == b""
    opened.socket.sendall(b"\x03")
    async with opened.served() as client:
        assert (await client.reply())[:3] == b"T02"


async def test_a_program_that_is_not_there_yet_is_waited_for_by_the_event_loop() -> None:
    backend = SimBackend(SimProcess(100))
    opened = Opened(backend)
    assert opened.open(b"!", b"vAttachWait;" + b"program".hex().encode()) == frame(b"OK")
    backend.attachable[300] = SimProcess(300)
    async with opened.served() as client:
        assert (await client.reply())[:1] == b"T"


async def test_more_than_the_client_takes_is_sent_by_the_event_loop() -> None:
    opened = Opened(SimBackend(SimProcess(100)))
    count = 400
    first = opened.open(b"QStartNoAckMode", *[b"m404000,1000"] * count, b"qC")
    async with opened.served() as client:
        client.buffer = first.partition(b"#9a")[2]
        assert [await client.reply() for _ in range(count)] == [b"00" * 0x1000] * count
        assert await client.reply() == b"QC64"


@contextmanager
def on_a_terminal() -> Iterator[tuple[SimProcess, int]]:
    """A process, and its end of its terminal."""
    process = SimProcess(100)
    ours, theirs = os.openpty()
    streams = process.capability(StandardStreams)
    assert streams is not None
    streams.terminal = ours
    yield process, theirs
    os.close(theirs)
    os.close(ours)


async def test_what_a_step_prints_comes_before_its_stop() -> None:
    with on_a_terminal() as (process, terminal):
        opened = Opened(SimBackend(process, script=[Stop(StepDone(100, 100))]))
        os.write(terminal, b"hi")
        answer = opened.open(b"vCont;s:64")
        assert answer.index(frame(b"O6869")) < answer.index(b"$T05")
        async with opened.served():
            pass


async def test_what_is_printed_before_the_event_loop_runs_is_not_lost() -> None:
    with on_a_terminal() as (process, terminal):
        opened = Opened(SimBackend(process))
        assert opened.open(b"vCont;c") == b""
        os.write(terminal, b"hi")
        async with opened.served() as client:
            assert await client.reply() == b"O6869"


@pytest.mark.parametrize("go", [socket.socket.close, lambda client: client.shutdown(socket.SHUT_WR)], ids=str)
async def test_a_client_that_goes_meanwhile_is_no_error(go: Callable[[socket.socket], None]) -> None:
    process = SimProcess(100, attached=True)
    opened = Opened(SimBackend(process))
    opened.socket.sendall(frame(b"g") * 100)
    go(opened.socket)
    await opened.serve_to_the_end()
    assert process.ended == "detached"


async def test_a_session_that_ends_meanwhile_ends_the_server() -> None:
    opened = Opened(SimBackend(SimProcess(100)))
    assert opened.open(b"k") == frame(b"X09")
    with trio.fail_after(LIMIT):
        await opened.server.run()
    opened.socket.close()


async def test_a_signal_that_came_meanwhile_ends_the_server() -> None:
    process = SimProcess(100)
    opened = Opened(SimBackend(process))
    before = signal.getsignal(signal.SIGTERM)
    with opened.ending:
        opened.open(b"qC")
        os.kill(os.getpid(), signal.SIGTERM)
        with trio.fail_after(LIMIT):
            await opened.server.run()
    assert process.ended == "detached" and signal.getsignal(signal.SIGTERM) == before
    opened.socket.close()


async def test_a_signal_ends_a_server_whose_client_never_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    talk = Exchange.talk

    def never_pauses_first(self: Exchange, least_us: int = 0) -> Pause:
        if not least_us:
            return talk(self)
        os.kill(os.getpid(), signal.SIGTERM)
        return Pause.TURN

    monkeypatch.setattr(Exchange, "talk", never_pauses_first)
    process = SimProcess(100)
    opened = Opened(SimBackend(process))
    await opened.serve_to_the_end()
    assert process.ended == "detached"
