"""gdb's inferiors: both sides of a fork, several programs at once, what the next program gets, files of the server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.clients import GDB, ClientKind
from tests.e2e.conftest import Debug, require_client
from tests.e2e.servers import with_peers
from tests.e2e.session import KILL, Step
from tests.programs import STATIC


@pytest.fixture
def gdb() -> ClientKind:
    return require_client(GDB.name)


def test_both_processes_of_a_fork_are_debugged(debug: Debug, gdb: ClientKind) -> None:
    """The child is held while the parent runs, each is looked into, and then both run at once to their ends."""
    session = debug.multi(gdb, "fork", "set detach-on-fork off")
    session.run(
        Step("set sysroot /", None),
        Step(f"set remote exec-file {debug.program('fork')}", None),
        Step("break in_both", None, r"Breakpoint 1"),
        Step("run", None, r"in_both"),
        Step("info inferiors", None, (r"\* 1 +process \d+", r"  2 +process \d+")),
        Step("up", None, r"main"),
        Step("print child > 0", None, r"= 1$"),
        Step("inferior 2", None, r"Switching to inferior 2"),
        Step("continue", None, r"Thread 2\.1 .*in_both"),
        Step("up", None, r"main"),
        Step("print child", None, r"= 0$"),
        Step("delete", None),
        Step("break in_child", None, r"Breakpoint 2"),
        Step("continue", None, r"in_child"),
        Step("delete", None),
        Step("set schedule-multiple on", None),
        Step("continue", None, r"Inferior 2 .*exited with code 05"),
        Step("inferior 1", None, r"Switching to inferior 1"),
        Step("continue", None, r"Inferior 1 .*exited with code 06"),
    )


def test_several_programs_at_once(debug: Debug, gdb: ClientKind) -> None:
    """Each stops at its own breakpoints while the other runs, and one is killed without the other's noticing."""
    loop, spinner = debug.program("loop"), debug.program("exit_code")
    session = debug.multi(gdb, "loop")
    session.run(
        Step("set sysroot /", None),
        Step(f"set remote exec-file {loop}", None),
        Step("break tick", None, r"Breakpoint 1"),
        Step("run 5", None, r"tick \(i=0\)"),
        Step(f"add-inferior -exec {spinner}", None, r"Added inferior 2"),
        Step("inferior 2", None, r"Switching to inferior 2"),
        Step(f"set remote exec-file {spinner}", None),
        Step("tbreak main", None, r"Temporary breakpoint 2"),
        Step("run 7", None, r"main \(argc=2"),
        Step("info inferiors", None, (r"  1 +process \d+", r"\* 2 +process \d+")),
        Step("info threads", None, (r"1\.1 .*tick \(i=0\)", r"\* 2\.1 .*main \(argc=2")),
        Step("set schedule-multiple on", None),
        Step("continue", None, r"(tick \(i=1\)|Inferior 2 .*exited with code 07)"),
        Step("kill inferiors 2", None),
        Step("inferior 1", None, r"Switching to inferior 1"),
        Step("delete", None),
        Step("continue", None, r"Inferior 1 .*exited (normally|with code)"),
    )


def test_what_the_next_program_gets(debug: Debug, gdb: ClientKind, tmp_path: Path) -> None:
    program = debug.program("exit_code")
    word, folder = 'print (char *)getenv("TEST_WORD")', "print (char *)getcwd((char *)0, (unsigned long)0)"
    session = debug.multi(gdb, "exit_code")
    session.run(
        Step("set sysroot /", None),
        Step(f"set remote exec-file {program}", None),
        Step("break main", None, r"Breakpoint 1"),
        Step("set environment TEST_WORD two words", None),
        Step(f"set cwd {tmp_path}", None),
        Step("run *", None, r"main \(argc="),
        Step(word, None, r'"two words"'),
        Step(folder, None, rf'"{tmp_path}"'),
        Step("unset environment TEST_WORD", None),
        Step("unset environment HOME", None),
        Step("set startup-with-shell off", None),
        Step("run '*' x", None, r"main \(argc=3"),
        Step(word, None, r"= 0x0$"),
        Step('print (char *)getenv("HOME")', None, r"= 0x0$"),
        Step("print argv[1]", None, r'= 0x[0-9a-f]+ "\*"'),
        Step("print $sp", None, r"= \(void \*\) 0x7ff[0-9a-f]+"),
        Step("set disable-randomization off", None),
        Step("run", None, r"main \(argc="),
        Step("info proc mappings", None, r"exit_code"),
        *KILL,
    )


