"""Events of single threads: what a thread clones, and its end."""

from __future__ import annotations

import pytest

from pydbgserver.errors import NoSuchThread
from pydbgserver.target.api import ResumeAction, ResumeKind
from pydbgserver.target.capabilities import ThreadReports
from pydbgserver.target.events import BreakpointHit, Cloned, ProcessExited, ThreadExited
from tests.live.debuggee import Debuggee, Debuggees


def reports(target: Debuggee) -> ThreadReports:
    found = target.process.capability(ThreadReports)
    assert found is not None
    return found


def test_a_clone_is_reported_and_its_thread_waits(debuggees: Debuggees) -> None:
    target = debuggees.launch("threads", stdin="/dev/null")
    reports(target).report(target.pid, clones=True, exits=False)
    (event,) = target.run()
    assert isinstance(event, Cloned) and event.tid == target.pid
    assert list(target.process.threads()) == [target.pid, event.child_tid]
    all_here = target.plant("all_here")
    reports(target).report(-1, clones=False, exits=False)
    # The new thread has not been resumed: the barrier of the program is not passed without it.
    target.start(ResumeAction(ResumeKind.STOP, target.pid, event.child_tid), ResumeAction(ResumeKind.CONTINUE))
    target.interrupt()
    assert target.run() == [BreakpointHit(target.pid, target.pid, all_here)]
    assert target.run() == [ProcessExited(target.pid, exit_code=0)]


def test_the_end_of_one_thread_is_reported(debuggees: Debuggees) -> None:
    target = debuggees.launch("threads", stdin="/dev/null")
    target.plant("all_here")
    target.run()
    chosen = target.process.threads()[2]
    reports(target).report(chosen, clones=False, exits=True)
    assert target.run() == [ThreadExited(target.pid, chosen, 0)]
    assert target.run() == [ProcessExited(target.pid, exit_code=0)]


def test_a_thread_that_is_not_there(debuggees: Debuggees) -> None:
    target = debuggees.launch("threads", stdin="/dev/null")
    with pytest.raises(NoSuchThread):
        reports(target).report(1, clones=True, exits=True)
