"""Threads, signals, jumps and other programs under lldb: what happens to one of them while others run."""

from __future__ import annotations

import pytest

from tests.e2e.clients import LLDB, ClientKind
from tests.e2e.conftest import Debug, require_client
from tests.e2e.session import KILL, Session, Step

THREADS, HITS = 8, 4

COUNT_HITS = (
    "hits = {}",
    "stopped = lambda: [t for t in lldb.process if t.GetStopReason() == lldb.eStopReasonBreakpoint]",
    "note = lambda: [hits.__setitem__(t.id, hits.get(t.id, 0) + 1) for t in stopped()]",
    "go_on = lambda: (note(), lldb.process.Continue())",
    f"[go_on() for turn in range({THREADS * HITS + 1}) if lldb.process.GetState() == lldb.eStateStopped] and None",
)
"""Lines of lldb's Python: continue to the end, and count by thread how often each has been at a breakpoint."""


@pytest.fixture
def lldb() -> ClientKind:
    return require_client(LLDB.name)


def at_line(debug: Debug, lldb: ClientKind, mark: str, *arguments: str) -> Session:
    """The program `jumps` stands at the line with the comment `mark`, its other thread counts when it runs."""
    session = debug.start(lldb, "jumps", *arguments)
    session.run(
        Step(None, "process handle -s false -n false -p true SIGUSR1", r"SIGUSR1"),
        Step(None, f"breakpoint set -p 'step: {mark}'", r"Breakpoint 1"),
        Step(None, "continue", rf"-> .*step: {mark}"),
        Step(None, "breakpoint delete 1", r"1 breakpoints deleted"),
    )
    return session


def test_each_of_many_threads_is_reported_at_a_breakpoint(debug: Debug, lldb: ClientKind) -> None:
    session = debug.start(lldb, "threads_many", str(THREADS), str(HITS), "now")
    session.run(
        Step(None, "breakpoint set -n hit", r"Breakpoint 1"),
        Step(None, "continue", r"stop reason = breakpoint 1"),
        *(Step(None, f"script {line}", not_sees="Error") for line in COUNT_HITS),
        Step(None, "script print(sorted(hits.values()))", rf"^\[{', '.join([str(HITS)] * THREADS)}\]$"),
        Step(None, "process status", r"exited with status = 0"),
    )


def test_others_stand_still_or_run_while_one_thread_steps(debug: Debug, lldb: ClientKind) -> None:
    session = at_line(debug, lldb, "spin")
    turns = "lldb.target.FindFirstGlobalVariable('turns').GetValueAsSigned()"
    session.run(
        Step(None, f"script before = {turns}"),
        Step(None, "thread step-over -m this-thread", r"-> .*step: see others run"),
        Step(None, f"script print({turns} - before)", r"^0$"),
        Step(None, "thread step-over -m all-threads", r"-> .*step: signal"),
        Step(None, f"script print({turns} - before >= 1000)", r"^True$"),
        *KILL,
    )


def test_a_step_over_a_signal_ends_on_the_next_line(debug: Debug, lldb: ClientKind) -> None:
    session = at_line(debug, lldb, "signal")
    session.run(
        Step(None, "thread step-over", r"-> .*step: setjmp"),
        Step(None, "expression handled", r"= 1$"),
        *KILL,
    )


def test_a_step_that_a_signal_stops_is_finished_later(debug: Debug, lldb: ClientKind) -> None:
    session = at_line(debug, lldb, "signal")
    session.run(
        Step(None, "process handle -s true SIGUSR1", r"SIGUSR1"),
        Step(None, "thread step-over", r"stop reason = signal SIGUSR1"),
        Step(None, "expression handled", r"= 0$"),
        Step(None, "continue", (r"stop reason = step over", r"-> .*step: setjmp")),
        Step(None, "expression handled", r"= 1$"),
        *KILL,
    )


def test_a_step_over_longjmp(debug: Debug, lldb: ClientKind) -> None:
    session = at_line(debug, lldb, "jump")
    session.run(Step(None, "thread step-over", r"-> .*step: jumped"), Step(None, "expression value", r"= 7$"), *KILL)


def test_a_step_over_exec(debug: Debug, lldb: ClientKind) -> None:
    session = at_line(debug, lldb, "exec", "exec")
    session.run(
        Step(None, "thread step-over", r"stop reason = exec"),
        Step(None, "continue", r"exited with status = 3"),
    )
