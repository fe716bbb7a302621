"""gdb's non-stop mode: threads are looked at while others run. lldb 19 has no such mode."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.e2e.clients import GDB, ClientKind
from tests.e2e.conftest import Debug, require_client
from tests.e2e.session import KILL, Session, Step
from tests.e2e.test_sudden_ends import eventually


@pytest.fixture
def gdb() -> ClientKind:
    return require_client(GDB.name)


def start(debug: Debug, gdb: ClientKind, name: str, *arguments: str, once: bool = True) -> Session:
    """gdb connected in non-stop mode."""
    session = debug.start(gdb, name, *arguments, connect=False, once=once)
    session.client.command("set sysroot /")
    session.client.command("set non-stop on")
    session.connect()
    return session


def number(session: Session, expression: str) -> int:
    """What gdb prints for `expression`."""
    said = session.client.command(f"print {expression}")
    found = re.search(r"\$\d+ = (-?\d+)", said)
    assert found is not None, said
    return int(found[1])


def states(session: Session) -> list[bool]:
    """By gdb's number of the thread, whether it runs."""
    said = session.client.command("info threads")
    lines = re.findall(r"^[* ] +(\d+) +Thread (.*)$", said, re.MULTILINE)
    return [line.endswith("(running)") for _, line in sorted(lines, key=lambda one: int(one[0]))]


def grows(session: Session, expression: str) -> bool:
    before = number(session, expression)
    return eventually(lambda: number(session, expression) > before)


def runs_untraced(pid: int) -> bool:
    """Whether no thread of `pid` has a tracer or is stopped."""
    texts = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/status")]
    return all("TracerPid:\t0\n" in text and not re.search(r"^State:\t[tT]", text, re.MULTILINE) for text in texts)


def test_one_thread_stops_at_a_breakpoint_and_the_others_run(debug: Debug, gdb: ClientKind) -> None:
    session = start(debug, gdb, "workers")
    session.client.command("break beat if which == 2")
    session.client.command("continue &")
    session.client.wait_for(r'Thread \d+ "workers" hit Breakpoint 1, .*beat \(which=2\)')
    assert states(session).count(False) == 1
    assert grows(session, "ticks[1]") and grows(session, "ticks[0]")
    stopped = states(session).index(False) + 1
    session.run(Step(f"thread {stopped}", None, r"beat"), Step("bt 1", None, r"#0 .*beat \(which=2\)"))
    ticks = number(session, "ticks[2]")
    for command in ("next", "next", "stepi"):
        session.client.command(command)
    assert number(session, "ticks[2]") - ticks <= 1
    assert grows(session, "ticks[3]")
    session.run(*KILL)


def test_interrupt_of_one_thread_and_of_all(debug: Debug, gdb: ClientKind) -> None:
    session = start(debug, gdb, "workers", "3")
    session.client.command("continue -a &")
    assert eventually(lambda: states(session) == [True] * 4)
    session.client.command("interrupt")
    session.client.wait_for(r'Thread 1 "workers" stopped')
    assert states(session) == [False, True, True, True]
    session.client.command("thread 1")
    session.client.command("interrupt -a")
    assert eventually(lambda: states(session) == [False] * 4)
    session.run(Step("info registers rip", None, r"rip +0x"))
    session.client.command("continue -a &")
    assert eventually(lambda: states(session) == [True] * 4)
    assert grows(session, "ticks[1]")
    session.run(*KILL)


def test_a_breakpoint_set_and_deleted_while_everything_runs(debug: Debug, gdb: ClientKind) -> None:
    session = start(debug, gdb, "workers", "4")
    session.client.command("continue -a &")
    assert eventually(lambda: states(session) == [True] * 5)
    for turn in range(1, 6):
        session.client.command("break beat")
        assert eventually(lambda: states(session) == [False] * 5)
        session.client.command(f"delete {turn}")
        session.client.command("continue -a &")
        assert grows(session, "ticks[4]")
    session.run(*KILL)


def test_a_dynamic_printf_while_others_run(debug: Debug, gdb: ClientKind) -> None:
    session = start(debug, gdb, "workers", "2")
    session.client.command('dprintf beat,"beat of %d\\n",which')
    session.client.command("continue -a &")
    for which in (0, 1, 2):
        session.client.wait_for(rf"beat of {which}\b")
    session.client.command("delete 1")
    session.client.command("interrupt -a")
    assert eventually(lambda: states(session) == [False] * 3)
    session.run(*KILL)


def test_registers_of_a_running_thread_are_not_to_be_had(debug: Debug, gdb: ClientKind) -> None:
    session = start(debug, gdb, "workers")
    session.client.command("continue &")
    assert eventually(lambda: states(session) == [True] * 4)
    session.run(Step("info registers rip", None, r"[Ss]elected thread is running"))
    said = session.client.command("maintenance packet g")
    assert re.search(r"received: \"E", said), said
    session.run(*KILL)


def test_attach_leaves_what_is_stopped_and_goes_on_after_detach(debug: Debug, gdb: ClientKind) -> None:
    target = debug.spawn("workers", "3")
    session = debug.multi(gdb, "workers", "set sysroot /", "set non-stop on")
    session.client.command(f"attach {target.pid}")
    assert eventually(lambda: states(session) == [False] * 4)
    session.client.command("continue -a &")
    assert grows(session, "ticks[1]")
    session.run(Step("detach", None, r"Detaching from program"))
    assert target.poll() is None
    assert eventually(lambda: runs_untraced(target.pid))


def test_disconnected_while_it_runs_and_connected_again(debug: Debug, gdb: ClientKind) -> None:
    session = start(debug, gdb, "workers", once=False)
    session.client.command("continue -a &")
    assert eventually(lambda: states(session) == [True] * 4)
    session.run(Step("disconnect", None))
    session.connect()
    # gdb stops one thread to look at the program, reads the libraries and lets it go (infcmd.c, notice_new_inferior);
    # until then it shows the thread as running, too.
    assert eventually(lambda: "libc.so" in session.client.command("info sharedlibrary"))
    assert eventually(lambda: states(session) == [True] * 4)
    assert grows(session, "ticks[2]")
    session.client.command("interrupt -a")
    assert eventually(lambda: states(session) == [False] * 4)
    session.run(Step("disconnect", None), Step("set non-stop off", None))
    session.connect()
    session.run(Step("info registers rip", None, r"rip +0x"), *KILL)


def test_gdbs_all_stop_on_top_of_a_non_stop_target(debug: Debug, gdb: ClientKind) -> None:
    session = debug.start(gdb, "workers", "4", connect=False)
    session.client.command("set sysroot /")
    session.client.command("maintenance set target-non-stop on")
    session.connect()
    session.run(Step("break beat", None, r"Breakpoint 1"))
    for _ in range(30):
        session.run(Step("continue", None, r"hit Breakpoint 1, .*beat"))
        session.run(Step("next", None))
    assert states(session) == [False] * 5
    session.run(*KILL)


def test_the_program_ends_while_a_thread_is_stopped(debug: Debug, gdb: ClientKind) -> None:
    session = start(debug, gdb, "threads_many", "5", "3", "go")
    session.client.command("break hit")
    session.client.command("continue -a &")
    assert eventually(lambda: states(session).count(False) == 5)
    session.client.command("delete")
    session.client.command("continue -a &")
    session.client.wait_for(r"exited normally")
