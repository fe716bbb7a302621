"""Signals stopped at, passed, swallowed, injected; job control; faults."""

from __future__ import annotations

import os
import signal
import struct

import pytest

from pydbgserver.target.api import ResumeAction, ResumeKind, RunOptions
from pydbgserver.target.capabilities import SignalInfo
from pydbgserver.target.events import BreakpointHit, Interrupted, ProcessExited, SignalStop, StepDone, SyscallStop
from tests.live.debuggee import CONTINUE, STEP, Debuggee, Debuggees, settles_in

EXIT_GROUP = {"amd64": 231, "i386": 252}
"""arch/x86/entry/syscalls/syscall_64.tbl and syscall_32.tbl"""


def deliver(number: int) -> ResumeAction:
    return ResumeAction(ResumeKind.CONTINUE, signal=number)


def test_stopped_at_then_passed(debuggees: Debuggees) -> None:
    target = debuggees.launch("signals", "self")
    assert target.run() == [SignalStop(target.pid, target.pid, signal.SIGUSR1)]
    assert target.run(deliver(signal.SIGUSR1)) == [SignalStop(target.pid, target.pid, signal.SIGUSR2)]
    assert target.run(deliver(signal.SIGUSR2)) == [ProcessExited(target.pid, exit_code=0)]
    assert "handled 2" in target.output()


def test_swallowed(debuggees: Debuggees) -> None:
    target = debuggees.launch("signals", "self")
    target.run()
    assert target.run(CONTINUE) == [SignalStop(target.pid, target.pid, signal.SIGUSR2)]
    assert target.run(CONTINUE) == [ProcessExited(target.pid, exit_code=0)]
    assert "handled 0" in target.output()


def test_passed_without_a_stop(debuggees: Debuggees) -> None:
    debuggees.backend.set_options(RunOptions(pass_signals=frozenset({signal.SIGUSR1, signal.SIGUSR2})))
    target = debuggees.launch("signals", "self")
    assert target.run() == [ProcessExited(target.pid, exit_code=0)]
    assert "handled 2" in target.output()


def test_a_signal_of_the_clients_own_making(debuggees: Debuggees) -> None:
    target, child = debuggees.attach("signals")
    assert target.run(deliver(signal.SIGUSR2)) == [ProcessExited(target.pid, exit_code=0)]
    assert child.stdout is not None
    assert child.stdout.read() == b"got 12\nhandled 1\n"


def test_siginfo_is_read_and_written(debuggees: Debuggees) -> None:
    target, _ = debuggees.attach("signals")
    target.start()
    os.kill(target.pid, signal.SIGUSR1)
    assert target.wait() == [SignalStop(target.pid, target.pid, signal.SIGUSR1)]
    info = target.process.capability(SignalInfo)
    assert info is not None
    padding = "4x" if target.process.arch.pointer_size == 8 else ""
    number, _, code, sender = struct.unpack_from(f"<iii{padding}i", info.read_siginfo(target.pid))
    assert (number, code, sender) == (signal.SIGUSR1, 0, os.getpid())


def test_segmentation_fault_and_death_of_it(debuggees: Debuggees) -> None:
    target = debuggees.launch("segfault", "0x40")
    assert target.run() == [SignalStop(target.pid, target.pid, signal.SIGSEGV)]
    info = target.process.capability(SignalInfo)
    assert info is not None
    address = "<16xQ" if target.process.arch.pointer_size == 8 else "<12xI"
    assert struct.unpack_from(address, info.read_siginfo(target.pid)) == (0x40,)
    assert target.run(deliver(signal.SIGSEGV)) == [ProcessExited(target.pid, signal=signal.SIGSEGV)]


def test_interrupt_of_a_busy_loop(debuggees: Debuggees) -> None:
    target, _ = debuggees.attach("spinner")
    target.start()
    assert target.interrupt() == [Interrupted(target.pid, target.pid)]
    before = target.pc(target.pid)
    assert target.run(STEP) == [StepDone(target.pid, target.pid)]
    assert target.pc(target.pid) != before or before


