"""Threads that come, go, exec and die while stops are collected."""

from __future__ import annotations

import os

from pydbgserver.target.api import ResumeAction, ResumeKind, RunOptions
from pydbgserver.target.events import (
    BreakpointHit,
    Execed,
    Interrupted,
    NoneResumed,
    ProcessExited,
    StepDone,
    ThreadExited,
    ThreadStarted,
)
from pydbgserver.target.registers import pc
from tests.live.debuggee import Debuggees


def test_threads_are_listed_and_named(debuggees: Debuggees) -> None:
    target = debuggees.launch("threads", stdin="/dev/null")
    target.plant("all_here")
    events = target.run()
    assert isinstance(events[0], BreakpointHit) and events[0].tid == target.pid
    tids = target.process.threads()
    assert tids[0] == target.pid and len(tids) == 6
    assert [target.process.thread_name(tid) for tid in tids[1:]] == [f"worker-{i}" for i in range(5)]
    assert target.run() == [ProcessExited(target.pid, exit_code=0)]


def test_threads_born_and_dying_while_stops_are_collected(debuggees: Debuggees) -> None:
    target = debuggees.launch("churn", "4", "100")
    born = target.plant("born")
    hits = 0
    while True:
        events = target.run()
        if events == [ProcessExited(target.pid, exit_code=0)]:
            break
        for event in events:
            assert isinstance(event, BreakpointHit) and event.address == born
        hits += len(events)
    assert hits == 400
    assert "births 400" in target.output()


def test_interrupts_among_threads_born_and_dying(debuggees: Debuggees) -> None:
    target, _ = debuggees.attach("churn")
    for _ in range(50):
        target.start()
        (event,) = target.interrupt()
        assert isinstance(event, Interrupted) and event.tid == target.pid
        alive = {int(name) for name in os.listdir(f"/proc/{target.pid}/task")}
        assert set(target.process.threads()) <= alive


def test_one_thread_steps_while_the_others_stay(debuggees: Debuggees) -> None:
    target = debuggees.launch("threads", stdin="/dev/null")
    target.plant("all_here")
    target.run()
    others = {tid: target.pc(tid) for tid in target.process.threads()[1:]}
    for _ in range(20):
        assert target.run(ResumeAction(ResumeKind.STEP, tid=target.pid)) == [StepDone(target.pid, target.pid)]
    assert {tid: target.pc(tid) for tid in others} == others


def test_thread_events_when_asked_for(debuggees: Debuggees) -> None:
    debuggees.backend.set_options(RunOptions(report_threads=True))
    target = debuggees.launch("churn", "1", "2")
    seen = []
    while True:
        events = target.run()
        seen += [type(event) for event in events]
        if isinstance(events[0], ProcessExited):
            break
    assert seen.count(ThreadStarted) == 3
    assert seen.count(ThreadExited) == 3


def test_leader_exits_before_its_threads(debuggees: Debuggees) -> None:
    target = debuggees.launch("leader_exit", stdin="/dev/null")
    target.plant("leader_gone")
    (event,) = target.run()
    assert isinstance(event, BreakpointHit) and event.tid != target.pid
    assert target.process.threads() == [event.tid]
    assert target.process.read_memory(event.address, 4)
    assert target.run() == [ProcessExited(target.pid, exit_code=3)]


def test_attach_after_the_leader_has_exited(debuggees: Debuggees) -> None:
    target, child = debuggees.attach("leader_exit")
    (tid,) = target.process.threads()
    assert tid != target.pid
    target.start()
    assert child.stdin is not None
    child.stdin.close()
    assert isinstance(target.wait()[0], ProcessExited)


def test_exec_replaces_the_program(debuggees: Debuggees) -> None:
    other = str(debuggees.programs("exit_code"))
    target = debuggees.launch("exec", other)
    target.plant("main")
    target.run()
    assert target.run() == [Execed(target.pid, target.pid, other)]
    assert target.run() == [ProcessExited(target.pid, exit_code=42)]


def test_exec_from_a_thread_that_is_not_the_leader(debuggees: Debuggees) -> None:
    other = str(debuggees.programs("exit_code"))
    target = debuggees.launch("exec_thread", other)
    target.plant("replacer")
    (hit,) = target.run()
    assert isinstance(hit, BreakpointHit) and hit.tid != target.pid
    assert target.run() == [Execed(target.pid, target.pid, other)]
    assert target.process.threads() == [target.pid]
    assert target.run() == [ProcessExited(target.pid, exit_code=42)]


def test_kill_takes_every_thread(debuggees: Debuggees) -> None:
    target = debuggees.launch("threads", stdin="/dev/null")
    target.plant("all_here")
    target.run()
    target.process.kill()
    assert not os.path.exists(f"/proc/{target.pid}")
    assert not debuggees.backend.processes


def test_the_only_resumed_thread_ends(debuggees: Debuggees) -> None:
    target = debuggees.launch("churn", "1", "1")
    target.plant("born")
    (hit,) = target.run()
    assert isinstance(hit, BreakpointHit) and hit.tid != target.pid
    events = target.run(ResumeAction(ResumeKind.CONTINUE, tid=hit.tid))
    assert events == [NoneResumed(target.pid, target.pid)]
    assert hit.tid not in target.process.threads()
    assert target.run() == [ProcessExited(target.pid, exit_code=0)]


def test_steps_of_many_threads_at_once(debuggees: Debuggees) -> None:
    """Whoever has executed its instruction is told of, also when its SIGTRAP is behind the stop for another's: lldb 23
    steps so over a breakpoint that several threads are at."""
    target = debuggees.launch("threads_many", "10", "30", stdin="/dev/null")
    process = target.process
    address = target.plant("hit")
    told = 0
    while not isinstance((events := target.run())[0], ProcessExited):
        process.remove_breakpoint(address, 1)
        there = {event.tid for event in events if isinstance(event, BreakpointHit)}
        while there:
            steps = target.run(*[ResumeAction(ResumeKind.STEP, target.pid, tid) for tid in sorted(there)])
            done = {event.tid for event in steps if isinstance(event, StepDone)}
            assert done == {tid for tid in there if pc(process, tid) != address}
            there -= done
            told += len(done)
        process.insert_breakpoint(address, 1)
    assert told == 300
