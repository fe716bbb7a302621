"""The servers that the benchmark compares, and the programs that they attach to."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench_link import Link

from tests.e2e.servers import LLDB_SERVERS, Server, find, start_server
from tests.programs import Programs

OURS = "pydbgserver"


@dataclass(frozen=True)
class Contender:
    """A server to measure: its command before the options, and whose command line it takes ("gdb" or "lldb")."""

    name: str
    command: tuple[str, ...]
    style: str

    @property
    def is_lldb_server(self) -> bool:
        return self.style == "lldb" and self.name != OURS

    def start(self, *program: str | Path, attach: int | None = None, options: Sequence[str] = ()) -> Server:
        return start_server(self.style, program, attach=attach, options=options, command=self.command)

    def connect(self, server: Server) -> Link:
        return Link(server.port, decimal_packet_size=self.is_lldb_server)


def contenders(ours: Sequence[str]) -> list[Contender]:
    """Ours (if it starts) and every peer that is installed."""
    command = tuple(ours) or (sys.executable, "-m", "pydbgserver")
    found = [Contender(OURS, command, "gdb")] if runs(command) else []
    if path := find(["gdbserver"]):
        found.append(Contender("gdbserver", (path,), "gdb"))
    if path := find(LLDB_SERVERS):
        found.append(Contender("lldb-server", (path, "gdbserver"), "lldb"))
    return found


def runs(command: Sequence[str]) -> bool:
    return subprocess.run([*command, "--version"], capture_output=True, timeout=20, check=False).returncode == 0


@dataclass
class Target:
    """A test program that runs by itself; `words` is what it said when it was ready."""

    process: subprocess.Popen[bytes]
    path: Path
    words: list[str]

    def address_of(self, symbol: str) -> int:
        """Where a symbol of this position-independent program is in memory."""
        table = subprocess.run(["nm", str(self.path)], capture_output=True, text=True, check=True, timeout=20).stdout
        offset = next(int(line.split()[0], 16) for line in table.splitlines() if line.endswith(f" {symbol}"))
        maps = Path(f"/proc/{self.process.pid}/maps").read_text()
        return int(maps.split("-", 1)[0], 16) + offset


@contextmanager
def running(programs: Programs, name: str, *arguments: str) -> Iterator[Target]:
    """The test program `name`, leader of a process group of its own (gdbserver interrupts only those)."""
    path = programs(name)
    process = subprocess.Popen(
        [path, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, process_group=0, bufsize=0
    )
    assert process.stdout is not None
    try:
        yield Target(process, path, process.stdout.readline().decode().split())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class Placement:
    """`servers`: the processors on which servers and their targets run, None: where the scheduler puts them.

    A server that sleeps while its client works may share the client's processor, where a round trip takes a quarter
    of the time, or not, by chance and for the whole session.
    """

    servers: frozenset[int] | None = None

    @classmethod
    def keep_apart(cls) -> None:
        """The client, which is this process, on the first processor; servers and targets on the others."""
        first, *others = sorted(os.sched_getaffinity(0))
        if not others:
            raise SystemExit("--apart needs two processors")
        os.sched_setaffinity(0, {first})
        cls.servers = frozenset(others)

    @staticmethod
    @contextmanager
    def together(sessions: Sequence[Session]) -> Iterator[None]:
        """Client, servers and targets on one processor, where our server brings them by itself sooner or later: for
        what adds a tenth to the shortest round trip. What a server does beside serving goes on anywhere."""
        anywhere = os.sched_getaffinity(0)
        one = frozenset({min(anywhere)})
        for session in sessions:
            os.sched_setaffinity(session.server.process.pid, one)
            os.sched_setaffinity(session.target.process.pid, one)
        os.sched_setaffinity(0, one)
        try:
            yield
        finally:
            os.sched_setaffinity(0, anywhere)


@dataclass
class Session:
    """A contender attached to a target, stopped, with the current thread chosen."""

    contender: Contender
    target: Target
    server: Server
    link: Link
    tid: bytes


def move(pid: int, processors: frozenset[int]) -> None:
    """Let every thread of the process run on these processors only."""
    for tid in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(tid.name), processors)


@contextmanager
def attached(
    contender: Contender, programs: Programs, name: str, *arguments: str, options: Sequence[str] = ()
) -> Iterator[Session]:
    with running(programs, name, *arguments) as target:
        server = contender.start(attach=target.process.pid, options=options)
        try:
            if Placement.servers is not None:
                move(server.process.pid, Placement.servers)
                move(target.process.pid, Placement.servers)
            link = contender.connect(server)
            link.ask(b"?")
            tid = b"%x" % target.process.pid
            link.ask(b"Hg" + tid)
            yield Session(contender, target, server, link, tid)
            link.close()
        finally:
            server.close()


def resident_bytes(pid: int) -> int:
    """VmRSS of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:", 1)[1].split(None, 1)[0]) * 1024
