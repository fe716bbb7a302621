"""Children whose beginning waits for its turn: the client must not come upon them before it hears of them."""

from __future__ import annotations

import pytest

from pydbgserver.target.events import Cloned, Forked, Interrupted
from pydbgserver.testing.sim import SimProcess, Stop
from tests.sim.conversation import PID, Conversation, fields, gdb, lldb

FIRST, SECOND = 200, 201


def two_forks() -> Conversation:
    """Two threads have forked at once, and gdb has been told of the first one."""
    forks = Stop(Forked(PID, PID, FIRST), Forked(PID, PID + 1, SECOND))
    talk = gdb(SimProcess(PID, threads=2), script=[forks])
    assert fields(talk.ask("vCont;c"))["fork"] == "pc8.c8"
    return talk


def listed(talk: Conversation) -> set[str]:
    """The threads that both kinds of list have."""
    first, rest = talk.ask("qfThreadInfo"), talk.ask("qXfer:threads:read::0,1000")
    threads = set(first[1:].split(","))
    assert {part.split('"')[0] for part in rest.split('id="')[1:]} == threads
    return threads


def test_a_fork_child_is_listed_once_its_fork_was_told() -> None:
    talk = two_forks()
    assert listed(talk) == {"p64.64", "p64.65", "pc8.c8"}
    assert fields(talk.ask("vCont;c"))["fork"] == "pc9.c9"
    assert listed(talk) == {"p64.64", "p64.65", "pc8.c8", "pc9.c9"}


def test_a_fork_child_is_listed_once_its_fork_was_told_in_non_stop_mode() -> None:
    talk = gdb(SimProcess(PID, threads=2))
    talk.ask("QNonStop:1")
    talk.ask("vCont;c")
    talk.backend.happen(Forked(PID, PID, FIRST), Forked(PID, PID + 1, SECOND))
    talk.poll()
    assert listed(talk) == {"p64.64", "p64.65", "pc8.c8"}
    assert "fork:pc9.c9" in talk.ask("vStopped")
    assert listed(talk) == {"p64.64", "p64.65", "pc8.c8", "pc9.c9"}
    assert talk.ask("vStopped") == "OK"
    assert listed(talk) == {"p64.64", "p64.65", "pc8.c8", "pc9.c9"}


def test_a_thread_is_listed_once_its_start_was_told() -> None:
    clones = Stop(Cloned(PID, PID, PID + 2), Cloned(PID, PID + 1, PID + 3))
    talk = gdb(SimProcess(PID, threads=2), script=[clones])
    assert fields(talk.ask("vCont;c"))["clone"] == "p64.66"
    assert listed(talk) == {"p64.64", "p64.65", "p64.66"}
    talk.ask("vCont;c")
    assert listed(talk) == {"p64.64", "p64.65", "p64.66", "p64.67"}


def test_a_fork_that_lldbs_interrupt_met_is_listed_once_it_was_told() -> None:
    talk = lldb(script=[Stop(Forked(PID, PID, FIRST), slow=True)])
    talk.raw(f"vCont;c:p{PID:x}.-1")
    talk.session.run_control.interrupt()
    assert fields(talk.poll() or "")["reason"] == "signal"
    assert talk.ask("qfThreadInfo") == "mp64.64"
    assert fields(talk.ask(f"vCont;c:p{PID:x}.-1"))["reason"] == "fork"
    assert talk.ask("qfThreadInfo") == "mp64.64,pc8.c8"


@pytest.mark.parametrize("packet", ["D;64", "vKill;64"])
def test_a_child_that_was_not_told_of_is_let_go_with_its_parent(packet: str) -> None:
    talk = two_forks()
    first, second = talk.backend.live[FIRST], talk.backend.live[SECOND]
    assert talk.ask(packet) == "OK"
    assert second.ended == "detached" and not first.ended
    assert listed(talk) == {"pc8.c8"}


def test_a_child_that_was_not_told_of_is_let_go_with_its_parent_in_non_stop_mode() -> None:
    talk = gdb(SimProcess(PID, threads=2))
    talk.ask("QNonStop:1")
    talk.ask("vCont;c")
    talk.backend.happen(Interrupted(PID, PID), Forked(PID, PID + 1, SECOND))
    talk.poll()
    child = talk.backend.live[SECOND]
    assert talk.ask("D;64") == "OK"
    assert child.ended == "detached"


def test_detaching_from_all_includes_the_child_that_was_not_told_of() -> None:
    talk = two_forks()
    processes = list(talk.backend.live.values())
    assert talk.ask("D") == "OK"
    assert [one.ended for one in processes] == ["detached"] * 3


def test_killing_all_includes_the_child_that_was_not_told_of() -> None:
    talk = two_forks()
    processes = list(talk.backend.live.values())
    talk.raw("k")
    assert [one.ended for one in processes] == ["killed"] * 3
