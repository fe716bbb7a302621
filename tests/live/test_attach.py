"""Attaching and detaching: every thread, nothing left behind, refusals in words."""

from __future__ import annotations

import errno
import os
import signal
import subprocess

import pytest

from pydbgserver.errors import AttachError
from pydbgserver.target.api import RunOptions
from pydbgserver.target.capabilities import HardwareDebug
from pydbgserver.target.events import BreakpointHit, Interrupted, SignalStop, WatchKind
from tests.live.debuggee import STEP, Debuggees, settles_in


def test_every_thread_is_attached_and_let_go(debuggees: Debuggees) -> None:
    target, child = debuggees.attach("threads_pause", "50")
    assert sorted(target.process.threads()) == sorted(int(name) for name in os.listdir(f"/proc/{child.pid}/task"))
    assert len(target.process.threads()) == 51
    for _ in range(3):
        target.start()
        assert target.interrupt() == [Interrupted(target.pid, target.pid)]
    target.process.detach()
    assert settles_in(child.pid, "S")
    assert not debuggees.backend.processes


def test_detach_leaves_no_trap_and_no_debug_register(debuggees: Debuggees) -> None:
    target, child = debuggees.attach("spinner")
    place = target.plant("main")
    original = target.process.read_memory(place, 1)
    hardware = target.process.capability(HardwareDebug)
    assert hardware is not None
    hardware.insert(WatchKind.WRITE, target.address("spins"), 8)
    target.run()
    target.process.detach()
    with open(f"/proc/{child.pid}/mem", "rb", buffering=0) as memory:
        assert os.pread(memory.fileno(), 1, place) == original
    again = debuggees.attach_to(child.pid, "spinner")
    again.start()
    assert again.interrupt() == [Interrupted(child.pid, child.pid)]


def test_client_that_vanished_leaves_a_running_target_clean(debuggees: Debuggees) -> None:
    target, child = debuggees.attach("spinner")
    place = target.address("main")
    target.process.insert_breakpoint(place, 1)
    hardware = target.process.capability(HardwareDebug)
    assert hardware is not None
    hardware.insert(WatchKind.EXECUTE, place, 1)
    target.start()
    debuggees.backend.set_options(RunOptions(unattended=True))
    with open(f"/proc/{child.pid}/mem", "rb", buffering=0) as memory:
        assert os.pread(memory.fileno(), 1, place) == target.process.read_memory(place, 1) != b"\xcc"
    assert settles_in(child.pid, "R")
    assert target.interrupt() == [Interrupted(child.pid, child.pid)]


def test_pending_signal_survives_attach_and_detach(debuggees: Debuggees) -> None:
    child = debuggees.start("signals")
    target = debuggees.attach_to(child.pid, "signals")
    target.start()
    os.kill(child.pid, signal.SIGUSR2)
    assert target.wait() == [SignalStop(child.pid, child.pid, signal.SIGUSR2)]
    target.process.detach()
    assert child.wait(timeout=20) == 0
    assert child.stdout is not None
    assert child.stdout.read() == b"got 12\nhandled 1\n"


def refusal(debuggees: Debuggees, pid: int) -> AttachError:
    with pytest.raises(AttachError) as caught:
        debuggees.backend.attach(pid)
    assert not debuggees.backend.processes or pid in debuggees.backend.processes
    return caught.value


def test_no_such_process(debuggees: Debuggees) -> None:
    ended = subprocess.Popen(["/bin/true"])
    ended.wait()
    error = refusal(debuggees, ended.pid)
    assert "there is no such process" in str(error) and error.code == errno.ESRCH


def test_zombie(debuggees: Debuggees) -> None:
    ended = subprocess.Popen(["/bin/true"])
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    assert "it is a zombie" in str(refusal(debuggees, ended.pid))
    ended.wait()


def test_traced_already(debuggees: Debuggees) -> None:
    child = debuggees.start("spinner")
    target = debuggees.attach_to(child.pid, "spinner")
    assert "being debugged by this server already" in str(refusal(debuggees, child.pid))
    target.process.detach()
    command = ["gdb", "-nx", "-q", "-p", str(child.pid)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT) as other:
        assert other.stdout is not None
        seen = b""
        while b"(gdb)" not in seen:
            chunk = os.read(other.stdout.fileno(), 4096)
            assert chunk, seen
            seen += chunk
        assert f"already traced by process {other.pid} (gdb)" in str(refusal(debuggees, child.pid))
        other.communicate(b"detach\nquit\n", timeout=20)


def test_the_server_itself(debuggees: Debuggees) -> None:
    assert "it is this server" in str(refusal(debuggees, os.getpid()))


def test_attach_then_breakpoint(debuggees: Debuggees) -> None:
    target, child = debuggees.attach("threads_many", "8", "2")
    hit = target.plant("hit")
    target.start()
    assert child.stdin is not None
    child.stdin.close()
    hits = 0
    for _ in range(64):
        events = target.wait() if not hits else target.run()
        if not all(isinstance(event, BreakpointHit) for event in events):
            break
        assert {event.address for event in events if isinstance(event, BreakpointHit)} == {hit}
        hits += len(events)
    assert hits == 16


def test_detach_after_a_step_that_a_system_call_held_up(debuggees: Debuggees) -> None:
    """The interrupted call ends with the step's SIGTRAP, which comes after the stop that has interrupted it."""
    child = debuggees.start("blocked_call")
    assert settles_in(child.pid, "S")
    target = debuggees.attach_to(child.pid, "blocked_call")
    target.start(STEP)
    assert settles_in(child.pid, "S")
    assert target.interrupt() == [Interrupted(child.pid, child.pid)]
    target.process.detach()
    assert settles_in(child.pid, "S"), child.wait(timeout=20)
    os.kill(child.pid, signal.SIGUSR1)
    # It is awake when the call returns; attached to before it has handled the signal it would stop for that.
    assert settles_in(child.pid, "S"), child.wait(timeout=20)
    again = debuggees.attach_to(child.pid, "blocked_call")
    assert again.long_at("calls") & 0xFFFFFFFF == 2
