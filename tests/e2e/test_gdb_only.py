"""What only gdb does: extended-remote, run and run again, files read through the server."""

from __future__ import annotations

import re

import pytest

from tests.e2e.clients import GDB, ClientKind
from tests.e2e.conftest import Debug, require_client
from tests.e2e.servers import with_peers
from tests.e2e.session import KILL, Step
from tests.programs import line_of


@pytest.fixture
def gdb() -> ClientKind:
    return require_client(GDB.name)


def test_program_and_libraries_read_through_the_server(debug: Debug, gdb: ClientKind) -> None:
    """gdb is given no file: program, loader and C library come by vFile packets."""
    session = debug.start(gdb, "values", file=False, connect=False)
    said = session.connect()
    assert "Reading" in said and "values from remote target" in said
    session.run(
        Step("break inner", None, r"Breakpoint 1"),
        Step("continue", None, r"inner \(depth=3\)"),
        Step("info sharedlibrary", None, r"target:/.*libc\.so"),
        Step("info proc exe", None, r"exe = '.*values'"),
        Step("info auxv", None, (r"AT_PHDR", r"AT_ENTRY")),
        *KILL,
    )


def test_extended_remote_run_twice(debug: Debug, gdb: ClientKind) -> None:
    program = debug.program("exit_code")
    session = debug.multi(gdb, "exit_code")
    session.run(
        Step("set sysroot /", None),
        Step(f"set remote exec-file {program}", None),
        Step("set environment TEST_WORD yes", None),
        Step("break main", None, r"Breakpoint 1"),
        Step("run 5", None, r"Breakpoint 1, main \(argc=2"),
        Step('print (char *)getenv("TEST_WORD")', None, r'"yes"'),
        Step("continue", None, r"exited with code 05"),
        Step("run", None, r"Breakpoint 1, main \(argc="),
        *KILL,
    )
    if with_peers():
        return  # gdbserver 13 ends when it cannot start a program.
    session.run(
        Step("set remote exec-file /nonexistent/program", None),
        Step("run", None, r"(?i)(no such file|fail|error|cannot)"),
        Step("monitor help", None, r"exit"),
        Step(f"set remote exec-file {program}", None),
        Step("run", None, r"Breakpoint 1, main"),
        Step("monitor exit", None),
    )


def test_attach_by_extended_remote(debug: Debug, gdb: ClientKind) -> None:
    target = debug.spawn("threads_pause", "3")
    session = debug.multi(gdb, "threads_pause")
    session.run(
        Step("set sysroot /", None),
        Step(f"attach {target.pid}", None, r"pause"),
        Step("info threads", None, r"4 +Thread"),
        Step("detach", None, r"Detaching"),
    )
    if not with_peers():
        # gdbserver 13 ends when an attach fails.
        session.run(Step("attach 4194304", None, r"(?i)(no such process|fail|error|can't|cannot)"))
    session.run(
        Step(f"attach {target.pid}", None, r"pause"),
        Step("disconnect", None, r"Ending remote debugging"),
    )
    assert target.poll() is None


def test_stdio_transport(debug: Debug, gdb: ClientKind) -> None:
    """``target remote | server - program``, as over ssh."""
    session = debug.client(gdb, debug.program("loop"))
    session.run(
        Step("set sysroot /", None),
        Step(f"target remote | {debug.command_line('gdb')} - {debug.program('loop')}", None, r"Remote debugging using"),
        Step("break tick if i == 5", None, r"Breakpoint 1"),
        Step("continue", None, r"tick \(i=5\)"),
        *KILL,
    )


def test_siginfo_catchpoints_and_tls(debug: Debug, gdb: ClientKind) -> None:
    session = debug.start(gdb, "fork")
    session.run(
        Step("catch fork", None, r"Catchpoint 1"),
        Step("catch syscall exit_group", None, r"Catchpoint 2"),
        Step("continue", None, r"Catchpoint 1 \(forked process \d+\)"),
        Step("continue", None, r"Catchpoint 2 \(call to syscall exit_group\)"),
        Step("continue", None, r"exited with code 06"),
    )


def test_reverse_is_refused_in_words(debug: Debug, gdb: ClientKind) -> None:
    session = debug.start(gdb, "loop")
    session.run(
        Step("reverse-continue", None, r"does not support|not currently supported"),
        Step("tbreak main", None, r"Temporary breakpoint 1"),
        Step("continue", None, r"main"),
        *KILL,
    )


def test_conditions_and_prints_in_the_server(debug: Debug, gdb: ClientKind) -> None:
    """False conditions and prints cost no packet: gdb says itself where it has them evaluated."""
    after = line_of("loop", "return total;")
    session = debug.start(gdb, "loop", "30")
    session.run(
        Step("set breakpoint condition-evaluation target", None),
        Step("set dprintf-style agent", None),
        Step("break tick if i == 20", None, r"Breakpoint 1"),
        Step(f'dprintf {after},"i is %d, total %d\\n", i, total', None, r"Dprintf 2"),
        Step("continue", None, r"Breakpoint 1, tick \(i=20\)"),
        Step("info breakpoints", None, r"stop only if i == 20 \(target evals\)"),
        Step("condition 1 *(int *) 16 == i", None),
        Step("continue", None, (r"cannot read memory at 0x10", r"tick \(i=21\)")),
        Step("condition 1 i == 25 && $rsp != 0", None),
        Step("hbreak tick if i == 23", None, r"breakpoint 3"),
        Step("continue", None, r"Breakpoint 3, .*tick \(i=23\)"),
        Step("continue", None, r"Breakpoint 1, .*tick \(i=25\)"),
        *KILL,
    )
    if not with_peers():
        assert session.server is not None
        while session.server.read_available(0.2) and "i is 24, total 300" not in session.server.output:
            pass
        assert re.search(r"i is 0, total 0\s+i is 1, total 1\s+i is 2, total 3", session.server.output)
        assert "i is 24, total 300" in session.server.output
