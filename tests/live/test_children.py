"""fork, vfork and posix_spawn: children leave clean, or are held when the client asked."""

from __future__ import annotations

import signal
from typing import NoReturn

import pytest

from pydbgserver.arch.disasm import disassemble
from pydbgserver.backends.linux import backend
from pydbgserver.errors import NoSuchProcess
from pydbgserver.target.api import ResumeAction, ResumeKind, RunOptions
from pydbgserver.target.events import BreakpointHit, Execed, Forked, ProcessExited, VforkDone
from tests.live.debuggee import Debuggee, Debuggees

QUIET = RunOptions(pass_signals=frozenset({signal.SIGCHLD}))
FORKS = RunOptions(report_forks=True, report_vforks=True, pass_signals=QUIET.pass_signals)


def test_child_of_fork_is_rid_of_traps(debuggees: Debuggees) -> None:
    debuggees.backend.set_options(QUIET)
    target = debuggees.launch("fork")
    both, child_only = target.plant("in_both"), target.plant("in_child")
    assert target.run() == [BreakpointHit(target.pid, target.pid, both)]
    assert target.run() == [ProcessExited(target.pid, exit_code=6)]
    assert "child" in target.output() and "parent 5" in target.output()
    assert child_only


@pytest.mark.parametrize("symbol", ["by_vfork", "by_posix_spawn"])
def test_vfork_child_runs_through_the_parents_traps(debuggees: Debuggees, symbol: str) -> None:
    debuggees.backend.set_options(QUIET)
    target = debuggees.launch("vfork")
    start = target.plant(symbol)
    assert target.run() == [BreakpointHit(target.pid, target.pid, start)]
    code = target.process.read_memory(start, 128)
    places = [address for address, _, text in disassemble(target.process.arch, code, start)]
    for place in places:
        target.process.insert_breakpoint(place, 1)
    hits = []
    while not isinstance((event := target.run()[0]), ProcessExited):
        assert isinstance(event, BreakpointHit) and event.tid == target.pid
        hits.append(event.address)
    assert event.exit_code == 0
    assert len(hits) >= 10 and set(hits) <= set(places)


def child_of(target: Debuggee, event: Forked) -> Debuggee:
    process = target.backend.processes[event.child_pid]
    return Debuggee(target.backend, process, target._path, None)


def nothing_is_known(pid: int, **_: object) -> NoReturn:
    raise NoSuchProcess(pid)


def test_child_that_is_gone_when_its_fork_is_told(debuggees: Debuggees, monkeypatch: pytest.MonkeyPatch) -> None:
    debuggees.backend.set_options(FORKS)
    target = debuggees.launch("fork")
    monkeypatch.setattr(backend, "describe_cpu", nothing_is_known)
    (event,) = target.run()
    assert isinstance(event, Forked)
    assert child_of(target, event).process.arch is target.process.arch


def test_program_that_is_gone_when_its_exec_is_told(debuggees: Debuggees, monkeypatch: pytest.MonkeyPatch) -> None:
    debuggees.backend.set_options(RunOptions(report_execs=True))
    target = debuggees.launch("exec", "/bin/true")
    arch = target.process.arch
    monkeypatch.setattr(backend, "describe_cpu", nothing_is_known)
    assert isinstance(target.run()[0], Execed)
    assert target.process.arch is arch
    assert target.run() == [ProcessExited(target.pid, exit_code=0)]


def test_fork_reported_and_child_detached(debuggees: Debuggees) -> None:
    debuggees.backend.set_options(FORKS)
    target = debuggees.launch("fork")
    target.plant("in_child")
    (event,) = target.run()
    assert isinstance(event, Forked) and event.tid == target.pid and not event.vfork
    child_of(target, event).process.detach()
    assert target.run() == [ProcessExited(target.pid, exit_code=6)]


def test_fork_reported_and_child_followed(debuggees: Debuggees) -> None:
    debuggees.backend.set_options(FORKS)
    target = debuggees.launch("fork")
    place = target.plant("in_child")
    (event,) = target.run()
    assert isinstance(event, Forked)
    child = child_of(target, event)
    target.process.detach()
    assert child.run() == [BreakpointHit(child.pid, child.pid, place)]
    assert child.run() == [ProcessExited(child.pid, exit_code=5)]


def test_both_processes_debugged(debuggees: Debuggees) -> None:
    debuggees.backend.set_options(FORKS)
    target = debuggees.launch("fork")
    in_parent, in_child = target.plant("in_parent"), target.plant("in_child")
    (event,) = target.run()
    assert isinstance(event, Forked)
    child = child_of(target, event)
    only_child = ResumeAction(ResumeKind.CONTINUE, pid=child.pid)
    assert target.run(only_child) == [BreakpointHit(child.pid, child.pid, in_child)]
    assert target.run(only_child) == [ProcessExited(child.pid, exit_code=5)]
    events = list(target.run())
    assert BreakpointHit(target.pid, target.pid, in_parent) in events


def test_vfork_reported_and_child_detached_with_traps_in_shared_memory(debuggees: Debuggees) -> None:
    debuggees.backend.set_options(FORKS)
    target = debuggees.launch("vfork")
    target.plant("by_posix_spawn")
    (event,) = target.run()
    assert isinstance(event, Forked) and event.vfork
    child_of(target, event).process.detach()
    assert target.run() == [VforkDone(target.pid, target.pid)]
    (hit,) = target.run()
    assert isinstance(hit, BreakpointHit)
