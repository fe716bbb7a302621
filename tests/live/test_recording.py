"""Sessions of a real process while they are recorded: what a line tells of is in the file before it is answered."""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pydbgserver.rsp.bodies import FIRST_LINE
from pydbgserver.rsp.transcript import LONGEST_LINE
from pydbgserver.testing.client import Client, connect
from pydbgserver.transcripts.files import load
from pydbgserver.transcripts.growing import STEP
from pydbgserver.transcripts.recorder import BODIES_SUFFIX
from tests.e2e import servers
from tests.programs import Programs

OURS = [sys.executable, "-m", "pydbgserver"]
FEATURES = b"qSupported:multiprocess+;swbreak+;hwbreak+;vContSupported+;xmlRegisters=i386"


@dataclass
class Recorded:
    """A session and its file. `heard` is what was said since the file was looked at last."""

    server: servers.Server
    client: Client
    path: Path
    seen: int = 0

    def ask(self, *packets: bytes) -> list[tuple[str, bytes]]:
        """The packets, each with its reply, as lines should be."""
        asked = [(packet, self.client.request(packet)) for packet in packets]
        return [line for packet, reply in asked for line in (("<-", packet), ("->", reply))]

    def lines(self) -> list[tuple[str, bytes]]:
        """What has come to the file since this was asked last."""
        lines = load(str(self.path)).lines
        new, self.seen = lines[self.seen :], len(lines)
        return [(line.mark.value, line.body) for line in new]

    def read_entry(self) -> int:
        """An address that can be read: AT_ENTRY (9) of the auxiliary vector."""
        auxv = self.client.request(b"qXfer:auxv:read::0,1000")[1:]
        words = [int.from_bytes(auxv[start : start + 8], "little") for start in range(0, len(auxv), 8)]
        return dict(zip(words[::2], words[1::2], strict=False))[9]


@pytest.fixture
def recorded(program: Programs, tmp_path: Path) -> Iterator[Recorded]:
    path = tmp_path / "session.rsp"
    server = servers.start_server("gdb", [program("spinner")], options=["--record", str(path)], command=OURS)
    try:
        with connect("127.0.0.1", server.port) as client:
            yield Recorded(server, client, path)
    finally:
        server.close()


