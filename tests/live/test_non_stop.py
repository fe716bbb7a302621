"""Threads that stop, are looked at and are resumed while others run."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator

import pytest

from pydbgserver.errors import TargetRunning
from pydbgserver.target.api import ResumeAction, ResumeKind, RunOptions, StopScope
from pydbgserver.target.capabilities import HardwareDebug
from pydbgserver.target.events import (
    BreakpointHit,
    Forked,
    Halted,
    Interrupted,
    NoneResumed,
    ProcessExited,
    SignalStop,
    StepDone,
    StopEvent,
    ThreadEvent,
    VforkDone,
    WatchKind,
    WatchpointHit,
)
from tests.live.debuggee import DEADLINE_US, Debuggee, Debuggees

CONTINUE, STEP, STOP = ResumeKind.CONTINUE, ResumeKind.STEP, ResumeKind.STOP


@pytest.fixture
def non_stop(debuggees: Debuggees) -> Iterator[Debuggees]:
    """Thread by thread; all-stop again at the end."""
    found.clear()
    yield debuggees
    debuggees.backend.set_scope(StopScope.ALL)


found: list[StopEvent] = []
"""What has happened and has not been looked at."""


def go(target: Debuggee, *actions: ResumeAction) -> None:
    """Apply `actions`."""
    found.extend(target.backend.resume(actions))


def known(target: Debuggee, *events: StopEvent) -> None:
    """The client has heard of these stops."""
    for event in events:
        if isinstance(event, ThreadEvent) and event.tid in target.process.threads():
            target.backend.acknowledge(event.tid)


def next_event(target: Debuggee) -> StopEvent:
    """The one thing that happens next, acknowledged."""
    if not found:
        found.extend(target.wait())
    event = found.pop(0)
    known(target, event)
    return event


def late_events(target: Debuggee) -> list[StopEvent]:
    """What else has happened, acknowledged."""
    events = [*found, *target.backend.poll()]
    found.clear()
    known(target, *events)
    return events


def until(target: Debuggee, condition: Callable[[], bool]) -> bool:
    """Whether it comes true in time, while the target runs and nothing is reported."""
    deadline = time.monotonic() + DEADLINE_US / 1e6
    while not condition() and time.monotonic() < deadline:
        assert [*found, *target.backend.poll(budget_us=1000)] == []
    return condition()


def start_workers(debuggees: Debuggees, count: int, times: int) -> tuple[Debuggee, list[int]]:
    """`threads_many` stopped where all workers are there and wait; thread by thread from here on."""
    target = debuggees.launch("threads_many", str(count), str(times), "go")
    target.plant("ready")
    (event,) = target.run()
    assert isinstance(event, BreakpointHit)
    debuggees.backend.set_scope(StopScope.THREAD)
    return target, list(target.process.threads())


def test_one_thread_is_stopped_and_looked_at_while_another_spins(non_stop: Debuggees) -> None:
    target, _ = non_stop.attach("churn", "2", "0")
    target.backend.set_scope(StopScope.THREAD)
    go(target, ResumeAction(CONTINUE))
    before = target.long_at("births")
    assert until(target, lambda: target.long_at("births") > before)
    go(target, ResumeAction(STOP, target.pid, target.pid))
    assert next_event(target) == Halted(target.pid, target.pid)
    assert target.register(target.pid, "rsp") > 0
    stopped_at = target.long_at("births")
    assert until(target, lambda: target.long_at("births") > stopped_at + 10)


def test_registers_of_a_running_thread_are_refused(non_stop: Debuggees) -> None:
    target, _ = non_stop.attach("spinner")
    target.backend.set_scope(StopScope.THREAD)
    go(target, ResumeAction(CONTINUE))
    with pytest.raises(TargetRunning, match=f"thread {target.pid} is running"):
        target.register(target.pid, "rip")
    go(target, ResumeAction(STOP))
    assert isinstance(next_event(target), Halted)
    assert target.register(target.pid, "rip")


def test_breakpoints_planted_and_removed_in_a_running_program(non_stop: Debuggees) -> None:
    target, _ = non_stop.attach("churn", "4", "0")
    target.backend.set_scope(StopScope.THREAD)
    go(target, ResumeAction(CONTINUE))
    for _ in range(30):
        born = target.plant("born")
        event = next_event(target)
        assert isinstance(event, BreakpointHit) and event.address == born
        target.process.remove_breakpoint(born, 1)
        # Others have hit it meanwhile: their stops are true, and no thread is left in the middle of the instruction.
        assert all(isinstance(late, BreakpointHit) for late in late_events(target))
        go(target, ResumeAction(CONTINUE))
    before = target.long_at("births")
    late_events(target)
    go(target, ResumeAction(CONTINUE))
    assert until(target, lambda: target.long_at("births") > before)


def test_actions_of_all_kinds_over_thousands_of_stops(non_stop: Debuggees) -> None:
    workers, times = 6, 300
    target, tids = start_workers(non_stop, workers, times)
    backend, pid, choose = target.backend, target.pid, random.Random(20)
    hit = target.plant("hit")
    hits = stops = 0
    known(target, *(ThreadEvent(pid, tid) for tid in tids))
    events = list(backend.resume([ResumeAction(CONTINUE)]) or target.wait())
    while events != [ProcessExited(pid, exit_code=0)]:
        for event in events:
            assert isinstance(event, (BreakpointHit, StepDone, Halted)), event
            known(target, event)
            stops += 1
            hits += isinstance(event, BreakpointHit)
            if isinstance(event, BreakpointHit):
                assert event.address == hit == target.register(event.tid, "rip")
        stopped = [one.tid for one in events if isinstance(one, ThreadEvent)]
        actions = [ResumeAction(choose.choice((CONTINUE, CONTINUE, STEP)), pid, tid) for tid in stopped]
        if choose.random() < 0.3:
            actions.append(ResumeAction(STOP, pid, choose.choice(tids)))
        events = list(backend.resume(actions))
        events = events or list(target.wait())
    assert hits == workers * times
    assert stops > 2000
    assert f"total {workers * times}" in target.output()


def test_an_interrupt_stops_one_thread(non_stop: Debuggees) -> None:
    target, tids = start_workers(non_stop, 3, 0)
    go(target, *(ResumeAction(CONTINUE, target.pid, tid) for tid in tids[1:]))
    target.backend.interrupt()
    event = next_event(target)
    assert isinstance(event, Interrupted)
    assert event.tid in tids[1:]
    assert late_events(target) == []


def test_signals_are_told_thread_by_thread_and_delivered(non_stop: Debuggees) -> None:
    target, child = non_stop.attach("spinner")
    target.backend.set_scope(StopScope.THREAD)
    go(target, ResumeAction(CONTINUE))
    child.send_signal(15)
    assert next_event(target) == SignalStop(target.pid, target.pid, 15)
    go(target, ResumeAction(CONTINUE, target.pid, target.pid, signal=15))
    assert next_event(target) == ProcessExited(target.pid, exit_code=7)


def test_a_watchpoint_set_and_taken_away_while_threads_run(non_stop: Debuggees) -> None:
    target, _ = non_stop.attach("churn", "3", "0")
    target.backend.set_scope(StopScope.THREAD)
    go(target, ResumeAction(CONTINUE))
    hardware = target.process.capability(HardwareDebug)
    assert hardware is not None
    for _ in range(10):
        address = target.address("births")
        hardware.insert(WatchKind.WRITE, address, 8)
        event = next_event(target)
        assert isinstance(event, WatchpointHit) and event.address == address
        hardware.remove(WatchKind.WRITE, address, 8)
        assert all(isinstance(late, WatchpointHit) for late in late_events(target))
        go(target, ResumeAction(CONTINUE))


def test_ends_of_threads_are_told_and_of_the_last_one_that_runs(non_stop: Debuggees) -> None:
    target, tids = start_workers(non_stop, 2, 1)
    target.backend.set_options(RunOptions(report_threads=True))
    known(target, *(ThreadEvent(target.pid, tid) for tid in tids))
    # The leader goes through the barrier and waits in pthread_join; then it is stopped, and the workers end.
    born = target.plant("hit")
    go(target, ResumeAction(CONTINUE))
    hits = [next_event(target), next_event(target)]
    assert all(isinstance(one, BreakpointHit) and one.address == born for one in hits)
    go(target, ResumeAction(STOP, target.pid, target.pid))
    assert next_event(target) == Halted(target.pid, target.pid)
    go(target, *(ResumeAction(CONTINUE, target.pid, tid) for tid in tids[1:]))
    ends = {next_event(target).tid, next_event(target).tid}  # type: ignore[union-attr]
    assert ends == set(tids[1:])


def test_the_last_running_thread_ends_unseen(non_stop: Debuggees) -> None:
    target, tids = start_workers(non_stop, 1, 1)
    target.plant("hit")
    go(target, ResumeAction(CONTINUE))
    assert isinstance(next_event(target), BreakpointHit)
    go(target, ResumeAction(STOP, target.pid, target.pid))
    assert isinstance(next_event(target), Halted)
    go(target, ResumeAction(CONTINUE, target.pid, tids[1]))
    assert next_event(target) == NoneResumed(target.pid, target.pid)


def test_a_fork_child_is_kept_and_both_go_on(non_stop: Debuggees) -> None:
    non_stop.backend.set_options(RunOptions(report_forks=True, report_vforks=True))
    target = non_stop.launch("fork")
    non_stop.backend.set_scope(StopScope.THREAD)
    go(target, ResumeAction(CONTINUE))
    event = next_event(target)
    assert isinstance(event, Forked)
    child = target.backend.processes[event.child_pid]
    assert child.threads() == [event.child_pid]
    child.detach()
    go(target, ResumeAction(CONTINUE))
    event = next_event(target)
    while isinstance(event, SignalStop):
        go(target, ResumeAction(CONTINUE, signal=event.signal))
        event = next_event(target)
    assert isinstance(event, ProcessExited)


def test_a_vfork_child_in_non_stop(non_stop: Debuggees) -> None:
    non_stop.backend.set_options(RunOptions(report_forks=True, report_vforks=True))
    target = non_stop.launch("vfork")
    non_stop.backend.set_scope(StopScope.THREAD)
    go(target, ResumeAction(CONTINUE))
    event = next_event(target)
    assert isinstance(event, Forked) and event.vfork
    target.backend.processes[event.child_pid].detach()
    go(target, ResumeAction(CONTINUE))
    assert next_event(target) == VforkDone(target.pid, target.pid)


def test_kill_and_detach_while_threads_run(non_stop: Debuggees) -> None:
    first, _ = non_stop.attach("churn", "3", "0")
    second, child = non_stop.attach("churn", "3", "0")
    first.backend.set_scope(StopScope.THREAD)
    go(first, ResumeAction(CONTINUE))
    second.plant("born")
    next_event(second)
    second.process.detach()
    assert child.poll() is None
    first.process.kill()
    assert not first.backend.processes


def test_an_attach_while_another_program_runs(non_stop: Debuggees) -> None:
    first, _ = non_stop.attach("churn", "2", "0")
    first.backend.set_scope(StopScope.THREAD)
    go(first, ResumeAction(CONTINUE))
    second, _ = non_stop.attach("spinner")
    before = first.long_at("births")
    assert until(first, lambda: first.long_at("births") > before)
    second.backend.run_attached(second.pid)
    with pytest.raises(TargetRunning):
        second.register(second.pid, "rip")
    go(second, ResumeAction(STOP, second.pid))
    assert next_event(second) == Halted(second.pid, second.pid)


def test_back_in_all_stop_everything_stands(non_stop: Debuggees) -> None:
    target, _ = non_stop.attach("churn", "3", "0")
    for _ in range(20):
        target.backend.set_scope(StopScope.THREAD)
        go(target, ResumeAction(CONTINUE))
        assert target.backend.set_scope(StopScope.ALL) == []
        for tid in target.process.threads():
            assert target.register(tid, "rip")
    target.start()
    (event,) = target.interrupt()
    assert isinstance(event, Interrupted)


def test_process_by_process_one_stops_whole(non_stop: Debuggees) -> None:
    first, _ = non_stop.attach("churn", "3", "0")
    second, _ = non_stop.attach("churn", "2", "0")
    first.backend.set_scope(StopScope.PROCESS)
    go(first, ResumeAction(CONTINUE))
    born = first.plant("born")
    for _ in range(50):
        events = [next_event(first), *late_events(first)]
        assert {event.pid for event in events} == {first.pid}
        assert all(isinstance(event, BreakpointHit) and event.address == born for event in events)
        for tid in first.process.threads():
            assert first.register(tid, "rip")
        go(first, ResumeAction(CONTINUE, first.pid))
    next_event(first)
    late_events(first)
    first.process.remove_breakpoint(born, 1)
    before = second.long_at("births")
    assert until(second, lambda: second.long_at("births") > before)
