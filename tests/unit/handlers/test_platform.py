"""Platform mode's packets, with a made-up server of sessions."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pydbgserver.errors import DebugError
from pydbgserver.session.options import SessionOptions
from tests.sim.conversation import Conversation


class Host:
    """The server of the other sessions."""

    port = 1234
    socket_path = ""

    def __init__(self) -> None:
        self.sessions = [4711]
        self.full = False
        self.has_program = False

    def launch(self) -> int:
        if self.full:
            raise DebugError("no session can be started now")
        return self.sessions[0]

    def waiting(self) -> bool:
        if self.full:
            raise DebugError("the program cannot be started")
        return self.has_program

    def kill(self, pid: int) -> bool:
        return pid in self.sessions


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def platform(host: Host | None = None) -> Conversation:
    return Conversation(options=SessionOptions(platform=host or Host()), before=["QStartNoAckMode", "qHostInfo"])


def text(words: str | Path) -> str:
    return str(words).encode().hex()


def test_a_session_with_the_servers_program() -> None:
    host = Host()
    assert platform(host).ask("qQueryGDBServer") == "E04"
    host.has_program = True
    assert platform(host).ask("qQueryGDBServer") == '[{"port":1234}]'
    host.port, host.socket_path = 0, "/run/x"
    assert platform(host).ask("qQueryGDBServer") == '[{"port":0,"socket_name":"/run/x"}]'
    host.full = True
    assert platform(host).ask("qQueryGDBServer") == "E04"


@pytest.mark.parametrize(
    "packet", ["qLaunchGDBServer;host:localhost;port:0;", "qLaunchGDBServer:host:x;", "qLaunchGDBServer"]
)
def test_a_session_is_made_on_the_same_port(packet: str) -> None:
    assert platform().ask(packet) == "pid:4711;port:1234;"


def test_a_session_on_a_local_socket() -> None:
    host = Host()
    host.port, host.socket_path = 0, "/run/x"
    assert platform(host).ask("qLaunchGDBServer;") == f"pid:4711;port:0;socket_name:{text('/run/x')};"


def test_a_session_that_cannot_be_made_is_error_9() -> None:
    host = Host()
    host.full = True
    assert platform(host).ask("qLaunchGDBServer;") == "E09"


def test_only_own_sessions_are_ended() -> None:
    talk = platform()
    assert talk.ask("qKillSpawnedProcess:4711") == "OK"
    assert talk.ask("qKillSpawnedProcess:4712") == "E0a"
    assert talk.ask("qQueryGDBServer") == "E04"


def test_a_plain_debug_server_makes_no_sessions() -> None:
    talk = Conversation(before=["qHostInfo"])
    assert talk.ask("qLaunchGDBServer;") == ""
    assert talk.ask("qKillSpawnedProcess:1") == ""


def test_signals_are_left_to_the_client() -> None:
    assert platform().ask("jSignalsInfo") == ""
    assert Conversation(before=["qHostInfo"]).ask("jSignalsInfo").startswith("[{")


def test_the_session_moves_to_the_working_directory(directory: Path) -> None:
    (directory / "below").mkdir()
    talk = platform()
    assert talk.ask(f"QSetWorkingDir:{text(directory / 'below')}") == "OK"
    assert Path.cwd() == directory / "below"
    assert bytes.fromhex(talk.ask("qGetWorkingDir")).decode() == str(directory / "below")
    assert talk.ask(f"QSetWorkingDir:{text(directory / 'nowhere')}") == "E02"
    assert bytes.fromhex(talk.ask("qGetWorkingDir")).decode() == str(directory / "below")


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("echo out; echo err >&2", "F,0,0,out\nerr\n"),
        ("exit 3", "F,3,0,"),
        ("kill -9 $$", "F,0,9,"),
        ("printf '}#$'", "F,0,0,}#$"),
    ],
)
def test_shell(command: str, reply: str) -> None:
    assert platform().ask(f"qPlatform_shell:{text(command)},a") == reply
    assert platform().ask(f"qPlatform_shell:{text(command)},ffffffff") == reply


@pytest.mark.parametrize("seconds", ["20c49c", "7fffffff", "1000000000", "f" * 16])
def test_shell_with_all_the_time_there_is(seconds: str) -> None:
    assert platform().ask(f"qPlatform_shell:{text('exit 3')},{seconds}") == "F,3,0,"


def test_shell_in_a_directory(tmp_path: Path) -> None:
    assert platform().ask(f"qPlatform_shell:{text('pwd')},a,{text(tmp_path)}") == f"F,0,0,{tmp_path}\n"
    assert platform().ask(f"qPlatform_shell:{text('pwd')},a,{text(tmp_path / 'x')}") == "F,ffffffff"


def test_a_command_that_takes_too_long_is_killed_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    talk = platform()
    command = f"sleep 60 & echo $! > {pids}; wait"
    assert talk.ask(f"qPlatform_shell:{text(command)},1") == "F,ffffffff"
    state = Path(f"/proc/{int(pids.read_text())}/stat")

    def gone() -> bool:
        try:
            return state.read_text().rpartition(")")[2].split()[0] in "ZX"
        except (FileNotFoundError, ProcessLookupError):
            return True

    deadline = time.monotonic() + 20  # SIGKILL is sent by then, but not always carried out
    while not gone() and time.monotonic() < deadline:
        os.sched_yield()
    assert gone()


def test_directories_and_permissions(tmp_path: Path) -> None:
    talk = platform()
    made = tmp_path / "made"
    assert talk.ask(f"qPlatform_mkdir:000001c0,{text(made)}") == "F0"
    assert made.is_dir() and made.stat().st_mode & 0o777 == 0o700
    assert talk.ask(f"qPlatform_mkdir:000001c0,{text(made)}") == "F0"
    assert talk.ask(f"qPlatform_chmod:000001ed,{text(made)}") == "F0"
    assert made.stat().st_mode & 0o777 == 0o755
    assert talk.ask(f"qPlatform_chmod:000001ed,{text(tmp_path / 'none')}") == "F2"
    file = tmp_path / "file"
    file.touch()
    assert talk.ask(f"qPlatform_mkdir:1ed,{text(file / 'below')}") == "F14"
    assert talk.ask(f"qPlatform_mkdir:1ed,{text(tmp_path / 'none' / 'below')}") == "F2"
    assert not (tmp_path / "none").exists()


def test_a_directory_of_mode_0_can_be_used(tmp_path: Path) -> None:
    made = tmp_path / "made"
    assert platform().ask(f"qPlatform_mkdir:0,{text(made)}") == "F0"
    assert made.stat().st_mode & 0o700 == 0o700


def test_paths_are_completed(directory: Path) -> None:
    for name in ("main.c", "main.o", ".hidden"):
        (directory / name).touch()
    (directory / "maintenance").mkdir()
    talk = platform()

    def complete(only_directories: int, path: str | Path) -> list[str]:
        reply = talk.ask(f"qPathComplete:{only_directories},{text(path)}")
        assert reply[0] == "M"
        return [bytes.fromhex(one).decode() for one in reply[1:].split(",") if one]

    assert complete(0, directory / "main") == [f"{directory}/{one}" for one in ("main.c", "main.o", "maintenance/")]
    assert complete(1, directory / "main") == [f"{directory}/maintenance/"]
    assert complete(0, "main.") == ["main.c", "main.o"]
    assert complete(0, f"{directory}/") == [f"{directory}/{one}" for one in ("main.c", "main.o", "maintenance/")]
    assert complete(0, f"{directory}/.h") == [f"{directory}/.hidden"]
    assert complete(0, "/nonexistent/x") == []
    assert os.getcwd() == str(directory)
