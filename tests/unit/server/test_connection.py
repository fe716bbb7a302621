"""The connection loop over a socket pair, with a made-up target."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
import trio

import pydbgserver.handlers  # noqa: F401 - importing it registers the packets
from pydbgserver import native
from pydbgserver.rsp.codec import Wire, checksum
from pydbgserver.rsp.conversation import DirectReads
from pydbgserver.rsp.framing import DEFAULT_MAX_PACKET
from pydbgserver.rsp.transcript import Mark
from pydbgserver.server import exchange as exchange_module
from pydbgserver.server.connection import Connection
from pydbgserver.server.exchange import Exchange
from pydbgserver.server.patience import Patience
from pydbgserver.session.session import Session
from pydbgserver.target.events import ProcessExited, SignalStop
from pydbgserver.testing.client import Client as SyncClient
from pydbgserver.testing.sim import SimBackend, SimProcess, Stop
from pydbgserver.transcripts.files import load
from pydbgserver.transcripts.recorder import Recorder
from tests.sim.conversation import GDB13
from tests.trio_client import PacketStream

LIMIT = 5.0
SUPPORTED = b"qSupported:multiprocess+;swbreak+;hwbreak+;vContSupported+"


def frame(body: bytes) -> bytes:
    return b"$%s#%02x" % (body, checksum(body))


class Client(PacketStream):
    """The other end of the pair."""

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def read(self, size: int) -> bytes:
        """Exactly `size` bytes, fewer at the end of the stream."""
        while len(self.buffer) < size:
            data = await self.stream.receive_some()
            if not data:
                break
            self.buffer += bytes(data)
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    async def ask(self, body: bytes) -> bytes:
        await self.send(frame(body))
        return await self.reply()


class Talk:
    """A connection that is being served: `done` is set when it has ended."""

    def __init__(self, backend: SimBackend) -> None:
        ours, theirs = trio.socket.socketpair()
        self.backend = backend
        self.socket = ours
        self.session = Session(backend)
        self.exchange = Exchange(self.session, backend, Wire(ours.fileno()))
        self.connection = Connection(self.exchange, backend)
        self.client = Client(trio.SocketStream(theirs))
        self.done = trio.Event()

    async def run(self) -> None:
        await self.connection.serve()
        self.done.set()


@asynccontextmanager
async def talk(*script: Stop) -> AsyncIterator[Talk]:
    made = Talk(SimBackend(SimProcess(100, threads=2), script=script))
    with trio.fail_after(LIMIT):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(made.run)
            yield made
            await made.client.stream.aclose()
            await made.done.wait()
    made.socket.close()


async def test_one_packet() -> None:
    async with talk() as made:
        assert await made.client.ask(b"qC") == b"QC64"
        assert await made.client.ask(b"vMustReplyEmpty") == b""


async def test_byte_by_byte_glued_and_whole_give_the_same() -> None:
    packets = b"+" + frame(b"qC") + b"+" + frame(b"?") + b"+" + frame(b"vMustReplyEmpty") + b"+"
    answers = []
    for size in (1, 2, 3, 7, len(packets)):
        async with talk() as made:
            for start in range(0, len(packets), size):
                await made.client.send(packets[start : start + size])
            answers.append([await made.client.reply() for _ in range(3)])
    assert answers[0][0] == b"QC64" and answers[0][1].startswith(b"T05") and answers[0][2] == b""
    assert all(answer == answers[0] for answer in answers)


async def test_acknowledgements_stop_after_the_ok() -> None:
    async with talk() as made:
        await made.client.send(frame(b"QStartNoAckMode"))
        assert await made.client.read(7) == b"+$OK#9a"
        await made.client.send(b"+" + frame(b"qC"))
        assert await made.client.read(8) == frame(b"QC64")


async def test_what_an_impatient_client_sends_again_is_answered_once() -> None:
    """gdb waits 2 seconds for an acknowledgement, which a busy machine can take."""
    hello, silence = frame(GDB13.encode()), frame(b"QStartNoAckMode")
    async with talk() as made:
        await made.client.send(b"+" + hello + hello)
        assert (await made.client.reply()).startswith(b"PacketSize=")
        await made.client.send(b"+" + silence)
        assert await made.client.reply() == b"OK"
        await made.client.send(silence + b"+" + frame(b"qC"))
        assert await made.client.reply() == b"QCp64.64"
        assert await made.client.ask(b"vMustReplyEmpty") == b""


async def test_a_stop_comes_when_it_comes() -> None:
    async with talk() as made:
        await made.client.send(frame(b"vCont;c"))
        assert await made.client.read(1) == b"+"
        await trio.testing.wait_all_tasks_blocked()
        assert made.session.running
        made.backend.happen(SignalStop(100, 100, signal=11))
        assert (await made.client.reply()).startswith(b"T0b")
        assert not made.session.running
        assert await made.client.ask(b"qC") == b"QC64"


async def test_the_interrupt_byte_stops_the_target_once() -> None:
    async with talk() as made:
        await made.client.send(frame(b"vCont;c") + b"\x03")
        assert (await made.client.reply()).startswith(b"T02")
        await made.client.send(b"\x03")
        assert await made.client.ask(b"qC") == b"QC64"
        assert made.backend.interrupts == 1


async def test_run_stop_run_stop() -> None:
    async with talk() as made:
        for signal in (5, 11, 6):
            await made.client.send(frame(b"vCont;c"))
            await trio.testing.wait_all_tasks_blocked()
            made.backend.happen(SignalStop(100, 101, signal=signal))
            assert (await made.client.reply()).startswith(b"T")
        await made.client.send(frame(b"vCont;c"))
        await trio.testing.wait_all_tasks_blocked()
        made.backend.happen(ProcessExited(100, exit_code=7))
        assert await made.client.reply() == b"W07"


async def test_output_while_running_and_before_the_stop() -> None:
    async with talk(Stop(slow=True)) as made:
        await made.client.send(frame(b"vCont;c"))
        await trio.testing.wait_all_tasks_blocked()
        made.backend.output(100, b"hello")
        assert await made.client.reply() == b"O" + b"hello".hex().encode()
        made.session.output.collect = lambda: made.exchange.output_nowait(100, b"last words")
        made.backend.happen(ProcessExited(100, exit_code=0))
        assert await made.client.reply() == b"O" + b"last words".hex().encode()
        assert await made.client.reply() == b"W00"


async def test_output_before_a_stop_that_comes_at_once() -> None:
    async with talk(Stop(ProcessExited(100, exit_code=0))) as made:
        made.session.output.collect = lambda: made.exchange.output_nowait(100, b"bye")
        await made.client.send(frame(b"vCont;c"))
        assert await made.client.reply() == b"O" + b"bye".hex().encode()
        assert await made.client.reply() == b"W00"


async def test_an_oversize_packet_gets_an_error_and_the_stream_goes_on() -> None:
    async with talk() as made:
        await made.client.send(frame(b"m" + b"0" * (DEFAULT_MAX_PACKET + 1)))
        assert (await made.client.reply()).startswith(b"E")
        assert await made.client.ask(b"qC") == b"QC64"


async def test_a_bad_checksum_is_refused_and_the_resent_packet_answered() -> None:
    async with talk() as made:
        await made.client.send(b"$qC#00")
        assert await made.client.read(1) == b"-"
        assert await made.client.ask(b"qC") == b"QC64"


async def test_k_ends_the_connection() -> None:
    async with talk() as made:
        await made.client.send(frame(b"k"))
        await made.done.wait()
        assert made.session.ended and not made.backend.processes


async def test_a_new_process_is_told_of() -> None:
    async with talk() as made:
        told = []
        made.exchange.on_new_process = lambda: told.append(list(made.backend.processes))
        made.backend.attachable[300] = SimProcess(300)
        assert await made.client.ask(b"vAttach;12c")
        assert told == [[100, 300]]
        assert await made.client.ask(b"qC")
        assert len(told) == 1


@pytest.mark.parametrize("what", [b"", b"$qC", b"$m0,4#"])
async def test_a_client_that_goes_away_is_no_error(what: bytes) -> None:
    async with talk() as made:
        if what:
            await made.client.send(what)
        await made.client.stream.aclose()
        await made.done.wait()
        assert made.backend.processes


async def test_a_reset_while_the_target_runs_ends_the_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        theirs = socket.create_connection(listening.getsockname(), LIMIT)
        ours, _ = listening.accept()
    ours.setblocking(False)
    backend = SimBackend(SimProcess(100))
    session = Session(backend)
    with trio.fail_after(LIMIT), ours:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Connection(Exchange(session, backend, Wire(ours.fileno())), backend).serve)
            theirs.sendall(frame(b"vCont;c"))
            await trio.testing.wait_all_tasks_blocked()
            await trio.lowlevel.checkpoint()
            # Closing with zero linger time sends a reset instead of the end of the stream.
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            theirs.close()
    assert backend.processes


async def test_a_slow_client_gets_everything_in_order() -> None:
    async with talk() as made:
        count, body = 400, b"m404000,1000"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(made.client.send, b"".join(frame(body) for _ in range(count)) + frame(b"qC"))
            await trio.testing.wait_all_tasks_blocked()
            replies = [await made.client.reply() for _ in range(count)]
        assert set(replies) == {b"00" * 0x1000}
        assert await made.client.reply() == b"QC64"


async def test_dense_traffic_lets_the_other_tasks_run() -> None:
    async with talk() as made:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                await trio.lowlevel.checkpoint()
                turns += 1

        theirs = made.client.stream
        packets = exchange_module.TURNS_WITHOUT_TRIO * 6
        made.exchange.wire = OnePacketAtATime(made.exchange.wire, packets)  # type: ignore[assignment]
        await theirs.send_all(b"+")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(count)
            for _ in range(packets):
                assert await made.client.reply() == b"QC64"
            nursery.cancel_scope.cancel()
        assert turns >= 3


class CountingSession(Session):
    """Knows how many packets it has handled."""

    handled = 0

    def dispatch(self, body: bytes) -> bytes | None:
        self.handled += 1
        return super().dispatch(body)


@contextmanager
def served_elsewhere(
    backend: SimBackend, recorder: Recorder | None = None
) -> Iterator[tuple[CountingSession, SyncClient]]:
    """A connection that another thread serves, acknowledgements already off. It has ended afterwards."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    session = CountingSession(backend)
    connection = Connection(Exchange(session, backend, Wire(ours.fileno()), recorder), backend)
    serving = threading.Thread(target=trio.run, args=(connection.serve,))
    serving.start()
    with ours:
        with SyncClient(theirs, LIMIT) as client:
            client.start_no_ack_mode()
            yield session, client
        serving.join(LIMIT)
        assert not serving.is_alive()


