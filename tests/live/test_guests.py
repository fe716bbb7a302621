"""Threads with a pid of their own: clone(2) with CLONE_VM and without CLONE_THREAD."""

from __future__ import annotations

import os
import signal

from pydbgserver.target.api import RunOptions
from pydbgserver.target.capabilities import ThreadDetails, ThreadPlacement
from pydbgserver.target.events import BreakpointHit, ProcessExited
from tests.live.debuggee import Debuggee, Debuggees


def at_first(debuggees: Debuggees, *words: str) -> tuple[Debuggee, int]:
    """The program, stopped at the trap that its first guest has met; and that guest."""
    target = debuggees.launch("guests", *words)
    place = target.plant("in_first")
    (event,) = target.run()
    assert isinstance(event, BreakpointHit) and event.pid == target.pid != event.tid and event.address == place
    return target, event.tid


def test_guests_are_threads_of_the_program(debuggees: Debuggees) -> None:
    target, first = at_first(debuggees)
    place = target.plant("in_second")
    assert target.process.threads() == [target.pid, first]
    (event,) = target.run()
    assert isinstance(event, BreakpointHit) and event.pid == target.pid and event.address == place
    assert event.tid not in (target.pid, first)
    assert target.process.threads() == [target.pid, event.tid]
    assert target.run() == [ProcessExited(target.pid, exit_code=0)]
    assert target.output() == "ready\nfirst ended with 768\n"


def test_a_guest_is_described_like_a_thread(debuggees: Debuggees) -> None:
    target, first = at_first(debuggees)
    placement, details = target.process.capability(ThreadPlacement), target.process.capability(ThreadDetails)
    assert placement is not None and details is not None
    assert target.process.thread_name(first) == "guests"
    assert 0 <= placement.core(first) < (os.cpu_count() or 1)
    assert details.details(first)["state"] == "t"


def test_a_guest_that_executes_another_program_is_let_go(debuggees: Debuggees) -> None:
    debuggees.backend.set_options(RunOptions(pass_signals=frozenset({signal.SIGCHLD})))
    target, _ = at_first(debuggees, "exec")
    assert target.run() == [ProcessExited(target.pid, exit_code=0)]
    assert target.output() == "ready\nfirst ended with 0\n"
