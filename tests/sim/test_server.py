"""The life of a server with a made-up target: clients come, vanish and come back."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from pydbgserver.cli.comm import parse_comm
from pydbgserver.options import Options
from pydbgserver.rsp.codec import checksum
from pydbgserver.server import serve
from pydbgserver.server.listen import ReadyListener, open_listener, socket_link
from pydbgserver.server.serve import Server
from pydbgserver.session.options import SessionOptions
from pydbgserver.target.api import ResumeAction, ResumeKind
from pydbgserver.target.events import ProcessExited, SignalStop
from pydbgserver.testing.sim import SimBackend, SimProcess, Stop
from tests.trio_client import PacketStream

LIMIT = 5.0
REOPENED = "Remote side has terminated connection.  GDBserver will reopen the connection."


class Client(PacketStream):
    """A debugger over TCP."""

    async def send(self, body: bytes) -> None:
        await self.stream.send_all(b"$%s#%02x" % (body, checksum(body)))

    async def ask(self, body: bytes) -> bytes:
        await self.send(body)
        return await self.reply()

    async def run(self) -> None:
        """Let the target go, and wait until the server waits for its stop."""
        await self.send(b"vCont;c")
        await trio.testing.wait_all_tasks_blocked()


class Running:
    """A server under way; `ended` is set when it is over."""

    def __init__(self, backend: SimBackend, options: Options, settings: SessionOptions) -> None:
        self.backend = backend
        self.listener = open_listener(parse_comm(":0"))
        self.server = Server(options, settings, backend, self.listener)
        self.ended = trio.Event()

    async def run(self) -> None:
        await self.server.run()
        self.ended.set()

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        stream = await trio.open_tcp_stream("127.0.0.1", self.listener.port or 0)
        async with stream:
            yield Client(stream)
        await trio.testing.wait_all_tasks_blocked()


@asynccontextmanager
async def serving(
    *processes: SimProcess, script: list[Stop] | None = None, settings: SessionOptions | None = None, **options: object
) -> AsyncIterator[Running]:
    made = Running(SimBackend(*processes, script=script or []), Options(**options), settings or SessionOptions())
    with trio.fail_after(LIMIT):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(made.run)
            yield made
            nursery.cancel_scope.cancel()
    assert made.backend.released is not None


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the server says to whoever started it."""
    lines: list[str] = []
    monkeypatch.setattr(serve, "say", lambda text, stream=None: lines.append(text))
    return lines


def continued(backend: SimBackend) -> bool:
    return any(action.kind is ResumeKind.CONTINUE for actions in backend.resumed for action in actions)


async def test_a_program_is_attached_to_when_it_starts() -> None:
    async with serving(multi=True) as running, running.client() as client:
        await client.send(b"vAttachWait;" + b"program".hex().encode())
        await trio.testing.wait_all_tasks_blocked()
        running.backend.attachable[300] = SimProcess(300)
        assert (await client.reply())[:1] == b"T"
        assert await client.ask(b"qC") == b"QC12c"
        await client.send(b"vAttachWait;" + b"nobody".hex().encode())
        await trio.testing.wait_all_tasks_blocked()
        await client.stream.send_all(b"\x03")
        assert (await client.reply())[:1] == b"E"
        assert await client.ask(b"qC") == b"QC12c"


async def test_a_launched_target_that_stood_stays_for_the_next_client(said: list[str]) -> None:
    async with serving(SimProcess(100)) as running:
        async with running.client() as client:
            assert await client.ask(b"qC") == b"QC64"
        assert running.backend.options.unattended and not running.backend.resumed
        async with running.client() as client:
            assert (await client.ask(b"?")).startswith(b"T05")
        assert not running.ended.is_set()
    assert said[0].startswith("Remote debugging from host 127.0.0.1, port ")
    assert said[1:3] == [REOPENED, f"Listening on port {running.listener.port}"]


