"""Packets that C carries out from the third time on do what the session does with them, and leave it as it would be."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import pydbgserver.handlers  # noqa: F401
from pydbgserver.rsp.codec import Wire
from pydbgserver.rsp.conversation import Conversation
from pydbgserver.session.options import SessionOptions
from pydbgserver.session.session import Session
from pydbgserver.target.capabilities import MemoryAllocation
from pydbgserver.target.events import BreakpointHit, SignalStop, StepDone
from pydbgserver.testing.client import frame
from tests.live.debuggee import DEADLINE_US, Debuggee, Debuggees

GDB = b"qSupported:swbreak+;hwbreak+;vContSupported+;xmlRegisters=i386"
LLDB = b"QThreadSuffixSupported"


class Driver:
    """A session behind a conversation, as the server loop has them."""

    def __init__(self, target: Debuggee, client: bytes, budget_us: int) -> None:
        self.target = target
        self.session = Session(target.backend, SessionOptions(resume_budget_us=budget_us))
        ours, self._client = socket.socketpair()
        self._client.settimeout(5)
        self._ours = ours
        self.conversation = Conversation(Wire(ours.fileno()), rle=False, wait_us=1000, most=4)
        assert self.session.dispatch(client)
        assert self.session.dispatch(b"?")
        self.tid = self.session.selection.tid

    def close(self) -> None:
        self._ours.close()
        self._client.close()

    def ask(self, packet: bytes) -> bytes | None:
        """The reply by whoever makes it."""
        return self.by_c(packet)[0]

    def by_c(self, packet: bytes) -> tuple[bytes | None, bool]:
        """The reply, and whether C has made it."""
        session, conversation = self.session, self.conversation
        conversation.repeat(session.repeats.usable())
        self._client.sendall(frame(packet))
        left = conversation.turn(b"")
        session.repeats.account_for(conversation)
        received = self._client.recv(1 << 17).removeprefix(b"$#00")
        if left is not None:
            assert left == packet
            return session.dispatch(packet), False
        unfinished, conversation.unfinished = conversation.unfinished, None
        if unfinished is not None:
            assert not received
            return session.repeats.go_on(unfinished), False
        assert received
        return received[1:-3], True

    def is_repeated(self, packet: bytes) -> bool:
        """Have the packet handled until C does it; False if it never does."""
        return any(self.by_c(packet)[1] for _ in range(3))

    @property
    def step(self) -> bytes:
        return b"vCont;s:%x" % self.tid


@pytest.fixture(params=[GDB])
def driver(request: pytest.FixtureRequest, debuggees: Debuggees) -> Iterator[Driver]:
    with closing(Driver(debuggees.launch("loop", "1000000000"), request.param, DEADLINE_US)) as made:
        yield made


def test_the_third_step_is_made_by_c(driver: Driver) -> None:
    assert [driver.by_c(driver.step)[1] for _ in range(5)] == [False, False, True, True, True]


def test_a_step_by_c_is_one_instruction_and_the_session_knows_its_stop(driver: Driver) -> None:
    assert driver.is_repeated(driver.step)
    target, session = driver.target, driver.session
    for _ in range(20):
        packets, before = session.packets, target.pc(driver.tid)
        reply, by_c = driver.by_c(driver.step)
        assert by_c
        assert target.pc(driver.tid) != before
        assert session.packets == packets + 1
        assert session.stops.last == StepDone(target.pid, driver.tid)
        assert reply == session.dispatch(b"?")


def test_a_breakpoint_that_is_taken_out_and_put_back(driver: Driver) -> None:
    target, session = driver.target, driver.session
    place = target.address("tick")
    code = driver.ask(b"m%x,4" % place)
    insert, remove = b"Z0,%x,1" % place, b"z0,%x,1" % place
    driver.ask(insert)
    for _ in range(2):
        assert b"swbreak" in (driver.ask(b"vCont;c") or b"")
        for packet in (remove, driver.step, insert):
            driver.ask(packet)
    for _ in range(5):
        reply, by_c = driver.by_c(b"vCont;c")
        assert by_c
        assert reply == session.dispatch(b"?")
        assert session.stops.last == BreakpointHit(target.pid, driver.tid, place)
        assert target.pc(driver.tid) == place
        assert driver.by_c(remove) == (b"OK", True)
        assert (target.pid, place) not in session.inserted.breakpoints
        assert target.process.read_memory(place, 4).hex().encode() == code
        assert driver.by_c(driver.step)[1]
        assert driver.by_c(insert) == (b"OK", True)
        assert (target.pid, place) in session.inserted.breakpoints
        with open(f"/proc/{target.pid}/mem", "rb") as memory:
            assert os.pread(memory.fileno(), 1, place) == b"\xcc"


def test_a_breakpoint_whose_memory_is_gone_is_told_of_once(driver: Driver) -> None:
    assert driver.is_repeated(driver.step)
    process = driver.target.process
    allocation = process.capability(MemoryAllocation)
    assert allocation is not None
    place = allocation.allocate(4096, "rx")
    insert, remove = b"Z0,%x,1" % place, b"z0,%x,1" % place
    for _ in range(2):
        assert [driver.ask(insert), driver.ask(remove)] == [b"OK", b"OK"]
    assert [driver.by_c(insert), driver.by_c(remove)] == [(b"OK", True), (b"OK", True)]
    assert driver.ask(insert) == b"OK"
    allocation.free(place)
    assert driver.by_c(remove) == (b"E0e", True)
    assert (process.pid, place) not in driver.session.inserted.breakpoints
    assert driver.by_c(remove) == (b"OK", True)


def test_a_breakpoint_ends_a_step_by_c(driver: Driver) -> None:
    """The next instruction is a breakpoint's: it is reported as one when it is met, and stepped over then."""
    assert driver.is_repeated(driver.step)
    place = driver.target.address("tick")
    driver.ask(b"Z0,%x,1" % place)
    while driver.target.pc(driver.tid) != place:
        reply = driver.ask(b"vCont;c")
        assert reply is not None and reply.startswith(b"T05swbreak:;")
    reply, by_c = driver.by_c(driver.step)
    assert by_c
    assert reply is not None and reply.startswith(b"T05") and b"swbreak" not in reply
    assert driver.target.pc(driver.tid) != place