def reads(entry: int) -> list[bytes]:
    """What C answers by itself, what it leaves to the session, and what is too long for a line."""
    small = [b"m%x,%x" % (entry + offset, size) for offset, size in ((0, 1), (3, 8), (0, 0x400), (5, 0x3FF))]
    others = [b"p0", b"m0,8", b"vMustReplyEmpty", b"qXfer:features:read:target.xml:0,fff"]
    return [b"qC", b"g", *small, *others, b"m%x,%x" % (entry, LONGEST_LINE // 2 + 1), b"g", b"qC"]


def test_every_exchange_is_in_the_file_and_stays_there_when_the_server_is_killed(recorded: Recorded) -> None:
    recorded.client.request(FEATURES)
    entry = recorded.read_entry()
    recorded.lines()
    expected: list[tuple[str, bytes]] = []
    while recorded.path.stat().st_size <= 2 * STEP:
        said = recorded.ask(*reads(entry))
        assert recorded.lines() == said
        expected += said
    assert {len(body) for _, body in expected} >= {2, 16, 2048, 2 * (LONGEST_LINE // 2 + 1)}
    before = len(load(str(recorded.path)).lines)
    recorded.server.process.send_signal(signal.SIGKILL)
    recorded.server.process.wait(servers.WAIT)
    lines = load(str(recorded.path)).lines
    assert len(lines) == before
    assert [(line.mark.value, line.body) for line in lines[-len(expected) :]] == expected
    first, name, kept = Path(f"{recorded.path}{BODIES_SUFFIX}").read_bytes().split(b"\n", 2)
    size = LONGEST_LINE // 2 + 1
    assert (first, int(name.split()[1])) == (FIRST_LINE, size), "the bytes that its digits stand for"
    assert kept[size : size + 2] == b"\n\0", "each long body once"


def test_interrupts_stand_where_they_were_sent(recorded: Recorded) -> None:
    client = recorded.client
    client.request(FEATURES)
    recorded.lines()
    for _ in range(10):
        said = recorded.ask(b"qC", b"m0,1", b"g")
        client.send(b"vCont;c")
        stop = client.stop()
        assert stop.startswith(b"T02")
        said += [("<-", b"vCont;c"), ("<!", b""), ("->", stop), *recorded.ask(b"g", b"qC")]
        assert recorded.lines() == said


def test_notifications_are_among_the_lines(recorded: Recorded) -> None:
    client = recorded.client
    client.request(FEATURES)
    recorded.lines()
    said = recorded.ask(b"QNonStop:1", b"?", b"vStopped", b"qC", b"vCont;c", b"qC", b"vCont;t")
    while not client.notifications:
        said += recorded.ask(b"qC")
    said += recorded.ask(b"vStopped", b"g")
    lines = recorded.lines()
    assert [line for line in lines if line[0] != "~>"] == said
    told = next(index for index, line in enumerate(lines) if line[0] == "~>")
    assert [("~>", body) for body in client.notifications] == [lines[told]]
    assert lines.index(("<-", b"vCont;t")) < told < lines.index(("<-", b"vStopped"), told - 1)


def cut_off(recorded: Recorded) -> None:
    os.truncate(recorded.path, 0)


def remove(recorded: Recorded) -> None:
    recorded.path.unlink()


def leave_no_room(recorded: Recorded) -> None:
    """The kernel refuses whatever makes the file longer."""
    size = recorded.path.stat().st_size
    resource.prlimit(recorded.server.process.pid, resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize(
    ("happen", "told"),
    [
        (cut_off, "the recording ends here: somebody else has cut the file off"),
        (remove, "what was recorded is not all there: somebody else has removed the file"),
        (leave_no_room, "the recording ends here: File too large"),
    ],
)
def test_whatever_happens_to_the_file_the_session_goes_on(
    recorded: Recorded, happen: Callable[[Recorded], None], told: str
) -> None:
    client = recorded.client
    client.request(FEATURES)
    entry = recorded.read_entry()
    content = client.request(b"m%x,400" % entry)
    said = recorded.ask(*reads(entry))
    happen(recorded)
    for _ in range(2 * STEP // len(content)):
        assert client.request(b"m%x,400" % entry) == content
    assert client.request(b"vCont;s").startswith(b"T05")
    assert recorded.ask(*reads(entry))[0::2] == said[0::2]
    if happen is leave_no_room:
        lines = load(str(recorded.path)).lines
        expected = [*said, ("<-", b"m%x,400" % entry), ("->", content)]
        found = [(line.mark.value, line.body) for line in lines]
        assert any(found[start : start + len(expected)] == expected for start in range(len(found)))
    client.send(b"k")
    recorded.server.process.wait(servers.WAIT)
    while recorded.server.read_available():
        pass
    assert f"[problem] {recorded.path}: {told}\n" in recorded.server.output
    assert recorded.server.output.count("[problem]") == 1


def test_the_header_has_the_process_that_came_later(program: Programs, tmp_path: Path) -> None:
    path, words = tmp_path / "session.rsp", [str(program("spinner")), "two words", "three"]
    server = servers.start_server("gdb", [], options=["--multi", "--record", str(path)], command=OURS)
    try:
        with connect("127.0.0.1", server.port) as client:
            client.request(FEATURES)
            client.request(b"!")
            assert "program" not in load(str(path)).header
            run = b";".join([b"vRun", *(word.encode().hex().encode() for word in words)])
            assert client.request(run).startswith(b"T05")
            assert client.request(b"qC").startswith(b"QC")
            header = load(str(path)).header
            assert (header["program"], header["arguments"]) == (words[0], "'two words' three")
            assert header["arch"] in ("i386:x86-64", "i386")
            assert (header["endian"], header["client"]) == ("little", "gdb")
            assert client.request(b"vKill;%x" % int(header["pid"])) == b"OK"
            assert client.request(run).startswith(b"T05")
            assert load(str(path)).header == header, "of the first process"
    finally:
        server.close()
