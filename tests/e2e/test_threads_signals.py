"""Threads, signals, Ctrl-C and faults."""

from __future__ import annotations

import os
import signal

import pytest

from tests.e2e.clients import ClientKind
from tests.e2e.conftest import Debug
from tests.e2e.servers import with_peers
from tests.e2e.session import DETACH, KILL, Step, select_thread


def test_five_threads_with_thread_locals(debug: Debug, kind: ClientKind) -> None:
    session = debug.start(kind, "threads")
    session.run(
        Step("break all_here", "breakpoint set -n all_here", r"Breakpoint 1"),
        Step("continue", "continue", r"all_here"),
        Step("info threads", "thread list", (r"worker-0", r"worker-1", r"worker-2", r"worker-3", r"worker-4")),
        Step(
            "thread apply all -ascending backtrace 6",
            "thread backtrace all",
            (),
            (r"Thread 1 ", r"all_here", r"Thread 2 ", r"worker", r"Thread 6 ", r"worker"),
            (r"thread #1", r"all_here", r"thread #2", r"worker", r"thread #6", r"worker"),
        ),
        Step(
            "thread apply all -ascending print thread_local_number",
            None,
            (),
            (r"= 99$", r"= 100$", r"= 101$", r"= 102$", r"= 103$", r"= 104$"),
        ),
    )
    if not session.is_gdb:
        for index, number in enumerate((99, 100, 101, 102, 103, 104), start=1):
            session.run(
                select_thread(index),
                Step(None, "frame select -r 1"),
                Step(None, "expression thread_local_number", rf"= {number}$"),
            )
    session.run(
        select_thread(3),
        Step("frame function worker", "thread backtrace", r"worker"),
        *KILL,
    )


def test_breakpoint_in_many_threads(debug: Debug, kind: ClientKind) -> None:
    """10 threads x 5 hits: the client counts each, and the program does."""
    session = debug.start(kind, "threads_many", "10", "5", "now")
    session.run(
        Step("break hit", "breakpoint set -n hit", r"Breakpoint 1"),
        Step("ignore 1 1000", "breakpoint modify -i 1000 1"),
    )
    session.run(Step("continue", "continue", (), r"exited normally", r"exited with status = 0 "))
    session.wait_for_output("total 50")
    session.run(Step("info breakpoints", "breakpoint list", (), r"already hit 50 times", r"hit count = 50"))


def test_signals_stopped_at_passed_and_swallowed(debug: Debug, kind: ClientKind) -> None:
    session = debug.start(kind, "signals", "self")
    session.run(
        Step("continue", "continue", r"SIGUSR1"),
        Step("break handler", "breakpoint set -n handler", r"Breakpoint 1"),
        Step("continue", "continue", (r"handler", r"10")),
        Step(
            "backtrace",
            "thread backtrace",
            (r"handler", r"signal handler called|__restore_rt|___lldb_unnamed|raise|kill", r"main"),
        ),
        Step("print handled", "expression handled", r"= 0$"),
        Step("delete", "breakpoint delete"),
        Step("handle SIGUSR2 nopass", "process handle -p false SIGUSR2", r"SIGUSR2"),
        Step("continue", "continue", r"SIGUSR2"),
        Step("continue", "continue", (), r"exited normally", r"exited with status = 0 "),
    )
    session.wait_for_output(r"got 10")
    assert session.wait_for_output(r"handled \d") == "handled 1"
    assert "got 12" not in session.program_output()


def test_signals_not_stopped_at(debug: Debug, kind: ClientKind) -> None:
    session = debug.start(kind, "signals", "self")
    session.run(
        Step("handle SIGUSR1 SIGUSR2 nostop noprint pass", "process handle -s false -n false -p true SIGUSR1 SIGUSR2"),
        Step("break main", "breakpoint set -n main"),
        Step("continue", "continue", r"main"),
        Step("continue", "continue", (), r"exited normally", r"exited with status = 0 ", not_sees=r"SIGUSR"),
    )
    assert session.wait_for_output(r"handled \d") == "handled 2"


def test_interrupt_of_a_spinning_program(debug: Debug, kind: ClientKind) -> None:
    session = debug.start(kind, "spinner")
    session.resume()
    session.wait_for_output("ready")
    session.interrupt()
    session.run(
        Step("backtrace", "thread backtrace", r"main"),
        Step("print spins > 0", "expression spins > 0", r"= (1|true)$"),
    )
    session.resume()
    session.interrupt()
    session.run(
        Step("print done = 1", "expression done = 1", r"= 1$"),
        Step("continue", "continue", (), r"exited with code 07", r"exited with status = 7 "),
    )


def test_interrupt_of_an_attached_program_that_leads_no_group(debug: Debug, kind: ClientKind) -> None:
    if with_peers() and kind.name == "gdb":
        pytest.skip("gdbserver 13 and 18 send the SIGINT to the process group that has the program's pid as number")
    target = debug.spawn("spinner")
    assert os.getpgid(target.pid) != target.pid
    session = debug.attach(kind, "spinner", target.pid)
    session.resume()
    session.interrupt()
    session.run(
        Step("print spins > 0", "expression spins > 0", r"= (1|true)$"),
        DETACH,
    )
    target.send_signal(signal.SIGTERM)
    assert target.wait(20) == 7


@pytest.mark.parametrize(
    ("argument", "address", "words"),
    [
        ("0", "0x0", "address not mapped to object"),
        ("0x7000dead000", "0x7000dead000", "address not mapped to object"),
        ("protected", None, "invalid permissions for mapped object"),
    ],
)
def test_segmentation_fault(debug: Debug, kind: ClientKind, argument: str, address: str | None, words: str) -> None:
    """Stopped at with the faulting address; then the program dies of it."""
    session = debug.start(kind, "segfault", argument)
    session.run(Step("continue", "continue", (), r"received signal SIGSEGV", rf"stop reason = signal SIGSEGV: {words}"))
    address = address or session.wait_for_output(r"ready 0x[0-9a-f]+").removeprefix("ready ")
    session.run(
        Step(
            "print/x (long)$_siginfo._sifields._sigfault.si_addr",
            "thread info",
            (),
            rf"= {address}$",
            rf"fault address(: |=){address}",
        ),
        Step("print $_siginfo.si_signo", None, r"= 11$"),
        Step("backtrace", "thread backtrace", (r"touch", r"main")),
        Step("continue", "continue", (), r"terminated with signal SIGSEGV", r"exited with status = 11 |SIGSEGV"),
    )
    assert "not reached" not in session.program_output()