def test_files_are_sent_fetched_and_deleted(debug: Debug, gdb: ClientKind, tmp_path: Path) -> None:
    """Every byte survives; what fails comes back as the errno that the protocol has for it, in gdb's words."""
    content = bytes(range(256)) * 300
    (tmp_path / "here").write_bytes(content)
    there, back = tmp_path / "there", tmp_path / "back"
    session = debug.multi(gdb, "loop")
    session.run(
        Step(f"remote put {tmp_path}/here {there}", None, r"Successfully sent file"),
        Step(f"remote get {there} {back}", None, r"Successfully fetched file"),
    )
    assert there.read_bytes() == back.read_bytes() == content
    session.run(
        Step(f"remote put {tmp_path}/here {tmp_path}/no/such", None, r"No such file or directory"),
        Step(f"remote put {tmp_path}/here {tmp_path}", None, r"Is a directory"),
        Step(f"remote put {tmp_path}/here /dev/full", None, r"No space left on device"),
        Step(f"remote get {tmp_path}/nothing {back}", None, r"No such file or directory"),
        Step(f"remote delete {tmp_path}/nothing", None, r"No such file or directory"),
        Step(f"remote delete {there}", None, r"Successfully deleted file"),
    )
    assert not there.exists()


def test_monitor_commands(debug: Debug, gdb: ClientKind) -> None:
    if with_peers():
        pytest.skip("gdbserver has only some of them")
    session = debug.start(gdb, "threads")
    session.run(
        Step("break all_here", None, r"Breakpoint 1"),
        Step("continue", None, r"all_here"),
        Step("monitor help", None, (r"^  exit +\S", r"^  set debug +\S", r"^  maps +\S", r"^  stats +\S")),
        Step(
            "monitor threads",
            None,
            (
                r" threads 0x\w+ all_here\+\d+ in /.*/threads: \w+.*\[BreakpointHit\]",
                r"worker-0 0x.* in /.*libc",
                r"worker-4",
            ),
        ),
        Step("monitor maps", None, (r"^text .* r-x .*/threads$", r"\[stack\]", r"^==== Summary", r"^TOTAL")),
        Step("monitor files", None, r"^ *0\b"),
        Step("monitor signals", None, r"SIGSEGV"),
        Step("monitor stats", None, r"packets: \d+"),
        Step("monitor set debug 1", None, r"Debug output enabled"),
        Step("monitor set debug 0", None, r"Debug output disabled"),
        Step("monitor nonsense", None, r"Unknown monitor command"),
        Step("info threads", None, r"6 +Thread"),
        Step("monitor exit", None),
    )
    assert session.server is not None
    assert session.server.process.wait(20) == 0


def test_thread_locals_of_a_static_program(debug: Debug, gdb: ClientKind) -> None:
    session = debug.start(gdb, f"threads{STATIC}")
    session.run(
        Step("break all_here", None, r"Breakpoint 1"),
        Step("continue", None, r"all_here"),
        Step(
            "thread apply all -ascending print thread_local_number",
            None,
            [rf"= {number}$" for number in range(99, 105)],
        ),
        *KILL,
    )


def test_calls_are_caught_at_their_entry_and_at_their_return(debug: Debug, gdb: ClientKind) -> None:
    session = debug.start(gdb, "exit_code", "3")
    session.run(
        Step("catch syscall getppid write exit_group", None, r"Catchpoint 1"),
        Step("tbreak main", None, r"Temporary breakpoint 2"),
        Step("continue", None, r"main \(argc=2"),
        Step("continue", None, r"call to syscall write"),
        Step("print $rax", None, r"= -38$"),
        Step("continue", None, r"returned from syscall write"),
        Step("print $rax > 0", None, r"= 1$"),
        Step("continue", None, r"call to syscall exit_group"),
        Step("continue", None, r"exited with code 03"),
    )


def test_no_interrupt_is_lost_while_gdb_evaluates_a_false_condition(debug: Debug, gdb: ClientKind) -> None:
    """gdb goes on by itself all the time: hit, step over the breakpoint, hit. The interrupt meets any of these."""
    session = debug.start(gdb, "loop", "1000000000")
    session.run(
        Step("set breakpoint condition-evaluation host", None),
        Step("break tick if i < 0", None, r"Breakpoint 1"),
    )
    for _ in range(20):
        session.resume()
        assert "SIGINT" in session.interrupt()
    session.run(*KILL)
