"""The pytest plugin in a project of its own: a stub, a folder of transcripts, and pytest run there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e import servers

SESSION = """pydbgserver transcript 1
server: toy
program: /where/it/was/prog
arguments: one two

0.000000 <- qSupported:multiprocess+
0.000100 -> PacketSize=400
0.000200 <- ?
0.000300 -> S05
0.000400 <- m1000,4
0.000500 -> 01020304
0.000600 <- k
0.000700 <.
"""

STUB = '''"""A stub that knows four packets."""
import os
import re
import shutil
import socket
import sys

REPLIES = {b"qSupported:multiprocess+": b"PacketSize=400", b"?": b"S05", b"m1000,4": b"01020304"}


def serve(connection):
    received = b""
    while data := connection.recv(4096):
        received += data
        while found := re.search(rb"\\\\$([^#]*)#..", received):
            received = received[found.end():]
            body = found[1]
            if body == b"k":
                return
            reply = REPLIES.get(body, b"")
            connection.sendall(b"+$%s#%02x" % (reply, sum(reply) & 255))


if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print("Listening on port", listener.getsockname()[1], *sys.argv[1:], flush=True)
        while True:
            connection, _ = listener.accept()
            with connection:
                serve(connection)
'''.replace("\\\\", "\\")

TESTS = """
import socket
import threading

import pytest
import stub


def serve_one(listener):
    connection, _ = listener.accept()
    with connection:
        stub.serve(connection)


@pytest.mark.transcript("sessions/first.rsp")
def test_in_this_process(transcript):
    result = transcript.play(stub.serve)
    assert (result.packets, result.compared) == (4, 3)


@pytest.mark.transcript("sessions/first.rsp")
def test_a_port_that_the_test_has(transcript):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve_one, args=(listener,))
        server.start()
        transcript.play(f"127.0.0.1:{listener.getsockname()[1]}")
        server.join(5)


@pytest.mark.transcript("sessions/first.rsp")
def test_a_socket_with_a_name(transcript, tmp_path):
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        server = threading.Thread(target=serve_one, args=(listener,))
        server.start()
        transcript.play(path)
        server.join(5)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions" / "first.rsp").write_text(SESSION)
    (tmp_path / "stub.py").write_text(STUB)
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["pydbgserver.testing.plugin"]\n')
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers --strict-config -p no:cacheprovider\n")
    return tmp_path


def environment() -> dict[str, str]:
    """The project's pytest has the plugins that the project names. Those that happen to be installed here take longer
    to import than all the rest, and with -W error a warning of any of them would be a failure."""
    return {**servers.server_environment(), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-W", "error", *arguments]
    return subprocess.run(command, cwd=project, env=environment(), capture_output=True, text=True, timeout=60)


def passed(said: subprocess.CompletedProcess[str]) -> int:
    found = re.search(r"(\d+) passed", said.stdout)
    assert said.returncode == 0 and found is not None, said.stdout + said.stderr
    return int(found[1])


COMMAND = f"transcript_command={sys.executable} stub.py --with {{program}} {{arguments}}"


def test_files_against_a_command(project: Path) -> None:
    assert passed(run(project, "-o", COMMAND, "sessions")) == 1


def test_the_command_gets_program_and_arguments(project: Path) -> None:
    (project / "stub.py").write_text("import sys; print(sys.argv[1:])\n")
    said = run(project, "-o", COMMAND, "-o", "transcript_program=build", "sessions")
    assert "['--with', 'build/prog', 'one', 'two']" in said.stdout


def test_files_against_a_server_that_is_there(project: Path) -> None:
    server = servers._port_on_stderr([sys.executable, str(project / "stub.py")])
    try:
        assert passed(run(project, "-o", f"transcript_server=127.0.0.1:{server.port}", "sessions")) == 1
    finally:
        server.process.kill()
        server.close()


def test_files_against_a_function(project: Path) -> None:
    assert passed(run(project, "-o", "transcript_serve=stub:serve", "-o", "pythonpath=.", "sessions")) == 1
    said = run(project, "-o", "transcript_serve=stub:nothing", "-o", "pythonpath=.", "sessions")
    assert said.returncode == 1
    assert "transcript_serve = stub:nothing: module 'stub' has no attribute 'nothing'" in said.stdout


def test_the_marker(project: Path) -> None:
    (project / "test_stub.py").write_text(TESTS)
    assert passed(run(project)) == 3


def test_without_settings_files_are_no_tests(project: Path) -> None:
    assert "no tests ran" in run(project, ".").stdout


def test_a_stub_that_answers_otherwise_fails_with_the_difference_in_words(project: Path) -> None:
    (project / "stub.py").write_text(STUB.replace('b"01020304"', 'b"E01"'))
    said = run(project, "-o", COMMAND, "sessions")
    assert said.returncode == 1
    assert f"{project}/sessions/first.rsp:11: another kind of reply" in said.stdout
    assert "--> 01020304" in said.stdout
    assert "+-> E01    (failed (error 1))" in said.stdout


def test_a_stub_that_ends_and_a_file_that_is_none(project: Path) -> None:
    (project / "stub.py").write_text(STUB.replace('body == b"k"', 'body == b"?"'))
    said = run(project, "-o", COMMAND, "sessions")
    assert f"{project}/sessions/first.rsp:9: the server has hung up" in said.stdout
    (project / "sessions" / "first.rsp").write_text("pydbgserver transcript 9\n")
    said = run(project, "-o", COMMAND, "sessions")
    assert "first.rsp:1: this is format '9', known is 1" in said.stdout


def test_a_command_that_is_none_is_told(project: Path) -> None:
    # By its path: along PATH, a folder that one may not look into makes another error of it (execvp(3)).
    command = f"{project}/no-such-stub --port 0"
    said = run(project, "-o", f"transcript_command={command}", "sessions")
    assert f"transcript_command = {command}: No such file or directory" in said.stdout
    assert "Popen" not in said.stdout


def test_a_server_that_says_more_than_a_pipe_holds(project: Path) -> None:
    (project / "stub.py").write_text(
        STUB.replace("            reply = ", "            os.write(1, bytes(100_000))\n            reply = ")
    )
    assert passed(run(project, "-o", COMMAND, "sessions")) == 1


def test_the_example_project(tmp_path: Path) -> None:
    """As its workflow does it: made, and played against the command of its pytest.ini."""
    project, tools = tmp_path / "transcripts", tmp_path / "bin"
    shutil.copytree(servers.ROOT / "examples" / "transcripts", project, ignore=shutil.ignore_patterns("build"))
    subprocess.run(["make", "-s", "-C", str(project)], check=True, timeout=60)
    tools.mkdir()
    command = tools / "pydbgserver"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m pydbgserver "$@"\n')
    command.chmod(0o755)
    said = subprocess.run(
        [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider"],
        cwd=project, env={**environment(), "PATH": f"{tools}:{os.environ['PATH']}"},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert passed(said) == 1