async def test_an_attached_target_that_stood_runs_on(said: list[str]) -> None:
    async with serving(SimProcess(100, attached=True)) as running:
        async with running.client() as client:
            assert await client.ask(b"qC") == b"QC64"
        assert running.backend.options.unattended and continued(running.backend)
        assert running.backend.interrupts == 0


async def test_the_signal_that_an_attached_target_stood_at_is_not_lost(said: list[str]) -> None:
    stop = Stop(SignalStop(100, 100, signal=10), slow=True)
    async with serving(SimProcess(100, attached=True), script=[stop]) as running:
        async with running.client() as client:
            assert (await client.ask(b"vCont;c")).startswith(b"T1e")
        assert ResumeAction(ResumeKind.CONTINUE, 100, 100, 10) in running.backend.resumed[-1]


async def test_what_ran_runs_on_and_stops_for_the_next_client(said: list[str]) -> None:
    async with serving(SimProcess(100)) as running:
        async with running.client() as client:
            await client.run()
        backend = running.backend
        assert backend.options.unattended and backend.interrupts == 0 and len(backend.resumed) == 1
        async with running.client() as client:
            assert (await client.ask(b"?")).startswith(b"T05")
            assert backend.interrupts == 1 and not backend.options.unattended
            assert await client.ask(b"qC") == b"QC64"


async def test_a_signal_found_when_the_next_client_comes_is_told(said: list[str]) -> None:
    async with serving(SimProcess(100)) as running:
        async with running.client() as client:
            await client.run()
        running.backend.interrupt = lambda pid=100: running.backend.happen(  # type: ignore[method-assign]
            SignalStop(100, 100, signal=11)
        )
        async with running.client() as client:
            assert (await client.ask(b"?")).startswith(b"T0b")


async def test_a_signal_without_a_client_is_passed(said: list[str]) -> None:
    async with serving(SimProcess(100)) as running:
        async with running.client() as client:
            await client.run()
        running.backend.happen(SignalStop(100, 100, signal=12))
        await trio.testing.wait_all_tasks_blocked()
        assert ResumeAction(ResumeKind.CONTINUE, 100, 100, 12) in running.backend.resumed[-1]


async def test_the_end_of_the_last_process_without_a_client_ends_the_server(said: list[str]) -> None:
    async with serving(SimProcess(100)) as running:
        async with running.client() as client:
            await client.run()
        running.backend.happen(ProcessExited(100, exit_code=3))
        await running.ended.wait()
    assert said[-1] == "\nChild exited with status 3"


async def test_multi_stays_when_the_last_process_has_ended(said: list[str]) -> None:
    async with serving(SimProcess(100), settings=SessionOptions(extended=True), multi=True) as running:
        async with running.client() as client:
            await client.run()
            running.backend.happen(ProcessExited(100, signal=9))
            assert await client.reply() == b"X09"
        assert said[-3] == "\nChild terminated with signal = 0x9 (SIGKILL)"
        async with running.client() as client:
            assert await client.ask(b"?") == b"W00"


async def test_extended_mode_asked_for_by_the_client_stays_too(said: list[str]) -> None:
    async with serving() as running:
        async with running.client() as client:
            assert await client.ask(b"!") == b"OK"
        async with running.client() as client:
            assert await client.ask(b"?") == b"W00"


async def test_without_extended_mode_the_exit_ends_the_server(said: list[str]) -> None:
    async with serving(SimProcess(100), script=[Stop(ProcessExited(100, exit_code=3))]) as running:
        async with running.client() as client:
            assert await client.ask(b"vCont;c") == b"W03"
        await running.ended.wait()
    assert said[-1] == "\nChild exited with status 3"


async def test_k_ends_the_server(said: list[str]) -> None:
    process = SimProcess(100)
    async with serving(process) as running, running.client() as client:
        await client.send(b"k")
        await running.ended.wait()
    assert said[-1] == "Killing all inferiors" and process.ended == "killed"


async def test_detach_ends_the_server(said: list[str]) -> None:
    process = SimProcess(100, attached=True)
    async with serving(process) as running:
        async with running.client() as client:
            assert await client.ask(b"D") == b"OK"
        await running.ended.wait()
    assert process.ended == "detached"


