"""Every recorded session of a real client: read, played by its own server, given to ours on the simulated process."""

from __future__ import annotations

from pathlib import Path

import pytest

import pydbgserver.handlers  # noqa: F401 - importing it registers the packets
from pydbgserver.rsp.transcript import Mark, Transcript
from pydbgserver.session.session import Session
from pydbgserver.testing.sim import SimBackend, SimProcess
from pydbgserver.transcripts.decode import line_in_words
from pydbgserver.transcripts.files import load
from pydbgserver.transcripts.html import page
from pydbgserver.transcripts.play_server import RecordedServer
from pydbgserver.transcripts.specs import packet_name
from pydbgserver.transcripts.state import RESUMES, exchanges
from tests.specs import specs

CORPUS = Path(__file__).with_name("corpus")
FILES = sorted(CORPUS.glob("*.rsp"))
SERVERS = ("pydbgserver", "gdbserver", "lldb-server")

SENT = {packet.name: packet for packet in specs.packets()}

# Packets that end a session or start programs, and those whose reply waits for the target.
NOT_SIMULATED = RESUMES | {"vFile:open", "QSetWorkingDir", "I", "vCtrlC", "qLaunchGDBServer", "qKillSpawnedProcess"}


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def transcript(request: pytest.FixtureRequest) -> Transcript:
    path: Path = request.param
    return load(str(path))


def test_there_are_enough() -> None:
    assert len(FILES) >= 40
    for client in ("gdb", "lldb"):
        for server in SERVERS[:2] if client == "gdb" else (SERVERS[0], SERVERS[2]):
            assert len([path for path in FILES if path.stem.startswith(f"{client}-{server}-")]) >= 10


def test_every_packet_has_words(transcript: Transcript) -> None:
    request = None
    for line in transcript.lines:
        request = line.body if line.mark is Mark.TO_SERVER else request
        assert line_in_words(line.mark, line.body, request) or not line.body
    assert transcript.header["program"].rpartition("/")[2] in page(transcript)


def test_a_recorded_server_gives_every_recorded_reply(transcript: Transcript) -> None:
    server = RecordedServer(transcript)
    for exchange in exchanges(transcript):
        said = [body for mark, body in server.ask(exchange.request.body) if mark is Mark.TO_CLIENT]
        for line in exchange.answers:
            if line.mark is Mark.INTERRUPT:
                said += [body for _, body in server.interrupt()]
        expected = [line.body for line in exchange.answers if line.mark is Mark.TO_CLIENT]
        where = f"{transcript.file}:{exchange.request.number}"
        # Memory that was written to and read again at one stop is what it is last.
        assert [body for body in said if body[:1] != b"O" or body == b"OK"][-1:] == expected[-1:], where
    assert not server.strays


def test_the_specifications_know_who_sends_what(transcript: Transcript) -> None:
    client, version = transcript.header["client"].split()
    for line in transcript.lines:
        entry = SENT.get(packet_name(line.body)) if line.mark is Mark.TO_SERVER else None
        if entry is not None and client in entry.since:
            assert int(entry.since[client]) <= int(version.partition(".")[0]), f"since of {entry.name}: {line.body!r}"


def test_our_session_answers_everything_once(transcript: Transcript, capfd: pytest.CaptureFixture[str]) -> None:
    session = Session(SimBackend(SimProcess(100)))
    for exchange in exchanges(transcript):
        if packet_name(exchange.request.body) in NOT_SIMULATED:
            continue
        reply = session.dispatch(exchange.request.body)
        where = f"{transcript.file}:{exchange.request.number}"
        assert reply is not None, where
        if "pydbgserver" in transcript.header["server"] and exchange.reply:
            assert reply, f"{where}: {exchange.request.body!r} is not supported any more"
    assert "problem" not in capfd.readouterr().err