def test_files_are_read_in_c_without_a_program_until_they_are_closed(tmp_path: Path) -> None:
    """As by a platform's client. The number of a file that was closed is given to the next one."""
    with served_elsewhere(SimBackend()) as (session, client):
        client.request(SUPPORTED)
        for content in (b"first}#$*", b"second"):
            path = tmp_path / content.decode()[:5]
            path.write_bytes(content)
            assert client.request(b"vFile:open:%b,0,0" % bytes(path).hex().encode()) == b"F3"
            handled, packets = session.handled, 0
            deadline = time.monotonic() + LIMIT
            while session.handled == handled + packets and time.monotonic() < deadline:
                packets += 1
                assert client.request(b"vFile:pread:3,20,0") == b"F%x;%b" % (len(content), content)
            assert session.handled < handled + packets, "none of them was answered in C"
            assert client.request(b"vFile:close:3") == b"F0"
            assert client.request(b"vFile:pread:3,20,0") == b"F-1,9"
        assert session.packets > session.handled


def test_c_answers_while_a_session_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Client and server take turns on a processor of their own each, as they do between processes."""
    reads = DirectReads(native.ffi.NULL, native.ffi.NULL, 100, 100, identity=b"QC64")
    monkeypatch.setattr(exchange_module, "direct_reads", lambda session: reads)
    path = tmp_path / "session.rsp"
    recorder = Recorder(str(path), {})
    asked = [b"QStartNoAckMode", SUPPORTED]
    with served_elsewhere(SimBackend(SimProcess(100)), recorder) as (session, client):
        replies = [b"OK", client.request(SUPPORTED)]
        deadline = time.monotonic() + LIMIT
        while session.handled == len(asked) and time.monotonic() < deadline:
            asked.append(b"qC")
            replies.append(client.request(b"qC"))
    recorder.close()
    assert session.handled < len(asked), "none of them was answered in C"
    lines = [(line.mark, line.body) for line in load(str(path)).lines]
    assert lines[::2] == [(Mark.TO_SERVER, body) for body in asked]
    assert lines[1::2] == [(Mark.TO_CLIENT, body) for body in replies]


class OnePacketAtATime:
    """A wire on which the next packet is always there already."""

    def __init__(self, wire: Wire, packets: int) -> None:
        self.wire = wire
        self.left = packets
        self.read_descriptor = wire.read_descriptor
        self.write_descriptor = wire.write_descriptor
        self.send = wire.send

    def receive(self, spin_us: int = 0) -> bytes | None:
        if self.left:
            self.left -= 1
            return frame(b"qC")
        return self.wire.receive(spin_us)


class NextAlwaysThere:
    """A conversation whose client sends each of `packets` as soon as it has been answered."""

    def __init__(self, session: Session, packets: Sequence[bytes]) -> None:
        self.session = session
        self.packets = list(packets)
        self.unsent, self.rest, self.unfinished = b"", b"", None
        self.waited_while_running = False

    def turn(self, reply: bytes) -> bytes | None:
        self.waited_while_running |= self.session.running
        if self.packets:
            return self.packets.pop(0)
        self.unsent = frame(reply)
        return None

    def take_answered(self) -> int:
        return 0

    def take_repeated(self) -> Sequence[object]:
        return ()

    def read_directly(self, reads: object) -> None:
        pass

    def repeat(self, packets: Sequence[object]) -> None:
        pass


async def test_what_runs_in_non_stop_mode_is_heard_of_between_any_two_packets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Patience, "wait_us", lambda self: 1)
    async with talk() as made:
        for body in (GDB13.encode(), b"QStartNoAckMode", b"qC"):
            await made.client.ask(body)
        made.client.buffer = b""
        conversation = NextAlwaysThere(made.session, [b"qC", b"QNonStop:1", b"qC", b"qC"])
        made.exchange._conversation = conversation  # type: ignore[assignment]
        await made.client.send(frame(b"qC"))
        assert await made.client.reply() == b"OK"
        assert made.session.running and conversation.packets == [b"qC", b"qC"]
        assert not conversation.waited_while_running
