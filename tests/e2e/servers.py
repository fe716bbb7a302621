"""Start a debug server the way a user does, on a port that the kernel chooses.

The environment variable PYDBGSERVER_TEST_SERVER=peer makes the same tests run against the server that each
client is shipped with: what passes there too is a fact about the client and not about us.
"""

from __future__ import annotations

import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
WAIT = 20.0
LLDB_SERVERS = ("lldb-server-19", "lldb-server")


class NotStarted(Exception):
    """The server ended, or said nothing of a port, before the wait was over; its output is the message."""


def with_peers() -> bool:
    return os.environ.get("PYDBGSERVER_TEST_SERVER", "") in ("peer", "gdbserver", "lldb-server")


def find(names: Sequence[str]) -> str | None:
    """The path of the first of `names` that is installed."""
    return next((path for path in map(shutil.which, names) if path), None)


def server_command(style: str) -> list[str]:
    """The command before the options; `style` is "gdb" (gdbserver's command line) or "lldb" (lldb-server's)."""
    if not with_peers():
        return [sys.executable, "-m", "pydbgserver", *(["gdbserver"] if style == "lldb" else [])]
    if style == "gdb":
        return [find(["gdbserver"]) or "gdbserver"]
    return [find(LLDB_SERVERS) or LLDB_SERVERS[0], "gdbserver"]


def server_environment() -> dict[str, str]:
    """Ours runs from the source tree, so that an installed copy is never tested by accident."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


@dataclass
class Server:
    """A running server; `output` is what it and the program it debugs have written so far."""

    process: subprocess.Popen[bytes]
    port: int
    output: str = ""
    stays: bool = False
    """It does not end with the first client, or not before it: at the end of a test it is told to."""

    def read_available(self, timeout: float = 0.0) -> bool:
        """Add what has come to `output`; False when nothing came within `timeout` seconds or it has ended."""
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not selector.select(timeout):
                return False
        data = os.read(self.process.stdout.fileno(), 65536)
        self.output += data.decode(errors="replace")
        return bool(data)

    def write(self, text: str) -> None:
        """Write to the stdin that the server shares with the program that it started."""
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def close(self) -> None:
        """End the server and every process that it started."""
        leftovers = descendants(self.process.pid)
        if self.stays:
            self.process.terminate()
        if not ended_within(self.process, 3.0):
            self.process.kill()
            self.process.wait(WAIT)
        for pid, started in leftovers:
            kill_if_still_there(pid, started)
        while self.read_available():
            pass
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()


def start_server(
    style: str,
    program: Sequence[str | Path] = (),
    *,
    attach: int | None = None,
    options: Sequence[str] = (),
    command: Sequence[str] | None = None,
    once: bool = True,
) -> Server:
    """Start a server on `program` (with arguments), or on the process `attach`, and wait until it listens.

    `command` is what stands before the options (`server_command` chooses it otherwise). `once`: in gdbserver's style,
    end with the first connection. Raises NotStarted.
    """
    chosen = list(command or server_command(style))
    if style == "gdb":
        what = ["--attach", "127.0.0.1:0", str(attach)] if attach else ["127.0.0.1:0", *map(str, program)]
        return _port_on_stderr([*chosen, *(["--once"] if once else []), *options, *what], stays=not once)
    what = ["--attach", str(attach)] if attach else ["--", *map(str, program)] if program else []
    return _port_through_pipe([*chosen, "127.0.0.1:0", *options], what)


def start_platform(
    *options: str, program: Sequence[str | Path] = (), listen: str = "127.0.0.1:0", through: Sequence[str] = ()
) -> Server:
    """Start our platform server, by the command `through` if it is given; there is no such test of lldb-server's.

    Raises NotStarted.
    """
    what = ["--", *map(str, program)] if program else []
    command = [*through, sys.executable, "-m", "pydbgserver", "platform", "--server", "--listen", listen]
    return _port_on_stderr([*command, *options, *what], stays=True)


def start_by(command: Sequence[str]) -> Server:
    """Start whatever says the port that it listens on, in gdbserver's words. Raises NotStarted."""
    return _port_on_stderr(command, stays=True)


def _port_on_stderr(command: Sequence[str], *, stays: bool = False) -> Server:
    server = Server(spawn(command), 0, stays=stays)
    deadline = time.monotonic() + WAIT
    while (said := re.search(r"Listening on port (\d+)", server.output)) is None:
        if not server.read_available(max(0.0, deadline - time.monotonic())):
            server.close()
            raise NotStarted(server.output)
    server.port = int(said[1])
    return server


def _port_through_pipe(command: Sequence[str], what: Sequence[str]) -> Server:
    """As lldb does: the port comes as text with a NUL after it through the descriptor given by --pipe."""
    reading, writing = os.pipe()
    server = Server(spawn([*command, "--pipe", str(writing), *what], inherit=[writing]), 0)
    os.close(writing)
    text = b""
    with os.fdopen(reading, "rb", buffering=0) as pipe, selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        deadline = time.monotonic() + WAIT
        while not text.endswith(b"\0"):
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            data = pipe.read(16) if ready else b""
            if not data:
                server.close()
                raise NotStarted(server.output)
            text += data
    server.port = int(text.rstrip(b"\0"))
    return server


def spawn(command: Sequence[str], inherit: Sequence[int] = ()) -> subprocess.Popen[bytes]:
    """A server's process; `inherit`: descriptors that it gets beside its standard ones."""
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=server_environment(),
        pass_fds=inherit,
        bufsize=0,
    )


def ended_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def descendants(pid: int) -> list[tuple[int, str]]:
    """The processes that `pid` and its children have started and not yet lost, each with its start time."""
    found: list[tuple[int, str]] = []
    # A process may end while its folder is listed, and a thread while its file is read.
    with suppress(OSError):
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            with suppress(OSError):
                found += [(child, start_time(child)) for child in map(int, children.read_text().split())]
    return found + [grandchild for child, _ in found for grandchild in descendants(child)]


def start_time(pid: int) -> str:
    """Field 22 of /proc/PID/stat, which with the pid names one process for good; "" when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def kill_if_still_there(pid: int, started: str) -> None:
    """Kill what a server that is gone has left, unless the number belongs to another process by now."""
    if started and start_time(pid) == started:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
