"""Real lldb's `platform` commands on our platform server: files, commands, processes, debugging, all on one port."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.clients import LLDB
from tests.e2e.conftest import Debug
from tests.e2e.servers import Server
from tests.e2e.session import DETACH, KILL, Session, Step


def connect(debug: Debug, server: Server, remote: Path, name: str | None = None) -> Session:
    """An lldb on the platform, its working directory being `remote`."""
    session = debug.client(LLDB, None)
    session.server = server
    session.run(
        Step(None, "platform select remote-linux", r"Connected: no"),
        Step(None, f"platform connect connect://127.0.0.1:{server.port}", (r"Hostname: \S+", r"Connected: yes")),
        Step(None, f"platform settings -w {remote}"),
        Step(None, "platform status", rf"WorkingDir: {remote}"),
    )
    if name is not None:
        session.run(Step(None, f"file {debug.program(name)}", r"Current executable"))
    return session


def command(line: str, *sees: str) -> Step:
    return Step(None, line, sees)


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    path = tmp_path / "remote"
    path.mkdir()
    return path


def test_files_commands_and_processes(debug: Debug, server: Server, remote: Path, tmp_path: Path) -> None:
    sleeper = debug.spawn("ungrouped")
    sent, copied, fetched = tmp_path / "sent", remote / "copied", tmp_path / "fetched"
    sent.write_bytes(bytes(range(256)) * 300)
    session = connect(debug, server, remote)
    session.run(
        command(f"platform put-file {sent} {copied}"),
        command(f"platform get-size {copied}", r"76800"),
        command(f"platform file-exists {copied}", r"exists"),
        command(f"platform get-file {copied} {fetched}", r"successfully get-file"),
        command(f"platform mkdir {remote / 'made'}"),
        command("platform shell ls", r"copied\s+made"),
        command("platform shell echo words; exit 3", r"words", r"status 3"),
        command(f"platform process list -p {sleeper.pid}", rf"{sleeper.pid} .*ungrouped"),
    )
    assert copied.read_bytes() == sent.read_bytes()
    assert fetched.read_bytes() == sent.read_bytes()
    assert (remote / "made").is_dir()


def test_programs_are_sent_and_debugged_one_after_the_other(debug: Debug, server: Server, remote: Path) -> None:
    session = connect(debug, server, remote, "arguments")
    for word in ("one", "two"):
        session.run(
            command("breakpoint set -n main", r"Breakpoint \d"),
            command(f"process launch -- {word}", r"stop reason = breakpoint"),
            command("expression argc", r"= 2$"),
            command("process status", r"stop reason = breakpoint"),
            command("continue", r"exited with status = 0 "),
        )
        session.wait_for_output(rf"argument 1 \[{word}\]")
        session.wait_for_output(rf"directory \[{remote}\]")
    assert (remote / "arguments").exists()


def test_attach_and_detach(debug: Debug, server: Server, remote: Path) -> None:
    target = debug.spawn("ungrouped")
    session = connect(debug, server, remote, "ungrouped")
    session.run(
        command(f"process attach -p {target.pid}", rf"Process {target.pid} stopped"),
        command("bt", r"frame #0"),
        DETACH,
    )
    assert target.poll() is None


def test_two_clients_at_once(debug: Debug, server: Server, tmp_path: Path) -> None:
    sessions = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        sessions.append(connect(debug, server, tmp_path / name, "values"))
    for session in sessions:
        session.run(command("breakpoint set -n main", r"Breakpoint 1"), command("run", r"stop reason = breakpoint"))
    first, second = sessions
    first.run(command("next", r"stop reason = step over"), *KILL)
    second.run(command("next", r"stop reason = step over"), command("platform shell pwd", str(tmp_path / "second")))
    second.run(*KILL)


def test_the_end_of_the_server_lets_an_attached_program_run(debug: Debug, server: Server, remote: Path) -> None:
    target = debug.spawn("ungrouped")
    session = connect(debug, server, remote, "ungrouped")
    session.run(command(f"process attach -p {target.pid}", rf"Process {target.pid} stopped"))
    server.process.terminate()
    assert server.process.wait(20) == 0
    state = Path(f"/proc/{target.pid}/status").read_text()
    assert "TracerPid:\t0\n" in state and "T (" not in state
