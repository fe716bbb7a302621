"""A platform server on another machine: two network namespaces with a cable between them, and one port.

Two lldbs on one side upload a program each, debug it, look around and fetch a file from the server on the other side,
all at the same time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.clients import LLDB, Client
from tests.e2e.conftest import require_client
from tests.e2e.servers import Server, find, start_platform, with_peers
from tests.e2e.session import KILL, Session, Step
from tests.programs import Programs

NETWORK = "10.213.97"
SERVER, CLIENT = f"{NETWORK}.1", f"{NETWORK}.2"
LISTEN = "0A"
"""A listening socket in /proc/net/tcp (include/net/tcp_states.h)."""


class Network:
    """Two namespaces, "server" and "client", joined by a pair of virtual interfaces."""

    def __init__(self, stack: ExitStack) -> None:
        self._ip = find(["ip"]) or "ip"
        self.names = {side: f"pydbgserver-{os.getpid()}-{side}" for side in ("server", "client")}
        for name in self.names.values():
            self._run("netns", "add", name)
            stack.callback(self._run, "netns", "del", name)
        ends = {side: f"pyd{os.getpid()}{side[0]}" for side in self.names}
        self._run("link", "add", ends["server"], "type", "veth", "peer", "name", ends["client"])
        for side, address in (("server", SERVER), ("client", CLIENT)):
            self._run("link", "set", ends[side], "netns", self.names[side])
            inside = ("-n", self.names[side])
            self._run(*inside, "address", "add", f"{address}/24", "dev", ends[side])
            self._run(*inside, "link", "set", ends[side], "up")
            self._run(*inside, "link", "set", "lo", "up")

    def _run(self, *words: str) -> None:
        done = subprocess.run([self._ip, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def command(self, side: str) -> list[str]:
        """What runs the words behind it in a namespace."""
        return [self._ip, "netns", "exec", self.names[side]]

    def listening(self, side: str) -> int:
        """How many sockets listen there."""
        words = [*self.command(side), "cat", "/proc/net/tcp"]
        table = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()[1:]
        return sum(line.split()[3] == LISTEN for line in table)


@pytest.fixture
def network() -> Iterator[Network]:
    require_client(LLDB.name)
    if with_peers():
        pytest.skip("lldb-server's platform mode needs a port for each session")
    if os.geteuid() != 0:
        pytest.skip("only root may make network namespaces")
    if find(["ip"]) is None:
        pytest.skip("ip (iproute2) is not installed")
    with ExitStack() as stack:
        yield Network(stack)


@pytest.fixture
def server(network: Network) -> Iterator[Server]:
    started = start_platform(listen=f"{SERVER}:0", through=network.command("server"))
    yield started
    started.close()


class Desk:
    """One lldb on the client's side, with a folder of its own on each machine."""

    def __init__(self, network: Network, server: Server, folder: Path, program: Path) -> None:
        self.here, self.there = folder / "here", folder / "there"
        self.here.mkdir(parents=True)
        self.there.mkdir()
        self.program = self.here / "program"
        shutil.copy(program, self.program)
        executable = find(LLDB.executables)
        script = folder / "lldb"
        script.write_text(f'#!/bin/sh\nexec {" ".join(network.command("client"))} {executable} "$@"\n')
        script.chmod(0o755)
        self.client = Client(LLDB, str(script), self.here)
        self.session = Session(self.client, None)
        self.run("platform select remote-linux", r"Connected: no")
        self.run(f"platform connect connect://{SERVER}:{server.port}", r"Connected: yes")
        self.run(f"platform settings -w {self.there}")

    def run(self, line: str, *sees: str) -> str:
        return self.session.run(Step(None, line, sees))

    def upload(self) -> None:
        self.run(f"platform put-file {self.program} {self.there / 'copied'}")
        assert (self.there / "copied").read_bytes() == self.program.read_bytes()
        self.run(f"file {self.program}", r"Current executable")

    def start(self) -> None:
        self.run("breakpoint set -n change", r"Breakpoint 1")
        self.run("run", r"stop reason = breakpoint 1")
        self.run("expression counter", r"= 0$")
        self.run("expression (long)(counter + 4)", r"= 4$")

    def watch(self) -> None:
        self.run("breakpoint delete 1", r"1 breakpoints deleted")
        self.run("watchpoint set variable counter", r"Watchpoint created")
        self.run("continue", r"new value: 10", r"stop reason = watchpoint 1")
        self.run("watchpoint delete 1", r"1 watchpoints deleted")

    def look_around(self, pid: int) -> None:
        (self.there / "written").write_bytes(bytes(range(256)) * 100)
        self.run(f"platform get-file {self.there / 'written'} {self.here / 'fetched'}", r"successfully get-file")
        assert (self.here / "fetched").read_bytes() == bytes(range(256)) * 100
        self.run("platform shell pwd", str(self.there))
        self.run(f"platform process list -p {pid}", rf"{pid} .*python")

    def finish(self) -> None:
        self.run("continue", r"exited with status = 0")


@pytest.fixture
def desks(network: Network, server: Server, program: Programs, tmp_path: Path) -> Iterator[list[Desk]]:
    with ExitStack() as stack:
        made = []
        for name in ("first", "second"):
            made.append(Desk(network, server, tmp_path / name, program("watch")))
            stack.callback(made[-1].client.close)
        yield made


def test_two_debuggers_through_one_port(network: Network, server: Server, desks: list[Desk]) -> None:
    for step in (Desk.upload, Desk.start, Desk.watch):
        for desk in desks:
            step(desk)
    assert network.listening("server") == 1
    for desk in desks:
        desk.look_around(server.process.pid)
    for desk in desks:
        desk.finish()


def test_one_client_goes_and_the_other_goes_on(server: Server, desks: list[Desk]) -> None:
    for desk in desks:
        desk.upload()
        desk.start()
    first, second = desks
    first.client.child.close(force=True)
    second.watch()
    second.session.run(*KILL)
    second.run("run", r"exited with status = 0")
    assert server.process.poll() is None