def test_signals_racing_with_steps_are_neither_lost_nor_doubled(debuggees: Debuggees) -> None:
    target, _ = debuggees.attach("spinner")
    sent = received = 0
    while received < 100:
        if sent == received:
            os.kill(target.pid, signal.SIGUSR1)
            sent += 1
        (event,) = target.run(STEP)
        if event == SignalStop(target.pid, target.pid, signal.SIGUSR1):
            received += 1
        else:
            assert event == StepDone(target.pid, target.pid)
    assert target.run(STEP) == [StepDone(target.pid, target.pid)]


def test_signal_during_the_step_over_a_trap(debuggees: Debuggees) -> None:
    target = debuggees.launch("loop", "50")
    tick = target.plant("tick")
    target.run()
    signals = hits = 0
    for _ in range(20):
        os.kill(target.pid, signal.SIGUSR1)
        (event,) = target.run()
        assert event == SignalStop(target.pid, target.pid, signal.SIGUSR1)
        signals += 1
        (event,) = target.run()
        assert getattr(event, "address", None) == tick
        hits += 1
    assert (signals, hits) == (20, 20)


def stopped_by_job_control(target: Debuggee) -> None:
    os.kill(target.pid, signal.SIGSTOP)
    assert target.wait() == [SignalStop(target.pid, target.pid, signal.SIGSTOP)]
    target.start(deliver(signal.SIGSTOP))


def test_job_control_stop_is_real_until_sigcont(debuggees: Debuggees) -> None:
    target, _ = debuggees.attach("spinner")
    target.start()
    stopped_by_job_control(target)
    assert target.interrupt() == [Interrupted(target.pid, target.pid)]
    target.start()
    os.kill(target.pid, signal.SIGCONT)
    assert target.wait() == [SignalStop(target.pid, target.pid, signal.SIGCONT)]
    target.start(deliver(signal.SIGCONT))
    assert target.interrupt() == [Interrupted(target.pid, target.pid)]


def test_detach_leaves_a_job_stopped_process_stopped(debuggees: Debuggees) -> None:
    child = debuggees.start("spinner")
    os.kill(child.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
    target = debuggees.attach_to(child.pid, "spinner")
    target.process.detach()
    assert settles_in(child.pid, "T")


def test_a_job_stopped_process_runs_when_it_is_resumed(debuggees: Debuggees) -> None:
    child = debuggees.start("spinner")
    os.kill(child.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
    target = debuggees.attach_to(child.pid, "spinner")
    target.start()
    assert target.interrupt() == [Interrupted(target.pid, target.pid)]
    target.process.detach()
    assert settles_in(child.pid, "R")


def test_a_step_is_not_led_into_a_handler_unannounced(debuggees: Debuggees) -> None:
    """A passed signal that comes while the client steps is reported, as gdbserver does."""
    debuggees.backend.set_options(RunOptions(pass_signals=frozenset({signal.SIGUSR1})))
    target = debuggees.launch("signals", "self")
    os.kill(target.pid, signal.SIGUSR1)
    assert target.run(STEP) == [SignalStop(target.pid, target.pid, signal.SIGUSR1)]


def test_system_calls_to_catch_may_change_in_the_same_options(debuggees: Debuggees) -> None:
    """A session changes its own options and hands them over again."""
    options = RunOptions()
    target = debuggees.launch("exit_code")
    number = EXIT_GROUP[target.process.arch.name]
    debuggees.backend.set_options(options)
    options.catch_syscalls = {target.pid: frozenset({number})}
    debuggees.backend.set_options(options)
    assert target.run() == [SyscallStop(target.pid, target.pid, number, entry=True)]


@pytest.mark.parametrize("kind", [ResumeKind.STEP, ResumeKind.CONTINUE])
def test_a_signal_from_a_trap_goes_to_the_handler_first(debuggees: Debuggees, kind: ResumeKind) -> None:
    target = debuggees.launch("signals", "self")
    handler = target.plant("handler")
    target.run()
    assert target.run(ResumeAction(ResumeKind.CONTINUE, signal=signal.SIGUSR1)) == [
        BreakpointHit(target.pid, target.pid, handler)
    ]
    (event,) = target.run(ResumeAction(kind, signal=signal.SIGUSR2))
    assert isinstance(event, StepDone if kind is ResumeKind.STEP else BreakpointHit)
    assert target.pc(target.pid) == handler
    if target.process.arch.name == "amd64":
        assert target.register(target.pid, "rdi") == signal.SIGUSR2