async def test_monitor_exit_ends_the_server_and_what_it_launched(said: list[str]) -> None:
    process = SimProcess(100)
    async with serving(process, multi=True) as running, running.client() as client:
        assert await client.ask(b"qRcmd," + b"exit".hex().encode()) == b"OK"
        await running.ended.wait()
    assert said[-1] == "Killing process(es): 100" and process.ended == "killed"


@pytest.mark.parametrize("options", [{"once": True}, {"style": "lldb", "once": True}, {"on_disconnect": "detach"}])
async def test_one_connection_and_the_target_is_let_go(said: list[str], options: dict[str, Any]) -> None:
    process = SimProcess(100)
    async with serving(process, **options) as running:
        async with running.client() as client:
            await client.run()
        await running.ended.wait()
    assert process.ended == "detached"
    assert REOPENED not in said


async def test_monitor_exit_lets_go_what_was_attached_to(said: list[str]) -> None:
    attached, launched = SimProcess(100, attached=True), SimProcess(200)
    async with serving(attached, launched) as running:
        async with running.client() as client:
            await client.ask(b"qRcmd,65786974")
        await running.ended.wait()
    assert (attached.ended, launched.ended) == ("detached", "killed")
    assert "Killing process(es): 200" in said


async def test_lldb_may_have_asked_for_the_kill(said: list[str]) -> None:
    process = SimProcess(100)
    async with serving(process, style="lldb", once=True) as running:
        async with running.client() as client:
            assert await client.ask(b"QSetDetachOnError:0") == b"OK"
        await running.ended.wait()
    assert process.ended == "killed"
    assert said == ["Connection established."]


async def test_on_disconnect_kill(said: list[str]) -> None:
    process = SimProcess(100, attached=True)
    async with serving(process, on_disconnect="kill") as running:
        async with running.client() as client:
            await client.run()
        await running.ended.wait()
    assert process.ended == "killed"


async def test_on_disconnect_stop(said: list[str]) -> None:
    async with serving(SimProcess(100, attached=True), on_disconnect="stop") as running:
        async with running.client() as client:
            await client.run()
        assert running.backend.interrupts == 1 and len(running.backend.resumed) == 1
        async with running.client() as client:
            assert (await client.ask(b"?")).startswith(b"T05")
        assert running.backend.interrupts == 1 and len(running.backend.resumed) == 1


async def test_sigterm_lets_everything_go(said: list[str]) -> None:
    process = SimProcess(100)
    async with serving(process) as running, running.client() as client:
        await client.run()
        os.kill(os.getpid(), signal.SIGTERM)
        await running.ended.wait()
    assert process.ended == "detached" and running.backend.released is False


async def test_a_signal_that_the_starter_ignores_stays_ignored(said: list[str]) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        async with serving(SimProcess(100)) as running, running.client() as client:
            os.kill(os.getpid(), signal.SIGHUP)
            assert await client.ask(b"qC") == b"QC64"
    finally:
        signal.signal(signal.SIGHUP, before)


async def test_a_connection_that_is_there_from_the_start_is_the_only_one(said: list[str]) -> None:
    ours, theirs = socket.socketpair()
    process = SimProcess(100)
    listener = ReadyListener(socket_link(ours, None))
    server = Server(Options(), SessionOptions(), SimBackend(process), listener)
    with trio.fail_after(LIMIT):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.run)
            stream = trio.SocketStream(trio.socket.from_stdlib_socket(theirs))
            assert await Client(stream).ask(b"qC") == b"QC64"
            await stream.aclose()
    assert process.ended == "detached"
    assert said == ["Remote debugging from a local socket"]


async def test_clients_one_after_the_other(said: list[str]) -> None:
    async with serving(SimProcess(100)) as running:
        answers: list[bytes] = []

        async def one() -> None:
            stream = await trio.open_tcp_stream("127.0.0.1", running.listener.port or 0)
            async with stream:
                answers.append(await Client(stream).ask(b"qC"))

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(one)
        assert answers == [b"QC64"] * 5
