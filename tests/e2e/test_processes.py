"""Attach, detach and attach again; fork, vfork and exec; programs that change under the client."""

from __future__ import annotations

import signal

import pytest

from tests.e2e.clients import ClientKind
from tests.e2e.conftest import Debug
from tests.e2e.servers import with_peers
from tests.e2e.session import DETACH, Step, select_thread


def test_attach_detach_and_attach_again(debug: Debug, kind: ClientKind) -> None:
    """The program runs on each time, with no trap byte left, and its threads are all there again."""
    target = debug.spawn("signals")
    for signals_before in (0, 1):
        session = debug.attach(kind, "signals", target.pid)
        session.run(
            Step("print handled", "expression handled", rf"= {signals_before}$"),
            Step("break handler", "breakpoint set -n handler", r"Breakpoint 1"),
            DETACH,
        )
        session.client.close()
        target.send_signal(signal.SIGUSR1)
        assert target.stdout is not None
        assert target.stdout.readline() == "got 10\n"
    target.send_signal(signal.SIGUSR2)
    assert target.wait(20) == 0


def test_attach_to_threads(debug: Debug, kind: ClientKind) -> None:
    target = debug.spawn("threads_pause", "20")
    session = debug.attach(kind, "threads_pause", target.pid)
    said = session.run(Step("info threads", "thread list", r"threads_pause"))
    assert said.count("Thread " if session.is_gdb else "thread #") == 21
    session.run(
        select_thread(15),
        Step("backtrace", "thread backtrace", (r"pause", r"worker")),
        DETACH,
    )
    assert target.poll() is None


def test_attach_while_threads_come_and_go(debug: Debug, kind: ClientKind) -> None:
    if with_peers() and kind.name == "gdb":
        pytest.skip("gdbserver 13 cannot interrupt what it has attached to and leads no process group")
    target = debug.spawn("churn", "3")
    session = debug.attach(kind, "churn", target.pid)
    for _ in range(3):
        session.resume()
        session.interrupt()
        session.run(Step("thread apply all backtrace 3", "thread list", r"hread"))
    session.run(
        Step("break born", "breakpoint set -n born", r"Breakpoint 1"),
        Step("continue", "continue", r"born"),
        Step("continue", "continue", r"born"),
        Step("print births > 0", "expression births > 0", r"= (1|true)$"),
        Step("delete", "breakpoint delete"),
        DETACH,
    )
    assert target.poll() is None


def test_fork_parent_followed(debug: Debug, kind: ClientKind) -> None:
    """The child is let go clean: it must not die of the trap that both have inherited."""
    session = debug.start(kind, "fork")
    session.run(
        Step("break in_both", "breakpoint set -n in_both", r"Breakpoint 1"),
        Step("break in_child", "breakpoint set -n in_child", r"Breakpoint 2"),
        Step("continue", "continue", r"in_both"),
        Step("delete", "breakpoint delete"),
        Step("break in_parent", "breakpoint set -n in_parent", r"Breakpoint 3"),
        Step("continue", "continue", r"in_parent"),
        Step("continue", "continue", (), r"exited with code 06", r"exited with status = 6 "),
    )
    session.wait_for_output("parent 5")


def test_fork_child_followed(debug: Debug, kind: ClientKind) -> None:
    session = debug.start(kind, "fork")
    session.run(
        Step("set follow-fork-mode child", "settings set target.process.follow-fork-mode child"),
        Step("break in_child", "breakpoint set -n in_child", r"Breakpoint 1"),
        Step("continue", "continue", r"in_child"),
        Step("backtrace", "thread backtrace", (r"in_child", r"main")),
        Step("continue", "continue", (), r"exited with code 05", r"exited with status = 5 "),
    )
    session.wait_for_output(r"child \d+")


def test_vfork_and_posix_spawn(debug: Debug, kind: ClientKind) -> None:
    session = debug.start(kind, "vfork")
    session.run(
        Step("break by_posix_spawn", "breakpoint set -n by_posix_spawn", r"Breakpoint 1"),
        Step("continue", "continue", r"by_posix_spawn"),
        Step("continue", "continue", (), r"exited normally", r"exited with status = 0 "),
    )
    session.wait_for_output("vfork 0 posix_spawn 0")


def test_exec(debug: Debug, kind: ClientKind) -> None:
    """A breakpoint on main is hit in the new program, whose symbols are read."""
    session = debug.start(kind, "exec", debug.program("loop"), "4")
    session.run(
        Step("break main", "breakpoint set -n main", r"Breakpoint 1"),
        Step("continue", "continue", r"exec\.c"),
        Step("continue", "continue", (), (r"is executing new program: .*/loop", r"loop\.c"), r"stop reason = exec"),
        Step(None, "continue", r"loop\.c"),
        Step("break tick if i == 2", "breakpoint set -n tick -c 'i == 2'", r"Breakpoint 2"),
        Step("continue", "continue", r"i=2"),
        Step("continue", "continue", (), r"exited normally", r"exited with status = 0 "),
    )
    session.wait_for_output("total 6")


def test_exec_in_another_thread(debug: Debug, kind: ClientKind) -> None:
    if with_peers() and kind.name == "lldb":
        pytest.skip("lldb-server 19 loses the process when another thread than the leader calls execve")
    session = debug.start(kind, "exec_thread", debug.program("exit_code"), "9")
    session.run(
        Step("break main", "breakpoint set -n main", r"Breakpoint 1"),
        Step("continue", "continue", r"main.*exec_thread\.c"),
        Step("continue", "continue", (), (r"is executing new program", r"main.*exit_code\.c"), r"stop reason = exec"),
        Step(None, "continue", r"main.*exit_code\.c"),
        Step("info threads", "thread list", r"exit_code"),
        Step("continue", "continue", (), r"exited with code 011", r"exited with status = 9 "),
    )
