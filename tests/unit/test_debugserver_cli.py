"""debugserver's command line, in the ways in which lldb and people write it."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from pydbgserver.cli import arguments
from pydbgserver.cli.start import _attach_to_next, _write_place, launch_spec
from pydbgserver.errors import UsageError
from pydbgserver.options import DESCRIPTOR, TCP, Answer, Options


def parse(*words: str) -> Options:
    options = arguments.parse(list(words))
    assert isinstance(options, Options)
    return options


@pytest.mark.parametrize("prefix", [(), ("debugserver",)])
def test_as_lldb_starts_it(prefix: Sequence[str]) -> None:
    options = parse(*prefix, "--fd=5", "--native-regs", "--setsid")
    assert (options.style, options.endpoint.kind, options.endpoint.descriptor) == ("lldb", DESCRIPTOR, 5)
    assert options.new_session and options.once and not options.program
    options = parse(*prefix, "--reverse-connect", "127.0.0.1:4711", "--native-regs", "--named-pipe", "/tmp/pipe")
    assert (options.endpoint.kind, options.endpoint.port, options.endpoint.connect) == (TCP, 4711, True)
    assert options.port_path == "/tmp/pipe"


def test_the_address_may_come_first() -> None:
    assert parse("127.0.0.1:0", "--native-regs", "--", "/bin/ls", "-l").program == ("/bin/ls", "-l")
    assert parse("127.0.0.1:0", "/bin/ls", "--native-regs").program == ("/bin/ls", "--native-regs")
    assert parse("127.0.0.1:0", "/bin/ls", "--native-regs").style == "gdb"


def test_programs_environments_and_streams() -> None:
    options = parse(
        "debugserver", "-e", "A=1", "--env=B=2=3", "-W", "/tmp", "--stdin-path=/in", "-O/out", "-D", "-A", "x86_64",
        "localhost:1234", "prog", "--version",
    )  # fmt: skip
    spec = launch_spec(options)
    assert (spec.program, list(spec.arguments)) == ("prog", ["--version"])
    assert spec.environment == {"A": "1", "B": "2=3"}
    assert (spec.working_directory, spec.stdin, spec.stdout, spec.stderr) == ("/tmp", "/in", "/out", None)
    assert spec.disable_aslr and spec.pty and spec.architecture == "x86_64" and not spec.through_shell


def test_the_servers_environment_is_forwarded_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THE_SERVER", "yes")
    spec = launch_spec(parse("debugserver", "-F", "-e", "A=1", ":0", "prog"))
    assert spec.environment is not None
    assert (spec.environment["A"], spec.environment["OF_THE_SERVER"]) == ("1", "yes")
    assert launch_spec(parse("debugserver", ":0", "prog")).environment is None


def test_one_path_or_none_for_all_streams() -> None:
    spec = launch_spec(parse("debugserver", "--stdio-path", "/dev/ttys001", ":0", "prog"))
    assert spec.stdin == spec.stdout == spec.stderr == "/dev/ttys001"
    spec = launch_spec(parse("debugserver", "-n", ":0", "prog"))
    assert spec.stdin == spec.stdout == spec.stderr == "/dev/null"


def test_address_randomization_stays_on_unless_asked() -> None:
    assert not parse("debugserver", ":0", "prog").disable_aslr
    assert parse("debugserver", "--disable-aslr", ":0", "prog").disable_aslr


def test_attach_wait_and_the_rest() -> None:
    assert parse("debugserver", ":0", "--attach=Finder").attach == "Finder"
    options = parse("debugserver", ":0", "-w", "prog", "-i", "2000", "-d", "5")
    assert (options.wait_for, options.wait_interval, options.wait_duration) == ("prog", 0.002, 5.0)
    options = parse("debugserver", "-K", "-U", "-g", "-v", "-r", "-x", "auto", "-p", "macosx", "-f", "0xff", ":0")
    assert options.on_disconnect == "kill"
    assert options.ignored_exceptions == {"EXC_BAD_ACCESS", "EXC_BAD_INSTRUCTION", "EXC_ARITHMETIC"}
    assert isinstance(arguments.parse(["debugserver", "--version"]), Answer)
    assert parse("debugserver", "-u", "/tmp/socket", ":0").port_socket == "/tmp/socket"
    assert parse("debugserver", "--backend", "macos-sim", ":0", "prog").backend == "macos-sim"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["debugserver"], "no connection arguments"),
        (["debugserver", "--fnord", ":0"], "unknown argument"),
        (["debugserver", "--lockdown", ":0"], "iOS"),
        (["debugserver", "-t", ":0"], "iOS"),
        (["debugserver", "--env", "A", ":0"], "NAME=VALUE"),
        (["debugserver", "-i", "x", ":0"], "not a number"),
        (["debugserver", "--fd"], "missing argument"),
        (["debugserver", "--attach", "1", ":0", "prog"], "exclude"),
        (["debugserver", "--attach", "1", "--waitfor", "x", ":0"], "exclude"),
    ],
)
def test_what_makes_no_sense(words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        arguments.parse(words)


class Launches:
    """A system in which a program of the name appears with the third look."""

    NOTICE = ""

    def __init__(self, looks: int = 3) -> None:
        self.looks = looks
        self.attached: list[int] = []

    def processes_named(self, name: str) -> Sequence[int]:
        assert name == "prog"
        self.looks -= 1
        return [7] if self.looks > 0 else [7, 9]

    def attach(self, pid: int) -> object:
        self.attached.append(pid)
        return object()


def test_waiting_for_the_next_program_of_a_name() -> None:
    system = Launches()
    _attach_to_next(system, Options(wait_for="/usr/bin/prog", wait_interval=0.0))  # type: ignore[arg-type]
    assert system.attached == [9]
    with pytest.raises(UsageError, match=r"no program named prog was started in 0\.01 seconds"):
        _attach_to_next(
            Launches(10**9),  # type: ignore[arg-type]
            Options(wait_for="prog", wait_interval=0.0, wait_duration=0.01),
        )


def test_the_port_goes_to_the_socket_of_the_parent(tmp_path: Path) -> None:
    path = str(tmp_path / "parent")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(1)
        told: list[bytes] = []

        def read() -> None:
            connection, _ = listener.accept()
            with connection:
                told.append(connection.recv(64))

        reader = threading.Thread(target=read)
        reader.start()
        assert _write_place(Options(port_socket=path), "4711")
        reader.join(10)
    assert told == [b"4711\0"]
    assert os.path.exists(path)
