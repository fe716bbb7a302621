"""The client or the server goes without a word: the target runs on, and nothing is left in it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.clients import GDB, ClientKind
from tests.e2e.conftest import Debug, require_client
from tests.e2e.servers import WAIT, with_peers
from tests.e2e.session import Session, Step

if with_peers():
    pytest.skip("the peers leave their traps in the target", allow_module_level=True)


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether `condition` comes true before the usual deadline."""
    deadline = time.monotonic() + WAIT
    while not condition() and time.monotonic() < deadline:
        os.sched_yield()
    return condition()


def loaded_code(pid: int, path: Path) -> bytes:
    """The program's executable mapping as it is in memory."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    (line,) = [line for line in lines if line.endswith(str(path)) and "r-xp" in line]
    start, end = (int(number, 16) for number in line.split()[0].split("-"))
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        return os.pread(memory.fileno(), end - start, start)


def used_time(pid: int) -> int:
    """Clock ticks that the process has used: they grow while it spins."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def runs(pid: int) -> bool:
    before = used_time(pid)
    return eventually(lambda: used_time(pid) > before)


def traced_and_running(debug: Debug, kind: ClientKind, target: subprocess.Popen[str]) -> Session:
    """A client with a breakpoint on `finish` and a watchpoint on `done` in a target that runs."""
    session = debug.attach(kind, "spinner", target.pid)
    session.run(
        Step("break finish", "breakpoint set -n finish", r"Breakpoint 1"),
        Step("watch done", "watchpoint set variable done", r"atchpoint"),
    )
    session.resume()
    return session


def test_client_killed_while_the_target_runs(debug: Debug, kind: ClientKind) -> None:
    target = debug.spawn("spinner")
    clean = loaded_code(target.pid, debug.program("spinner"))
    session = traced_and_running(debug, kind, target)
    assert eventually(lambda: loaded_code(target.pid, debug.program("spinner")) != clean)
    os.kill(session.client.child.pid, signal.SIGKILL)
    assert eventually(lambda: loaded_code(target.pid, debug.program("spinner")) == clean)
    assert runs(target.pid)
    target.send_signal(signal.SIGTERM)
    assert target.wait(WAIT) == 7


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_server_told_to_end_while_the_target_runs(debug: Debug, kind: ClientKind, number: signal.Signals) -> None:
    target = debug.spawn("spinner")
    clean = loaded_code(target.pid, debug.program("spinner"))
    session = traced_and_running(debug, kind, target)
    assert session.server is not None
    session.server.process.send_signal(number)
    assert session.server.process.wait(WAIT) == 0
    assert loaded_code(target.pid, debug.program("spinner")) == clean
    assert runs(target.pid)
    target.send_signal(signal.SIGTERM)
    assert target.wait(WAIT) == 7


def test_new_client_after_one_was_killed(debug: Debug) -> None:
    require_client("gdb")
    session = debug.start(GDB, "spinner", once=False)
    server = session.server
    assert server is not None
    created = re.search(r"created; pid = (\d+)", server.output)
    assert created is not None
    pid = int(created[1])
    session.resume()
    session.wait_for_output("ready")
    os.kill(session.client.child.pid, signal.SIGKILL)
    assert runs(pid)
    again = debug.client(GDB, debug.program("spinner"))
    again.client.command("set sysroot /")
    again.client.command(f"target remote 127.0.0.1:{server.port}")
    assert "main" in again.client.command("backtrace")
    again.client.command("print done = 1")
    assert "exited with code 07" in again.client.command("continue")
