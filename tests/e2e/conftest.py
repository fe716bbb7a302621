"""The `debug` fixture: a server, the program and a connected client, all ended with the test."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.e2e.clients import KINDS, Client, ClientKind
from tests.e2e.servers import LLDB_SERVERS, ROOT, Server, find, server_command, start_platform, start_server, with_peers
from tests.e2e.session import Session
from tests.programs import Programs


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> ClientKind:
    """Each test runs once with gdb and once with lldb."""
    name: str = request.param
    return require_client(name)


def require_client(name: str) -> ClientKind:
    kind = KINDS[name]
    if find(kind.executables) is None:
        pytest.skip(f"{' or '.join(kind.executables)} is not installed")
    peers = ["gdbserver"] if name == "gdb" else LLDB_SERVERS
    if with_peers() and find(peers) is None:
        pytest.skip(f"{' or '.join(peers)} is not installed")
    return kind


class Debug:
    """Starts sessions and remembers what has to be ended."""

    def __init__(self, program: Programs, home: Path, stack: ExitStack, options: Sequence[str] = ()) -> None:
        """`options`: those of every server."""
        self._options = tuple(options)
        self.program = program
        self._home = home
        self._stack = stack

    def start(
        self,
        kind: ClientKind,
        name: str,
        *arguments: str | Path,
        options: Sequence[str] = (),
        file: bool = True,
        connect: bool = True,
        once: bool = True,
    ) -> Session:
        """A client connected to a server that has launched the test program `name`."""
        path = self.program(name)
        server = start_server(kind.name, [path, *arguments], options=[*self._options, *options], once=once)
        return self._session(kind, server, path if file else None, connect)

    def attach(self, kind: ClientKind, name: str, pid: int) -> Session:
        """A client connected to a server that has attached to the process `pid`, which runs the program `name`."""
        return self._session(kind, start_server(kind.name, attach=pid, options=self._options), self.program(name), True)

    def multi(self, kind: ClientKind, name: str, *settings: str) -> Session:
        """gdb connected with extended-remote to a server that has no program yet, after the commands `settings`."""
        server = start_server("gdb", options=[*self._options, "--multi"])
        session = self._session(kind, server, self.program(name), False)
        for setting in settings:
            session.client.command(setting)
        said = session.client.command(f"target extended-remote 127.0.0.1:{server.port}")
        assert said.startswith("Remote debugging using"), said
        return session

    def command_line(self, style: str) -> str:
        """The server's command for a shell."""
        words = ["env", f"PYTHONPATH={ROOT}", *server_command(style)]
        return shlex.join(words)

    def executable(self, directory: Path) -> Path:
        """One executable file that is lldb-server's stand-in, as LLDB_DEBUGSERVER_PATH wants it."""
        if with_peers():
            return Path(find(LLDB_SERVERS) or LLDB_SERVERS[0])
        path = directory / "pydbgserver"
        words = ["env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "pydbgserver"]
        path.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        path.chmod(0o755)
        return path

    def client(self, kind: ClientKind, path: Path | None, environment: dict[str, str] | None = None) -> Session:
        """A client without a server."""
        return Session(self._client(kind, path, environment, str), None)

    def spawn(self, name: str, *arguments: str | Path) -> subprocess.Popen[str]:
        """The test program `name` running by itself; it has said "ready" when this returns."""
        process = self._stack.enter_context(
            subprocess.Popen(
                [self.program(name), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
            )
        )
        self._stack.callback(process.kill)
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ready")
        return process

    def _session(self, kind: ClientKind, server: Server, path: Path | None, connect: bool) -> Session:
        self._stack.callback(server.close)

        def server_output() -> str:
            server.read_available()
            return f"--- server\n{server.output}"

        session = Session(self._client(kind, path, None, server_output), server)
        if connect:
            if kind.name == "gdb":
                # The libraries of this machine, not those of the target read through the server: much faster.
                session.client.command("set sysroot /")
            session.connect()
        return session

    def _client(
        self, kind: ClientKind, path: Path | None, environment: dict[str, str] | None, context: Callable[[], str]
    ) -> Client:
        executable = find(kind.executables)
        assert executable is not None
        client = Client(kind, executable, self._home, path, environment, context)
        self._stack.callback(client.close)
        return client


@pytest.fixture
def debug(program: Programs, tmp_path: Path) -> Iterator[Debug]:
    with ExitStack() as stack:
        yield Debug(program, tmp_path, stack)


@pytest.fixture
def server() -> Iterator[Server]:
    """Our platform server, for lldb."""
    require_client("lldb")
    if with_peers():
        pytest.skip("lldb-server's platform mode needs a port for each session")
    with closing(start_platform()) as started:
        yield started