def test_a_signal_instead_of_the_step_is_the_sessions(driver: Driver) -> None:
    assert driver.is_repeated(driver.step)
    os.kill(driver.target.pid, signal.SIGUSR1)
    reply, by_c = driver.by_c(driver.step)
    assert not by_c
    assert reply is not None and reply.startswith(b"T1e")
    assert driver.session.stops.last == SignalStop(driver.target.pid, driver.tid, signal.SIGUSR1)


def test_the_end_of_the_process_is_the_sessions(driver: Driver) -> None:
    assert driver.is_repeated(driver.step)
    os.kill(driver.target.pid, signal.SIGKILL)
    assert driver.by_c(driver.step) == (b"X09", False)
    assert not driver.session.backend.processes
    assert driver.by_c(driver.step)[1] is False


def test_nothing_is_repeated_while_something_is_pending(driver: Driver) -> None:
    assert driver.is_repeated(driver.step)
    driver.ask(b"QPassSignals:e")
    assert [driver.by_c(driver.step)[1] for _ in range(2)] == [False, True]
    driver.ask(b"qC")
    driver.session.run_control.interrupt()
    reply, by_c = driver.by_c(driver.step)
    assert not by_c
    assert reply is not None and reply.startswith(b"T02")
    assert driver.by_c(driver.step)[1]


def test_a_breakpoint_with_a_condition_is_left_to_the_session(driver: Driver) -> None:
    place = driver.target.address("tick")
    insert, never = b"Z0,%x,1" % place, b";X3,220027"
    assert driver.ask(driver.step)  # The resume that tells the target of the client's options.
    assert driver.is_repeated(insert)
    assert driver.ask(insert + never) == b"OK"
    assert driver.by_c(insert) == (b"OK", False)
    assert (driver.ask(b"vCont;c") or b"").startswith(b"T05swbreak:;")


def test_what_cannot_be_written_is_an_error_again(driver: Driver) -> None:
    assert not driver.is_repeated(b"Z0,10,1")
    assert (driver.ask(b"Z0,10,1") or b"").startswith(b"E")


def test_more_breakpoints_than_c_knows(driver: Driver) -> None:
    first = driver.target.address("tick")
    for _ in range(3):
        for offset in range(40):
            assert driver.ask(b"Z0,%x,1" % (first + offset)) == b"OK"
        for offset in range(40):
            assert driver.ask(b"z0,%x,1" % (first + offset)) == b"OK"
    assert not driver.session.inserted.breakpoints
    assert driver.is_repeated(driver.step)


@pytest.mark.parametrize("driver", [LLDB], indirect=True)
def test_a_client_whose_stop_replies_say_more_gets_them_from_the_session(driver: Driver) -> None:
    assert not driver.is_repeated(driver.step)


def test_a_program_whose_output_goes_to_the_client_is_left_to_the_session(debuggees: Debuggees) -> None:
    with closing(Driver(debuggees.launch("loop", "1", pty=True, stdout=None), GDB, DEADLINE_US)) as driver:
        assert not driver.is_repeated(driver.step)


def test_a_run_that_takes_longer_goes_on_as_any_other(debuggees: Debuggees) -> None:
    with closing(Driver(debuggees.launch("loop", "1000000000"), GDB, 0)) as driver:
        session = driver.session
        for _ in range(3):
            assert driver.by_c(b"vCont;c") == (None, False)
            assert session.running
            session.run_control.interrupt()
            assert session.run_control.on_stop(driver.target.wait())
        assert not session.running


def test_another_program_is_another_matter(debuggees: Debuggees, tmp_path: Path) -> None:
    """What was known of the old one is forgotten: its breakpoints are gone, its registers may be others."""
    silent = tmp_path / "silent"
    silent.touch()
    target = debuggees.launch("exec", str(debuggees.programs("loop")), "1", stdin=str(silent))
    with closing(Driver(target, GDB.replace(b";", b";exec-events+;", 1), DEADLINE_US)) as driver:
        assert driver.is_repeated(driver.step)
        reply = driver.ask(b"vCont;c")
        assert reply is not None and reply.startswith(b"T05exec:")
        assert not driver.session.repeats.known
        assert driver.ask(driver.step) is not None
