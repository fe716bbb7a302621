"""A pytest plugin: transcripts as tests of any server of the gdb remote protocol.

In the conftest.py of a project::

    pytest_plugins = ["pydbgserver.testing.plugin"]

and in its pytest settings, what a transcript is played against::

    transcript_command = ./stub --port 0 {program}     (says "Listening on port N" on stdout or stderr)

or ``transcript_server = HOST:PORT`` (or a socket's path), a server that is there, or ``transcript_serve =
MODULE:FUNCTION``, a function that serves the connected socket that it is given, in this process. Then every
``*.rsp`` file below the test paths is a test:
its client is played, and whatever the server answers differently fails it (docs/transcripts.md says what is compared).
``{program}`` and ``{arguments}`` are those of the transcript's header; ``transcript_program`` is another directory to
look for the program in.

``@pytest.mark.transcript("file.rsp")`` on a test gives it the fixture `transcript`; its `play` takes the address of a
server that the test has started itself, or a function that serves a connected socket.
"""

from __future__ import annotations

import os
import re
import select
import shlex
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from pydbgserver.errors import UsageError
from pydbgserver.rsp.transcript import Transcript, TranscriptError
from pydbgserver.transcripts.files import load
from pydbgserver.transcripts.play_client import Result, Settings, play_address, play_connection
from pydbgserver.transcripts.report import text

WAIT = 30.0
"""For the server to listen, and for each of its replies: tests run beside others on busy machines."""
WHERE = ("transcript_command", "transcript_server", "transcript_serve")
"""The settings of which one says what is tested."""

Serve = Callable[[socket.socket], object]
LISTENING = re.compile(rb"[Ll]istening on port (\d+)")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The settings."""
    parser.addini("transcript_command", "command that starts a server; says 'Listening on port N'")
    parser.addini("transcript_server", "HOST:PORT or socket path of a server that is there")
    parser.addini("transcript_serve", "MODULE:FUNCTION that serves a connected socket")
    parser.addini("transcript_program", "directory of the debugged programs, instead of the recorded one")


def pytest_configure(config: pytest.Config) -> None:
    """The marker."""
    config.addinivalue_line("markers", "transcript(file): give the test this transcript, relative to its own file")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A transcript is a test where the settings say what to play it against."""
    config = parent.config
    if file_path.suffix == ".rsp" and any(map(config.getini, WHERE)):
        file: pytest.Collector = TranscriptFile.from_parent(parent, path=file_path)
        return file
    return None


class Differs(Exception):
    """The server did not answer as recorded; the message is the diff."""


class TranscriptFile(pytest.File):
    """A file with one test in it."""

    def collect(self) -> Iterator[pytest.Item]:
        yield TranscriptItem.from_parent(self, name=self.path.stem)


class TranscriptItem(pytest.Item):
    """Plays the transcript."""

    def runtest(self) -> None:
        transcript = load(str(self.path))
        program = program_of(transcript, self.config.getini("transcript_program"))
        command, address, function = (str(self.config.getini(name)) for name in WHERE)
        if address:
            check(transcript, address, program)
        elif function:
            check(transcript, named(function), program)
        else:
            with started(command, transcript, program) as port:
                check(transcript, f"127.0.0.1:{port}", program)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, Differs | TranscriptError | UsageError):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, f"transcript {self.name}"


def named(name: str) -> Serve:
    """The function that ``MODULE:FUNCTION`` names. Raises `UsageError`."""
    module, _, function = name.partition(":")
    try:
        found: Serve = getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(f"transcript_serve = {name}: {error}") from None
    return found


def program_of(transcript: Transcript, directory: str) -> str:
    """The path of the debugged program, "" if the transcript names none."""
    recorded = transcript.header.get("program", "")
    return str(Path(directory) / Path(recorded).name) if directory and recorded else recorded


@contextmanager
def started(command: str, transcript: Transcript, program: str) -> Iterator[int]:
    """Start the server; gives its port. It is ended with the test. Raises `UsageError` if there is no such command."""
    words = [word.replace("{program}", program) for word in shlex.split(command) if word != "{arguments}"]
    if "{arguments}" in shlex.split(command):
        words += shlex.split(transcript.header.get("arguments", ""))
    with _process(words) as server:
        try:
            port = _port(server)
            with _output_taken(server):
                yield port
        finally:
            server.kill()


@contextmanager
def _output_taken(server: subprocess.Popen[bytes]) -> Iterator[None]:
    """A server whose output nobody takes stands still when the pipe is full, and so does what it debugs."""
    over, end = os.pipe()
    taking = threading.Thread(target=_take_output, args=(server, over))
    taking.start()
    try:
        yield
    finally:
        os.close(end)
        taking.join()
        os.close(over)


def _take_output(server: subprocess.Popen[bytes], over: int) -> None:
    """Until it ends, or there is something to read from `over`."""
    assert server.stdout is not None
    while over not in select.select([server.stdout.fileno(), over], [], [])[0]:
        if not server.stdout.read1(65536):  # type: ignore[attr-defined]
            return


def _process(words: list[str]) -> subprocess.Popen[bytes]:
    # Without `env` the server would also get what libraries of this process have put into the C environment (readline,
    # which pytest imports: COLUMNS and LINES).
    environment = dict(os.environ)
    try:
        return subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
        )
    except OSError as error:
        raise UsageError(f"transcript_command = {shlex.join(words)}: {error.strerror}") from None


def _port(server: subprocess.Popen[bytes]) -> int:
    assert server.stdout is not None
    said = b""
    deadline = time.monotonic() + WAIT
    while (match := LISTENING.search(said)) is None:
        ready = select.select([server.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]
        data = server.stdout.read1(4096) if ready else b""  # type: ignore[attr-defined]
        if not data:
            raise Differs(f"the server does not say 'Listening on port N' but:\n{said.decode(errors='replace')}")
        said += data
    return int(match[1])


def check(transcript: Transcript, server: str | Serve, program: str = "") -> Result:
    """Play the client of `transcript` against `server`: HOST:PORT, a socket's path, or a function that serves the
    connected socket that it is given. Raises `Differs`, and `UsageError` if nobody listens."""
    settings = Settings(program=program, timeout=WAIT)
    result = (
        play_address(transcript, server, settings)
        if isinstance(server, str)
        else play_connection(transcript, server, settings)
    )
    if result.differences or result.broken:
        raise Differs(text(result))
    return result


class TranscriptUnderTest:
    """The marked transcript of a test."""

    def __init__(self, transcript: Transcript) -> None:
        self.transcript = transcript

    def play(self, server: str | Serve, *, program: str = "") -> Result:
        """Play its client against `server`; see `check`."""
        return check(self.transcript, server, program)


@pytest.fixture
def transcript(request: pytest.FixtureRequest) -> TranscriptUnderTest:
    """The transcript that the test's marker names."""
    marker = request.node.get_closest_marker("transcript")
    if marker is None:
        raise pytest.UsageError("the fixture 'transcript' needs @pytest.mark.transcript(file)")
    return TranscriptUnderTest(load(str(request.path.parent / marker.args[0])))
