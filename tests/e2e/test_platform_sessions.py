"""The sessions of a platform server, seen from raw connections: whose they are, who may end them, how they begin."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pydbgserver.testing.client import Client, ProtocolError
from tests.e2e.servers import Server, start_platform
from tests.programs import Programs

FEATURES = "qSupported:xmlRegisters=i386,arm,mips,arc;multiprocess+"


class Place:
    """A platform server and the connections made to it."""

    def __init__(self, server: Server, stack: ExitStack) -> None:
        self.server = server
        self._stack = stack

    def connect(self) -> Client:
        made = socket.create_connection(("127.0.0.1", self.server.port), timeout=20)
        client = self._stack.enter_context(Client(made))
        assert client.request("QStartNoAckMode") == b"OK"
        client.acknowledging = False
        return client

    def platform(self) -> Client:
        """A connection as lldb's platform opens it."""
        client = self.connect()
        assert client.request("qHostInfo").startswith(b"triple:")
        return client

    def debugger(self) -> Client:
        """A connection as lldb's process plugin opens it."""
        client = self.connect()
        assert b"PacketSize" in client.request(FEATURES)
        return client


Start = Callable[..., Place]


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:

        def start(*options: str, program: tuple[str | Path, ...] = ()) -> Place:
            server = start_platform(*options, program=program)
            stack.callback(server.close)
            return Place(server, stack)

        yield start


def launched(client: Client) -> int:
    """The pid of a session that this client has asked for."""
    reply = dict(one.split(b":") for one in client.request("qLaunchGDBServer;host:x;").rstrip(b";").split(b";"))
    return int(reply[b"pid"])


def program_of(client: Client) -> bytes:
    """What qProcessInfo says of the debuggee, b"" if there is none."""
    reply = client.request("qProcessInfo")
    return b"" if reply.startswith(b"E") else reply


def test_a_client_cannot_end_the_session_of_another(start: Start) -> None:
    place = start()
    first, second = place.platform(), place.platform()
    pid = launched(first)
    assert second.request(f"qKillSpawnedProcess:{pid}").startswith(b"E0a")
    assert Path(f"/proc/{pid}").exists()
    assert first.request(f"qKillSpawnedProcess:{pid}") == b"OK"
    assert not Path(f"/proc/{pid}").exists()


def folder_of(client: Client) -> Path:
    return Path(bytes.fromhex(client.request("qGetWorkingDir").decode()).decode())


def test_each_client_gets_the_session_that_it_has_asked_for(start: Start, tmp_path: Path) -> None:
    place = start()
    pids, debuggers = [], []
    platforms = [place.platform(), place.platform()]
    for index, client in enumerate(platforms):
        (tmp_path / str(index)).mkdir()
        assert client.request(f"QSetWorkingDir:{bytes(tmp_path / str(index)).hex()}") == b"OK"
        pids.append(launched(client))
        debuggers.append(place.debugger())
    assert [folder_of(one) for one in debuggers] == [tmp_path / "0", tmp_path / "1"]
    assert platforms[0].request(f"qKillSpawnedProcess:{pids[0]}") == b"OK"
    with pytest.raises((ProtocolError, OSError)):
        debuggers[0].request("qGetWorkingDir")
    assert folder_of(debuggers[1]) == tmp_path / "1"


def test_a_client_that_never_connects_does_not_keep_others_waiting(start: Start, tmp_path: Path) -> None:
    place = start()
    first, second = place.platform(), place.platform()
    assert second.request(f"QSetWorkingDir:{bytes(tmp_path).hex()}") == b"OK"
    forgotten = launched(first)
    pid = launched(second)
    assert folder_of(place.debugger()) == tmp_path
    assert first.request(f"qKillSpawnedProcess:{pid}").startswith(b"E0a")
    assert first.request(f"qKillSpawnedProcess:{forgotten}")[:1] in b"EO"
    assert not Path(f"/proc/{forgotten}").exists()


def test_a_client_cannot_end_what_is_no_session(start: Start) -> None:
    place = start()
    client = place.platform()
    for pid in (place.server.process.pid, 1):
        assert client.request(f"qKillSpawnedProcess:{pid}").startswith(b"E0a")
    assert place.server.process.poll() is None


def test_sessions_do_not_see_each_others_files_and_settings(start: Start, tmp_path: Path) -> None:
    place = start()
    (tmp_path / "file").write_text("content")
    first, second = place.platform(), place.platform()
    number = first.request(f"vFile:open:{bytes(tmp_path / 'file').hex()},0,0")
    assert number == b"F3"
    assert second.request("vFile:pread:3,100,0") == b"F-1,9"
    assert first.request(f"QSetWorkingDir:{bytes(tmp_path).hex()}") == b"OK"
    assert second.request("qGetWorkingDir") != bytes(tmp_path).hex().encode()
    assert second.request("vFile:close:3") == b"F-1,9"
    assert first.request("vFile:pread:3,100,0") == b"F7;content"


def test_debug_sessions_do_not_see_each_others_programs(start: Start, program: Programs) -> None:
    place = start()
    first, second = place.debugger(), place.debugger()
    words = bytes(program("loop")).hex()
    assert first.request(f"vRun;{words}").startswith(b"T")
    assert program_of(first)
    assert not program_of(second)
    pid = int(program_of(first).split(b";")[0].removeprefix(b"pid:"), 16)
    assert second.request(f"vKill;{pid:x}").startswith(b"E")
    assert Path(f"/proc/{pid}").exists()


def test_a_program_of_the_command_line_waits_for_each_client(start: Start, program: Programs) -> None:
    place = start(program=(program("arguments"), "word"))
    pids = []
    for _ in range(2):
        client = place.platform()
        reply = client.request("qQueryGDBServer")
        assert json.loads(reply) == [{"port": place.server.port}]
        assert client.request("qQueryGDBServer") == reply
        debugger = place.debugger()
        assert debugger.request("?").startswith(b"T")
        pids.append(program_of(debugger).split(b";")[0])
        assert client.request("qQueryGDBServer").startswith(b"E04")
        assert debugger.request("k").startswith(b"X")
    assert len(set(pids)) == 2


def test_a_program_that_cannot_be_started_is_no_session(start: Start, tmp_path: Path) -> None:
    place = start(program=(tmp_path / "missing",))
    assert place.platform().request("qQueryGDBServer").startswith(b"E04")
    place.server.read_available(5)
    assert "missing" in place.server.output
    assert not program_of(place.debugger())


def test_without_a_program_no_session_waits(start: Start) -> None:
    assert start().platform().request("qQueryGDBServer").startswith(b"E04")


def test_the_options_of_ports_change_nothing(start: Start) -> None:
    place = start("--min-gdbserver-port", "20000", "-M20001", "--gdbserver-port=20002", "-P", "20003", "--verb")
    reply = place.platform().request("qLaunchGDBServer;host:x;")
    assert f"port:{place.server.port};".encode() in reply


def test_the_reported_port_is_shifted(start: Start) -> None:
    place = start("--port-offset", "2000")
    assert f"port:{place.server.port + 2000};".encode() in place.platform().request("qLaunchGDBServer;")
