"""From options to the lines that tell where the server listens; failures in one line."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pydbgserver.cli import arguments, start
from pydbgserver.cli.comm import parse_comm
from pydbgserver.options import Options
from pydbgserver.server.listen import open_listener
from tests.imports import imported


def announced(options: Options, capsys: pytest.CaptureFixture[str]) -> tuple[list[str], str]:
    """What is said on stderr when the server listens, with the port as PORT."""
    listener = open_listener(options.endpoint)
    start.announce(options, listener)
    listener.close()
    lines = capsys.readouterr().err.replace(listener.place, "PORT").splitlines()
    return lines, listener.place


def parsed(line: str) -> Options:
    options = arguments.parse(line.split())
    assert isinstance(options, Options)
    return options


def test_the_commands_that_connect_follow_the_port(capsys: pytest.CaptureFixture[str]) -> None:
    lines, _ = announced(parsed(":0 ./prog arg"), capsys)
    assert lines == [
        "Listening on port PORT",
        "  gdb ./prog -ex 'target remote :PORT'",
        "  lldb ./prog -o 'gdb-remote PORT'",
    ]


def test_multi_is_extended_remote(capsys: pytest.CaptureFixture[str]) -> None:
    assert "  gdb -ex 'target extended-remote :PORT'" in announced(parsed("--multi :0"), capsys)[0]


def test_an_address_for_everybody_is_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    lines, _ = announced(parsed("0.0.0.0:0 prog"), capsys)
    assert lines[0] == "warning: whoever can reach 0.0.0.0 port PORT can run programs as you"
    assert lines[1] == "Listening on port PORT"
    assert "0.0.0.0" not in lines[2]


def test_a_unix_socket(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines, place = announced(parsed(f"{tmp_path}/s prog"), capsys)
    assert place == f"{tmp_path}/s"
    assert lines == [
        "Listening on PORT",
        "  gdb prog -ex 'target remote PORT'",
        "  lldb prog -o 'process connect --plugin gdb-remote unix-connect://PORT'",
    ]


def test_pipe_gets_the_port_with_a_nul_and_nothing_else_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    reading, writing = os.pipe()
    lines, place = announced(parsed(f"gdbserver :0 --pipe {writing}"), capsys)
    assert os.read(reading, 100) == place.encode() + b"\0"
    assert os.read(reading, 100) == b""
    os.close(reading)
    assert lines == []


def test_named_pipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()))
    reader.start()
    _, place = announced(parsed(f"gdbserver :0 --named-pipe {path}"), capsys)
    reader.join(10)
    assert got == [place.encode() + b"\0"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--foo :0 prog", "Unknown argument: --foo\n"),
        ("gdbserver :0 --pipe 999", "error: cannot write the port to the pipe: Bad file descriptor\n"),
        ("--debug --log-file=/no/such/f :0 prog", "/no/such/f: cannot log there: No such file or directory\n"),
        (
            "- ./no-such-program",
            "stdin/stdout redirected\nNo such file or directory: ./no-such-program\n"
            "exec: ./no-such-program: not found\nDuring startup program exited with code 127.\nExiting\n",
        ),
        ("--wrapper env -- :0 ./no-such-program", "No such file or directory: ./no-such-program\nExiting\n"),
        ("gdbserver :0 ./no-such-program", "error: No such file or directory: ./no-such-program\n"),
        ("gdbserver :0 --attach no-such-name", "error: no process is named no-such-name\n"),
    ],
)
def test_what_keeps_it_from_starting_is_said_and_the_status_is_1(line: str, message: str) -> None:
    ended = run(line)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert message in ended.stderr and "Traceback" not in ended.stderr


def test_a_pid_that_is_not_there() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait(20)
    ended = run(f"--attach :0 {gone.pid}")
    assert ended.returncode == 1 and str(gone.pid) in ended.stderr and ended.stderr.endswith("\nExiting\n")


def test_a_busy_port_is_found_before_the_program_is_started() -> None:
    busy = open_listener(parse_comm(":0"))
    ended = run(f":{busy.port} ./no-such-program")
    busy.close()
    assert ended.returncode == 1
    assert ended.stderr == "Can't bind address: Address already in use.\nExiting\n"


def run(line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pydbgserver", *line.split()],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
        cwd=Path(__file__).parents[2],
    )


HEAVY = ("trio", "argparse", "typing", "dataclasses", "inspect", "logging", "pydbgserver.native", "encodings.idna")


def test_nothing_heavy_is_imported_before_the_port_is_known() -> None:
    code = (
        "from pydbgserver import __main__; from pydbgserver.cli import arguments, start;"
        "options = arguments.parse(['gdbserver', 'tcp://[127.0.0.1]:0', '--native-regs']);"
        "start.announce(options, start.open_listener(options.endpoint))"
    )
    assert imported(code, HEAVY) == ""
