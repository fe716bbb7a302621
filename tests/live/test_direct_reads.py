"""Reads that C answers by itself say what the session would have said."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

import pydbgserver.handlers  # noqa: F401
from pydbgserver.rsp.codec import Wire
from pydbgserver.rsp.conversation import Conversation
from pydbgserver.session.direct_reads import direct_reads
from pydbgserver.session.session import Session
from pydbgserver.target.registers import write_register
from pydbgserver.testing.client import frame
from tests.live.debuggee import STEP, Debuggee, Debuggees
from tests.programs import Programs

CLIENTS = {
    "gdb": b"qSupported:multiprocess+;swbreak+;hwbreak+;vContSupported+;xmlRegisters=i386",
    "gdb18": b"qSupported:multiprocess+;swbreak+;hwbreak+;vContSupported+;binary-upload+;xmlRegisters=i386",
    "lldb": b"QThreadSuffixSupported",
}


@dataclass
class Reader:
    session: Session
    conversation: Conversation
    client: socket.socket

    def directly(self, packet: bytes) -> bytes | None:
        """The body of C's reply, None if it leaves the packet to the session."""
        self.conversation.read_directly(direct_reads(self.session))
        self.client.sendall(frame(packet))
        left = self.conversation.turn(b"")
        if left is not None:
            assert left == packet
            assert self.conversation.take_answered() == 0
            assert self.client.recv(1 << 17) == b"$#00"
            return None
        assert self.conversation.take_answered() == 1
        received = self.client.recv(1 << 17)
        return received[5:-3]


@pytest.fixture(params=CLIENTS)
def reader(request: pytest.FixtureRequest, debuggees: Debuggees, tmp_path: Path) -> Iterator[tuple[Reader, Debuggee]]:
    silent = tmp_path / "silent"  # without an end: the program that runs on waits in its read
    os.mkfifo(silent)
    held = os.open(silent, os.O_RDWR)
    target = debuggees.launch("memory", stdin=str(silent))
    target.plant("mapped")
    target.run()
    session = Session(target.backend)
    assert session.dispatch(CLIENTS[request.param])
    session.dispatch(b"?")
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        theirs.settimeout(5)
        yield Reader(session, Conversation(Wire(ours.fileno()), rle=False, wait_us=1000, most=4), theirs), target
    os.close(held)


def test_each_read_is_answered_as_by_the_session(reader: tuple[Reader, Debuggee]) -> None:
    read, target = reader
    pages, code = target.long_at("pages"), target.address("mapped")
    hole = pages + 4 * 4096
    for packet in (
        b"qC",
        b"g",
        b"m%x,8" % pages,
        b"m%x,1000" % (pages + 7),
        b"m%x,10" % code,  # a trap is planted there
        b"m%x,40" % (hole - 3),
        b"x%x,20" % pages,
    ):
        assert read.directly(packet) == read.session.dispatch(packet), packet


def test_what_needs_words_is_left_to_the_session(reader: tuple[Reader, Debuggee]) -> None:
    read, target = reader
    hole = target.long_at("pages") + 4 * 4096
    for packet in (b"m%x,1" % hole, b"m0,0", b"mzz,1", b"g;thread:1;", b"p0", b"?"):
        assert read.directly(packet) is None, packet


def test_changed_registers_are_seen(reader: tuple[Reader, Debuggee]) -> None:
    read, target = reader
    tid = read.session.selection.tid
    number = target.process.arch.by_name["xmm3"].number
    write_register(target.process, tid, number, bytes(range(16)))
    assert read.directly(b"g") == read.session.dispatch(b"g")
    target.run(STEP)
    assert read.directly(b"g") == read.session.dispatch(b"g")


def test_another_thread_cannot_be_read_while_it_runs(reader: tuple[Reader, Debuggee]) -> None:
    read, target = reader
    target.start()
    assert read.directly(b"g") is None
    target.interrupt()
    assert read.directly(b"g") == read.session.dispatch(b"g")


def test_a_program_for_another_cpu_is_read_in_another_form(debuggees: Debuggees, narrow_programs: Programs) -> None:
    target = debuggees.launch("exec", str(narrow_programs("loop-32")), "1", stdin="/dev/null")
    session = Session(target.backend)
    session.dispatch(b"?")
    before, registers = session.reading, session.dispatch(b"g")
    target.run()
    assert registers is not None and target.process.arch.block_size * 2 < len(registers)
    assert session.reading != before
