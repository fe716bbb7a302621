"""Leaving a trap: what the thread executes elsewhere must be as if it had been executed where it is."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from pydbgserver.target.api import ResumeAction, ResumeKind, RunOptions
from pydbgserver.target.events import BreakpointHit, Interrupted, ProcessExited, SignalStop, StepDone
from tests.live.debuggee import DEADLINE_US, STEP, Debuggee, Debuggees, state_of


def executable_bytes(target: Debuggee) -> dict[int, bytes]:
    """What the kernel says of every executable mapping: traps and slots are seen."""
    found = {}
    with open(f"/proc/{target.pid}/mem", "rb", buffering=0) as memory:
        for line in Path(f"/proc/{target.pid}/maps").read_text().splitlines():
            span, permissions, *_ = line.split()
            if "x" in permissions and "[" not in line:
                start, end = (int(part, 16) for part in span.split("-"))
                memory.seek(start)
                found[start] = memory.read(end - start)
    return found


def comes_to_sleep(target: Debuggee) -> bool:
    """Without a stop, however often the tracer has to see to it before that."""
    deadline = time.monotonic() + DEADLINE_US / 1e6
    while state_of(target.pid) != "S" and time.monotonic() < deadline:
        assert not target.backend.poll()
        os.sched_yield()
    return state_of(target.pid) == "S"


def sleeps_and_is_interrupted(target: Debuggee) -> None:
    assert comes_to_sleep(target)
    assert target.interrupt() == [Interrupted(target.pid, target.pid)]


def sleeps_and_gets_a_signal(target: Debuggee) -> None:
    assert comes_to_sleep(target)
    os.kill(target.pid, signal.SIGUSR1)
    assert target.wait() == [SignalStop(target.pid, target.pid, signal.SIGUSR1)]


def test_a_blocking_system_call_that_goes_on_is_no_new_hit(debuggees: Debuggees) -> None:
    target = debuggees.launch("blocked_call")
    blocking = target.plant("blocking")
    hit = [BreakpointHit(target.pid, target.pid, blocking)]
    assert target.run() == hit
    for _ in range(3):
        target.start()
        sleeps_and_is_interrupted(target)
    target.start()
    sleeps_and_gets_a_signal(target)
    assert target.run(ResumeAction(ResumeKind.CONTINUE, signal=signal.SIGUSR1)) == hit
    assert target.long_at("calls") & 0xFFFFFFFF == 2


def test_a_step_that_was_interrupted_leaves_no_signal_behind(debuggees: Debuggees) -> None:
    """The end of an interrupted system call is the step's end, too, but the interrupt is told of first."""
    target = debuggees.launch("blocked_call")
    for action in (ResumeAction(ResumeKind.CONTINUE), STEP, ResumeAction(ResumeKind.CONTINUE)):
        target.start(action)
        sleeps_and_is_interrupted(target)
    target.start()
    sleeps_and_gets_a_signal(target)


def test_every_instruction_of_a_function_with_a_trap_on_each(debuggees: Debuggees) -> None:
    """Continuing from trap to trap gives what the function gives: moved instructions and jumps are the same."""
    target = debuggees.launch("loop", "3")
    tick = target.plant("tick")
    target.run()
    trail = [tick]
    while len(trail) < 400:
        target.run(STEP)
        trail.append(target.register(target.pid, "rip"))
        if trail[-1] == tick:
            break
    planted = sorted(set(trail))
    for address in planted:
        target.process.insert_breakpoint(address, 1)
    for expected in trail:
        assert target.run() == [BreakpointHit(target.pid, target.pid, expected)]
    for address in planted:
        target.process.remove_breakpoint(address, 1)
    assert target.run() == [ProcessExited(target.pid, exit_code=0)]
    assert "total 3" in target.output()


def test_nothing_is_left_in_the_code(debuggees: Debuggees) -> None:
    target = debuggees.launch("loop", "1000000000")
    tick = target.address("tick")
    target.process.insert_breakpoint(tick, 1)
    target.run()
    target.process.remove_breakpoint(tick, 1)
    before = executable_bytes(target)
    target.process.insert_breakpoint(tick, 1)
    for _ in range(3):
        assert target.run() == [BreakpointHit(target.pid, target.pid, tick)]
    changed = executable_bytes(target)
    assert changed != before
    for start, data in before.items():
        seen = b"".join(target.process.read_memory(start + at, 4096) for at in range(0, len(data), 4096))
        assert seen == data
    debuggees.backend.set_options(RunOptions(unattended=True))
    assert executable_bytes(target) == before


@pytest.mark.parametrize("passed", [True, False])
def test_signals_while_a_thread_leaves_a_trap(debuggees: Debuggees, passed: bool) -> None:
    """The program gets each of them, and the trap is hit once for every call."""
    target = debuggees.launch("loop", "200")
    tick = target.plant("tick")
    target.backend.set_options(RunOptions(pass_signals=frozenset({signal.SIGURG} if passed else ())))
    hits = 0
    while True:
        events = target.run()
        if isinstance(events[0], ProcessExited):
            break
        if isinstance(events[0], BreakpointHit):
            hits += 1
            assert events == [BreakpointHit(target.pid, target.pid, tick)]
            os.kill(target.pid, signal.SIGURG)
        else:
            assert not passed and events == [SignalStop(target.pid, target.pid, signal.SIGURG)]
    assert hits == 200
    assert "total 19900" in target.output()


def test_a_step_from_a_trap_ends_at_the_next_instruction(debuggees: Debuggees) -> None:
    target = debuggees.launch("loop")
    tick = target.plant("tick")
    target.run()
    before = target.register(target.pid, "rsp")
    assert target.run(STEP) == [StepDone(target.pid, target.pid)]
    assert tick < target.register(target.pid, "rip") <= tick + 15
    assert target.register(target.pid, "rsp") <= before
