"""lldb's rarer commands, each of which is a packet of its own."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.e2e.clients import LLDB, ClientKind
from tests.e2e.conftest import Debug, require_client
from tests.e2e.servers import WAIT, with_peers
from tests.e2e.session import DETACH, KILL, Step
from tests.live.debuggee import settles_in


@pytest.fixture
def lldb() -> ClientKind:
    return require_client(LLDB.name)


def test_detaching_can_leave_the_program_stopped(debug: Debug, lldb: ClientKind) -> None:
    if with_peers():
        pytest.skip("lldb-server does not offer it")
    target = debug.spawn("ungrouped")
    session = debug.attach(lldb, "ungrouped", target.pid)
    session.run(Step(None, "process detach --keep-stopped true", not_sees="error", lldb_event=r"Process \d+ detached"))
    assert "TracerPid:\t0\n" in Path(f"/proc/{target.pid}/status").read_text()
    assert settles_in(target.pid, "T")
    os.kill(target.pid, signal.SIGCONT)
    os.kill(target.pid, signal.SIGTERM)
    assert target.wait(WAIT) == -signal.SIGTERM


def test_what_the_system_knows_of_a_thread(debug: Debug, lldb: ClientKind) -> None:
    if with_peers():
        pytest.skip("lldb-server knows nothing of it")
    session = debug.start(lldb, "watch")
    session.run(
        Step(None, "breakpoint set -n change", r"Breakpoint 1"),
        Step(None, "continue", r"change"),
        Step(None, "thread info --json", (r'"core": \d+', r'"policy": "SCHED_\w+"', r'"pthread_t": \d+')),
        Step(None, "script print(lldb.thread.GetStopReason() == lldb.eStopReasonBreakpoint)", r"True"),
        *KILL,
    )


def test_speed_and_traces_and_tags(debug: Debug, lldb: ClientKind) -> None:
    session = debug.start(lldb, "watch")
    session.run(
        Step(None, "process plugin packet send qSpeedTest:response_size:20;data:", r"response: data:A\w{18}T;$"),
        Step(None, "process trace start", r"error: .*"),
        Step(None, "memory tag read $sp", r"error: .*"),
        Step(None, "register read rip", r"rip = 0x"),
        *KILL,
    )


def test_registers_by_all_their_names_without_a_program(debug: Debug, lldb: ClientKind, tmp_path: Path) -> None:
    """lldb knows nothing of the CPU when it is told only a pid: all it knows of registers comes from the server."""
    target = debug.spawn("ungrouped")
    session = debug.client(lldb, None, {"LLDB_DEBUGSERVER_PATH": str(debug.executable(tmp_path))})
    session.run(
        Step(None, f"process attach -p {target.pid}", r"stopped"),
        Step(None, "register read eax ax ah al r8d mm0", (r"eax = 0x", r" ah = 0x", r"r8d = 0x", r"mm0 = 0x")),
        Step(None, "register write rbx 0x1122334455667788"),
        Step(None, "register read ebx bx bh", (r"ebx = 0x55667788", r"bx = 0x7788", r"bh = 0x77")),
        Step(None, "register write bl 0x99"),
        Step(None, "register read rbx", r"rbx = 0x1122334455667799"),
        DETACH,
    )
    assert target.poll() is None
