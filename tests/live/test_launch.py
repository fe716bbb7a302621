"""How a program is started, and how a start that fails is explained."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pydbgserver.backends.terminal import ServerTerminal
from pydbgserver.errors import LaunchError
from pydbgserver.target.api import LaunchSpec, RunOptions
from pydbgserver.target.capabilities import ExecFile, StandardStreams
from pydbgserver.target.events import Forked, ProcessExited
from tests.imports import imported
from tests.live.debuggee import Debuggees


def test_stops_at_the_first_instruction_and_sees_the_exit_code(debuggees: Debuggees) -> None:
    target = debuggees.launch("exit_code")
    assert target.process.threads() == [target.pid]
    assert target.output() == ""
    exec_file = target.process.capability(ExecFile)
    assert exec_file is not None and exec_file.exec_file() == str(debuggees.programs("exit_code"))
    assert target.run() == [ProcessExited(target.pid, exit_code=42)]
    assert target.pid not in debuggees.backend.processes


def report(debuggees: Debuggees, *arguments: str, **settings: object) -> list[str]:
    target = debuggees.launch("arguments", *arguments, **settings)
    assert target.run() == [ProcessExited(target.pid, exit_code=0)]
    return target.output().splitlines()


def test_arguments_directory_environment(debuggees: Debuggees, tmp_path: Path) -> None:
    lines = report(
        debuggees, "one", "two words", "*",
        working_directory=str(tmp_path), environment={"TEST_A": "1", "TEST_B": "x=y"},
    )  # fmt: skip
    assert lines[1:4] == ["argument 1 [one]", "argument 2 [two words]", "argument 3 [*]"]
    assert f"directory [{tmp_path}]" in lines
    assert {line for line in lines if line.startswith("variable")} == {"variable [TEST_A=1]", "variable [TEST_B=x=y]"}


def test_child_starts_clean(debuggees: Debuggees) -> None:
    lines = report(debuggees)
    assert [line for line in lines if line.startswith(("blocked", "ignored"))] == []
    assert [line for line in lines if line.startswith("descriptor")] == [f"descriptor {fd}" for fd in range(3)]
    assert "group 1" in lines


@pytest.mark.parametrize(("disable", "expected"), [(True, "randomized 0"), (False, "randomized 1")])
def test_address_randomization(debuggees: Debuggees, disable: bool, expected: str) -> None:
    assert expected in report(debuggees, disable_aslr=disable)


def test_through_the_shell(debuggees: Debuggees) -> None:
    environment = {"SHELL": "/bin/sh", "TEST_WORD": "expanded"}
    quoted = report(debuggees, "$TEST_WORD", through_shell=True, environment=environment)
    assert quoted[1] == "argument 1 [$TEST_WORD]"
    expanded = report(debuggees, "$TEST_WORD", through_shell=True, shell_words=True, environment=environment)
    assert expanded[1] == "argument 1 [expanded]"


def test_shell_text_without_a_shell(debuggees: Debuggees) -> None:
    said = report(debuggees, "one 'two words' * $HOME", shell_words=True)
    assert said[1:5] == ["argument 1 [one]", "argument 2 [two words]", "argument 3 [*]", "argument 4 [$HOME]"]
    with pytest.raises(LaunchError, match="quot"):
        debuggees.launch("arguments", "'", shell_words=True)


@pytest.mark.parametrize("shell", [False, True])
def test_through_a_wrapper(debuggees: Debuggees, shell: bool) -> None:
    lines = report(debuggees, "one", wrapper=["env", "TEST_WRAPPED=yes"], through_shell=shell)
    assert lines[1] == "argument 1 [one]"
    assert "variable [TEST_WRAPPED=yes]" in lines


def test_standard_input_from_a_file(debuggees: Debuggees, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("hello\nquit\n")
    target = debuggees.launch("echo", stdin=str(tmp_path / "in"), stderr="/dev/null")
    assert target.run() == [ProcessExited(target.pid, exit_code=0)]
    assert target.output() == "ready\necho: hello\necho: quit\nlines 2\n"


def test_own_terminal(debuggees: Debuggees) -> None:
    target = debuggees.launch("echo", stdout=None, pty=True)
    streams = target.process.capability(StandardStreams)
    assert streams is not None
    assert isinstance(streams, ServerTerminal)
    terminal = streams.terminal
    target.start()
    streams.write_stdin(b"hello\n")
    seen = b""
    while b"echo: hello" not in seen:
        seen += os.read(terminal, 1024)
    assert b"stderr word" in seen
    streams.write_stdin(b"quit\n")
    assert target.wait() == [ProcessExited(target.pid, exit_code=0)]


@pytest.mark.parametrize(
    ("settings", "message", "code"),
    [
        ({"program": "./not-there"}, "No such file or directory: ./not-there", errno.ENOENT),
        ({"program": "no-such-program-in-path"}, "No such file or directory: no-such-program-in-path", errno.ENOENT),
        ({"program": "/etc/passwd"}, "Permission denied: /etc/passwd is not executable", errno.EACCES),
        ({"program": "/tmp"}, "Is a directory: /tmp", errno.EISDIR),
        ({"working_directory": "/no"}, "cannot change to directory /no: No such file or directory", errno.ENOENT),
        ({"stdin": "/nowhere"}, "cannot open /nowhere as standard input: No such file or directory", errno.ENOENT),
        ({"wrapper": ["no-such-wrapper"]}, "No such file or directory: no-such-wrapper (the wrapper)", errno.ENOENT),
    ],
)  # fmt: skip
def test_failed_start_in_words(debuggees: Debuggees, settings: dict[str, str], message: str, code: int) -> None:
    spec = LaunchSpec("/bin/true")
    for name, value in settings.items():
        setattr(spec, name, value)
    with pytest.raises(LaunchError) as caught:
        debuggees.backend.launch(spec)
    assert str(caught.value) == message
    assert caught.value.code == code
    assert not debuggees.backend.processes


def test_not_a_program(debuggees: Debuggees, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("no interpreter line")
    script.chmod(0o755)
    with pytest.raises(LaunchError, match=f"cannot execute {script}: execve failed: Exec format error"):
        debuggees.backend.launch(LaunchSpec(str(script)))


def test_shell_that_runs_commands_first(debuggees: Debuggees, tmp_path: Path) -> None:
    """As one does whose start-up file has some: it waits for their end."""
    shell, beside = tmp_path / "shell", tmp_path / "beside"
    shell.write_text(f'#!/bin/sh\nfound=$(/bin/echo found)\n/bin/echo $found > {beside}\neval "$2"\n')
    shell.chmod(0o755)
    environment = {"SHELL": str(shell), "TEST_WORD": "yes"}
    assert "variable [TEST_WORD=yes]" in report(debuggees, through_shell=True, environment=environment)
    assert beside.read_text() == "found\n"


def test_forks_are_followed_behind_a_shell(debuggees: Debuggees) -> None:
    target = debuggees.launch("fork", through_shell=True)
    debuggees.backend.set_options(RunOptions(report_forks=True))
    assert any(isinstance(event, Forked) for event in target.run())


def test_shell_that_never_execs(debuggees: Debuggees, tmp_path: Path) -> None:
    script = tmp_path / "shell"
    script.write_text("#!/bin/sh\nexit 9\n")
    script.chmod(0o755)
    spec = LaunchSpec("/bin/true", environment={"SHELL": str(script)}, through_shell=True)
    with pytest.raises(LaunchError, match="ended with status 9 before it ran"):
        debuggees.backend.launch(spec)


FIRST_REPLY = """
from socket import socketpair
from pydbgserver.backends.linux import start
from pydbgserver.options import Options
from pydbgserver.server.listen import ReadyListener, socket_link
from pydbgserver.server.serve import Server
from pydbgserver.session.options import SessionOptions
from pydbgserver.target.launch_spec import LaunchSpec
ours, theirs = socketpair()
theirs.sendall(b"$?#3f")
backend = start.make_backend(start.launch(LaunchSpec(program="/bin/true")))
Server(Options(), SessionOptions(), backend, ReadyListener(socket_link(ours, None))).open()
backend.release(kill_launched=True)
assert theirs.recv(100).startswith(b"+$T05")
"""
LATER = ("trio", "ssl", "json", "hashlib", "pathlib", "platform", "subprocess", "pydbgserver.target.macho")


def test_what_the_first_reply_does_without_is_imported_later() -> None:
    assert imported(FIRST_REPLY, LATER) == ""
