"""32-bit programs: the everyday session with both clients, and what is theirs alone."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e import test_everyday, test_processes, test_threads_signals
from tests.e2e.clients import ClientKind
from tests.e2e.conftest import Debug, require_client
from tests.e2e.servers import with_peers
from tests.e2e.session import DETACH, KILL, Step, select_thread
from tests.programs import NARROW, Programs

Case = Callable[[Debug, ClientKind], None]
EVERYDAY: list[Case] = [
    test_everyday.test_breakpoint_forms,
    test_everyday.test_hardware_breakpoint,
    test_everyday.test_stack_and_values,
    test_everyday.test_watchpoint,
    test_everyday.test_exit_code,
    test_processes.test_attach_to_threads,
    test_processes.test_fork_parent_followed,
    test_threads_signals.test_breakpoint_in_many_threads,
    test_threads_signals.test_signals_stopped_at_passed_and_swallowed,
    test_threads_signals.test_interrupt_of_a_spinning_program,
]


@pytest.fixture
def narrow(debug: Debug, narrow_programs: Programs, monkeypatch: pytest.MonkeyPatch) -> Debug:
    """Sessions with programs that are all built for i386."""
    monkeypatch.setattr(debug, "program", lambda name: narrow_programs(name + NARROW))
    return debug


@pytest.mark.parametrize("case", EVERYDAY, ids=lambda case: case.__name__.removeprefix("test_"))
def test_as_with_64_bits(case: Case, narrow: Debug, kind: ClientKind) -> None:
    case(narrow, kind)


def test_registers_and_steps(narrow: Debug, kind: ClientKind) -> None:
    session = narrow.start(kind, "loop")
    session.run(
        Step("break tick", "breakpoint set -n tick", r"Breakpoint 1"),
        Step("continue", "continue", r"tick"),
        Step("info registers", "register read", (r"eax +", r"eip +.*tick", r"eflags +", r"cs +.*0x0*23")),
        Step("info all-registers", "register read --all", (r"st0|fctrl", r"mxcsr|xmm0"), r"[xyz]mm0", r"[xyz]mm0"),
        Step("set $ebx = 0x11223344", "register write ebx 0x11223344"),
        Step("print/x $ebx", "register read ebx", r"0x11223344"),
        Step("print/x $bx", "register read bx", r"0x3344"),
        Step("set $xmm1.v2_int64[0] = 0x1234", "register write xmm1 '{0x34 0x12 0 0 0 0 0 0 0 0 0 0 0 0 0 0}'"),
        Step("print/x $xmm1.v2_int64[0]", "register read xmm1", (), r"0x1234", r"\{0x34 0x12 0x00"),
        Step("set $eflags = 0x202", "register write eflags 0x202"),
        Step("print $eflags", "register read eflags", (), r"IF", r"0x0*202"),
        Step("stepi", "thread step-inst", (), r"^(0x[0-9a-f]+\s)?\d+\s", r"stop reason = instruction step into"),
        Step("next", "thread step-over", r"return total;"),
        Step("finish", "thread step-out", (), r"Run till exit", r"step out"),
        Step("backtrace", "thread backtrace", r"main"),
        *KILL,
    )


def test_thread_locals(narrow: Debug, kind: ClientKind) -> None:
    """lldb-server tells no thread pointer of a 32-bit program, so that lldb finds none of them there."""
    if with_peers() and kind.name == "lldb":
        pytest.skip("lldb-server 19 has no thread-locals of 32-bit programs")
    session = narrow.start(kind, "threads")
    session.run(Step("break all_here", "breakpoint set -n all_here"), Step("continue", "continue", r"all_here"))
    values = [rf"= {number}$" for number in range(99, 105)]
    session.run(Step("thread apply all -ascending print thread_local_number", None, gdb_sees=values))
    # In a thread that waits there are __kernel_vsyscall and pthread_barrier_wait before the function of the program.
    for index, frame in ((1, 1), (2, 2), (6, 2)) if kind.name == "lldb" else ():
        session.run(
            select_thread(index),
            Step(None, f"frame select {frame}"),
            Step(None, "expression thread_local_number", values[index - 1]),
        )
    session.run(*KILL)


def test_what_a_fault_was(narrow: Debug, kind: ClientKind) -> None:
    session = narrow.start(kind, "segfault", "0x40")
    session.run(
        Step("continue", "continue", (), r"SIGSEGV", r"address not mapped to object \(fault address: 0x40\)"),
        Step("print/x (long)$_siginfo._sifields._sigfault.si_addr", None, gdb_sees=r"= 0x40$"),
        Step("print $_siginfo.si_code", None, gdb_sees=r"= 1$"),
    )


def test_attach_and_a_call_while_in_the_kernel(narrow: Debug, kind: ClientKind) -> None:
    """The system call in which the program waits goes on afterwards."""
    if with_peers() and kind.name == "gdb":
        pytest.skip("gdbserver 13 lets the program have the fault with which a function called by gdb ends")
    target = narrow.spawn("signals")
    session = narrow.attach(kind, "signals", target.pid)
    session.run(
        Step("print (int)getppid() > 0", "expression (int)getppid() > 0", r"= (1|true)$"),
        Step("print handled", "expression handled", r"= 0$"),
        DETACH,
    )
    target.send_signal(signal.SIGUSR2)
    assert target.stdout is not None
    assert target.stdout.read() == "got 12\nhandled 1\n"


@pytest.mark.parametrize(("first", "second"), [("exec", "loop-32"), ("exec-32", "loop")])
@pytest.mark.usefixtures("narrow_programs")
def test_exec_with_a_change_of_architecture(debug: Debug, kind: ClientKind, first: str, second: str) -> None:
    """lldb-server goes on with the registers of the program before."""
    if with_peers() and kind.name == "lldb":
        pytest.skip("lldb-server 19 does not notice that the architecture is another one")
    session = debug.start(kind, first, debug.program(second), "4")
    session.run(
        Step("break tick", "breakpoint set -n tick", (), r"not defined|pending", r"pending"),
        Step("catch exec", None),
        Step("continue", "continue", (), r"exec'd .*/loop", r"stop reason = exec"),
        Step("break tick", None, gdb_sees=r"Breakpoint \d"),
        Step("continue", "continue", r"tick"),
        Step("backtrace", "thread backtrace", (r"tick", r"main")),
        Step("print number(0, 0, 0, 7)", "expression number(0, (char **)0, 0, 7)", r"= 7$"),
        Step("print $sp", "register read sp", r"0x"),
        Step("stepi", "thread step-inst", (), r"^(0x[0-9a-f]+\s)?\d+\s", r"stop reason = instruction step into"),
        Step("delete", "breakpoint delete"),
        Step("continue", "continue", (), r"exited normally", r"exited with status = 0 "),
    )
    assert session.wait_for_output(r"total \d+") == "total 6"


@pytest.fixture
def gdb() -> ClientKind:
    return require_client("gdb")


def test_system_calls_by_their_names(narrow: Debug, gdb: ClientKind) -> None:
    session = narrow.start(gdb, "exit_code")
    session.run(
        Step("catch syscall write", None, gdb_sees=r"syscall '?write'? \[4\]"),
        Step("continue", None, gdb_sees=r"call to syscall write"),
        Step("continue", None, gdb_sees=r"returned from syscall write"),
        Step("continue", None, gdb_sees=r"exited with code 052"),
    )


def test_a_core_file_that_gdb_saves(narrow: Debug, gdb: ClientKind, tmp_path: Path) -> None:
    core = tmp_path / "saved.core"
    session = narrow.start(gdb, "values")
    session.run(
        Step("break inner", None),
        Step("continue", None, r"inner"),
        Step(f"generate-core-file {core}", None, r"Saved corefile"),
        *KILL,
    )
    program = narrow.program("values")
    narrow.client(gdb, None).run(
        Step(f"file {program}", None),
        Step(f"core-file {core}", None, r"inner \(depth=3\)"),
        Step("backtrace", None, (r"inner", r"middle", r"outer", r"main")),
        Step("info registers eip", None, r"eip.*inner"),
        Step("info auxv", None, r"AT_SYSINFO"),
        Step("info sharedlibrary", None, r"libc\.so\.6"),
    )
