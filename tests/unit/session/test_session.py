"""Dispatch, selection, and what runs when."""

from __future__ import annotations

from functools import partial

import pytest

from pydbgserver.session.options import SessionOptions
from pydbgserver.session.session import Session
from pydbgserver.target.capabilities import Auxv
from pydbgserver.target.events import (
    BreakpointHit,
    Execed,
    Forked,
    ProcessExited,
    SignalStop,
    StepDone,
    StopEvent,
    ThreadEvent,
    VforkDone,
)
from pydbgserver.testing.sim import SimProcess, Stop
from tests.sim.conversation import GDB13, PID, Conversation, fields, gdb, lldb

CHILD = PID + 1


def test_unknown_packets_get_the_empty_reply() -> None:
    talk = gdb()
    for packet in ("vMustReplyEmpty", "qNoSuch", "jNoSuch:{}", "b", "t0:0,0", "Z5,0,1", ""):
        assert talk.ask(packet) == ""


def test_a_bug_is_logged_answered_and_survived(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    talk = gdb()

    def broken(*_: object) -> bytes:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(talk.process, "read_memory", broken)
    assert talk.ask("m401000,4") == "E01"
    assert talk.ask("X401000,0:") == "OK"
    logged = capfd.readouterr().err
    assert "ZeroDivisionError: ours" in logged and "m401000,4" in logged


def test_a_feature_that_was_advertised_never_answers_empty() -> None:
    talk = gdb(SimProcess(PID, without=[Auxv]))
    assert talk.ask("qXfer:auxv:read::0,100").startswith("E")


def test_an_oversize_packet_gets_an_error() -> None:
    assert gdb().session.oversize().startswith(b"E.")
    assert Conversation().session.oversize() == b"E01"


def test_disabled_packets_are_unknown() -> None:
    options = SessionOptions(disabled_packets=frozenset({"vCont", "threads"}))
    talk = Conversation(SimProcess(PID), options=options)
    assert [talk.ask(one) for one in ("vCont?", "vCont;c", "qfThreadInfo", "qXfer:threads:read::0,10")] == [""] * 4
    assert talk.ask("qC") == "QC64"


def test_without_a_process() -> None:
    talk = Conversation(before=[GDB13])
    assert talk.ask("?") == "W00"
    assert talk.ask("qXfer:threads:read::0,100") == "l<threads>\n</threads>\n"
    for packet in ("g", "m0,1", "vCont;c", "c", "Hg0", "qC", "D", "qAttached", "Z0,401000,1"):
        assert talk.ask(packet).startswith("E"), packet
    assert Conversation(before=["qHostInfo"]).ask("?").startswith("E")


def test_a_slow_stop_is_reported_when_it_comes() -> None:
    talk = gdb(script=[Stop(SignalStop(PID, PID, 11), slow=True)])
    assert talk.raw("vCont;c") is None
    assert talk.session.running
    reply = talk.poll()
    assert reply is not None and reply.startswith("T0b")
    assert not talk.session.running
    assert talk.poll() is None


def test_nothing_that_needs_a_stopped_target_is_done_while_it_runs() -> None:
    talk = gdb()
    assert talk.raw("vCont;c") is None
    for packet in ("g", "p10", "vCont;c", "c", "?", "QSaveRegisterState"):
        assert talk.ask(packet).startswith("E"), packet
    assert talk.ask("m401000,2") == "0001"
    assert len(talk.backend.resumed) == 1


def test_an_interrupt_gives_one_reply() -> None:
    talk = gdb()
    assert talk.raw("vCont;c") is None
    talk.session.run_control.interrupt()
    talk.session.run_control.interrupt()
    reply = talk.poll()
    assert reply is not None and reply.startswith("T02")
    talk.session.run_control.interrupt()
    assert talk.poll() is None
    assert talk.raw("vCont;c") is None


def test_an_interrupt_is_of_the_process_that_came_last() -> None:
    talk = gdb(SimProcess(PID))
    talk.ask("!")
    for pid in (PID, PID + 1):
        if pid != PID:
            talk.backend.attachable[pid] = SimProcess(pid)
            assert talk.ask(f"vAttach;{pid:x}").startswith("T")
        assert talk.ask(f"Hgp{PID:x}.0") == "OK"  # to put a breakpoint into it
        assert talk.raw("vCont;c") is None
        talk.session.run_control.interrupt()
        assert fields(talk.poll() or "")["thread"] == f"p{pid:x}.{pid:x}"
        assert talk.ask(f"Hgp{PID:x}.0") == "OK"
        talk.session.run_control.interrupt()  # before the resume
        assert fields(talk.ask("vCont;c"))["thread"] == f"p{pid:x}.{pid:x}"


def test_an_interrupt_that_comes_before_the_resume_stops_it_at_once() -> None:
    talk = gdb(script=[Stop(SignalStop(PID, PID, 11))])
    assert talk.ask("vCont;c").startswith("T0b")
    talk.ask("Z0,401010,1")
    talk.session.run_control.interrupt()
    assert talk.ask("vCont;C0b:p64.64;c").startswith("T02")
    assert len(talk.backend.resumed) == 1
    talk.ask("z0,401010,1")
    assert talk.raw("vCont;c") is None
    assert [action.signal for action in talk.backend.resumed[1]] == [11, 0]


@pytest.mark.parametrize("start", [f"vRun;{b'/bin/prog'.hex()}", f"vAttach;{PID + 7:x}"])
def test_an_interrupt_is_not_of_a_program_that_starts_after_it(start: str) -> None:
    talk = gdb()
    talk.ask("!")
    talk.backend.attachable[PID + 7] = SimProcess(PID + 7)
    talk.ask("g")
    talk.session.run_control.interrupt()
    assert talk.ask(f"vKill;{PID:x}") == "OK"
    assert talk.ask(start).startswith("T")
    assert talk.raw("vCont;c") is None


def test_an_interrupt_that_lost_the_race_against_a_stop_is_dropped() -> None:
    talk = gdb(script=[Stop(SignalStop(PID, PID, 11), slow=True)])
    talk.raw("vCont;c")
    talk.session.run_control.interrupt()
    assert (talk.poll() or "").startswith("T0b")
    talk.session.run_control.interrupt()
    assert talk.poll() is None
    assert talk.ask("?").startswith("T0b")


def test_an_interrupt_is_kept_for_a_client_that_goes_on_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """gdb steps for a software watchpoint; its user has seen none of the stops. What it reads first may take long."""
    for times, answer in (((0.1, 0.2, 0.3), "T02"), ((0.4, 0.8, 1.2), "T02"), ((0.1, 0.2, 1.0), "T0b")):
        talk = gdb(script=[Stop(StepDone(PID, PID)), Stop(SignalStop(PID, PID, 11))])
        clock = iter((10.0, *(10.0 + seconds for seconds in times)))
        monkeypatch.setattr("pydbgserver.session.run_control.monotonic", partial(next, clock))
        assert talk.ask("vCont;s:p64.64").startswith("T05")
        talk.session.run_control.interrupt()
        for _ in range(2):
            talk.ask("m401000,4")
        assert talk.ask("vCont;s:p64.64").startswith(answer)


@pytest.mark.parametrize(("seconds", "answer"), [(0.1, "T02"), (1.0, "T0b")])
def test_an_interrupt_that_meets_the_end_of_a_step_is_kept(
    monkeypatch: pytest.MonkeyPatch, seconds: float, answer: str
) -> None:
    """gdb steps one thread over a breakpoint whose condition is false, and then lets all go on."""
    talk = gdb(script=[Stop(StepDone(PID, PID), slow=True), Stop(SignalStop(PID, PID, 11))])
    clock = iter((10.0, 10.0 + seconds))
    monkeypatch.setattr("pydbgserver.session.run_control.monotonic", partial(next, clock))
    assert talk.raw("vCont;s:p64.64") is None
    talk.session.run_control.interrupt()
    assert (talk.poll() or "").startswith("T05")
    assert talk.ask("vCont;c").startswith(answer)


def lldb_at(event: StopEvent) -> Conversation:
    """`event` comes some time after the first resume. The child of a fork is there."""
    talk = lldb(SimProcess(PID), SimProcess(CHILD), script=[Stop(event, slow=True), Stop(SignalStop(PID, PID, 11))])
    assert talk.raw(f"vCont;c:p{PID:x}.-1") is None
    return talk


@pytest.mark.parametrize("event", [Forked(PID, PID, CHILD, vfork=True), VforkDone(PID, PID), Execed(PID, PID, "/x")])
def test_what_lldb_acts_upon_comes_after_its_interrupt(event: ThreadEvent) -> None:
    """In a stop that it has asked for lldb does nothing about forks and the like: it would not let the child go."""
    talk = lldb_at(event)
    talk.session.run_control.interrupt()
    assert fields(talk.poll() or "")["reason"] == "signal"
    assert "vfork" not in talk.ask("jThreadsInfo") and "exec" not in talk.ask("jThreadsInfo")
    told = talk.ask(f"vCont;c:p{PID:x}.-1")
    assert type(talk.session.stops.last) is type(event) and told.startswith("T")
    assert talk.ask(f"vCont;c:p{PID:x}.-1").startswith("T0b")


def test_a_fork_that_lldb_has_taken_for_its_interrupt_is_told_again() -> None:
    """The interrupt was under way when the stop was told; lldb lets the child go if it has understood."""
    for understood in (False, True):
        talk = lldb_at(Forked(PID, PID, CHILD))
        assert fields(talk.poll() or "")["reason"] == "fork"
        talk.session.run_control.interrupt()
        if understood:
            assert talk.ask(f"D;{CHILD:x}") == "OK"
        reply = talk.ask(f"vCont;c:p{PID:x}.-1")
        assert reply.startswith("T0b") if understood else fields(reply)["reason"] == "fork"


def test_a_fork_is_told_once_without_an_interrupt() -> None:
    talk = lldb_at(Forked(PID, PID, CHILD))
    assert fields(talk.poll() or "")["reason"] == "fork"
    assert talk.ask(f"vCont;c:p{PID:x}.-1").startswith("T0b")


def test_an_interrupt_that_meets_the_end_of_the_program_is_over() -> None:
    talk = gdb(script=[Stop(ProcessExited(PID, exit_code=0), slow=True)])
    talk.raw("vCont;c")
    talk.session.run_control.interrupt()
    assert (talk.poll() or "").startswith("W00")
    assert not talk.session.run_control.interrupted_before


def test_the_last_stop_can_be_asked_for_again_and_again() -> None:
    talk = gdb(script=[Stop(SignalStop(PID, PID, 11))])
    first = talk.ask("vCont;c")
    assert talk.ask("?") == first == talk.ask("?")
    assert len(talk.backend.resumed) == 1


def test_gdb_gets_the_stops_of_several_threads_one_after_the_other() -> None:
    process = SimProcess(PID, threads=3)
    hits = [BreakpointHit(PID, PID + index, 0x401010) for index in range(3)]
    talk = gdb(process, script=[Stop(*hits)])
    talk.ask("Z0,401010,1")
    assert [fields(talk.ask("vCont;c"))["thread"] for _ in range(3)] == ["p64.64", "p64.65", "p64.66"]
    assert len(talk.backend.resumed) == 1


def test_a_waiting_hit_is_dropped_with_its_breakpoint() -> None:
    process = SimProcess(PID, threads=2)
    talk = gdb(process, script=[Stop(BreakpointHit(PID, PID, 0x401010), BreakpointHit(PID, PID + 1, 0x401010))])
    talk.ask("Z0,401010,1")
    talk.ask("vCont;c")
    talk.ask("z0,401010,1")
    assert talk.raw("vCont;c") is None
    assert len(talk.backend.resumed) == 2


def test_a_waiting_hit_is_dropped_when_its_thread_was_moved() -> None:
    process = SimProcess(PID, threads=2)
    talk = gdb(process, script=[Stop(BreakpointHit(PID, PID, 0x401010), BreakpointHit(PID, PID + 1, 0x401010))])
    talk.ask("Z0,401010,1")
    talk.ask("vCont;c")
    talk.ask("Hgp64.65")
    talk.ask("P10=0020400000000000")
    talk.raw("vCont;c")
    assert len(talk.backend.resumed) == 2


def test_a_waiting_hit_outlives_the_removal_around_a_step() -> None:
    """gdb takes breakpoints out while it steps one thread, and puts them back before it lets all run."""
    process = SimProcess(PID, threads=2)
    talk = gdb(process, script=[Stop(BreakpointHit(PID, PID, 0x401010), BreakpointHit(PID, PID + 1, 0x401010))])
    talk.ask("Z0,401010,1")
    talk.ask("vCont;c")
    talk.ask("z0,401010,1")
    assert fields(talk.ask("vCont;s:p64.64"))["thread"] == "p64.64"
    talk.ask("Z0,401010,1")
    assert fields(talk.ask("vCont;c:p64.-1"))["thread"] == "p64.65"


def test_lldb_gets_all_stops_at_once() -> None:
    process = SimProcess(PID, threads=2)
    talk = lldb(process, script=[Stop(BreakpointHit(PID, PID, 0x401010), SignalStop(PID, PID + 1, 11))])
    talk.ask("vCont;c")
    assert fields(talk.ask("qThreadStopInfo65"))["reason"] == "signal"
    assert talk.raw("vCont;c") is None
    assert len(talk.backend.resumed) == 2


def test_events_that_nobody_waits_for_are_kept_for_the_next_client() -> None:
    talk = Conversation(SimProcess(PID))
    talk.backend.happen(SignalStop(PID, PID, 11), StepDone(PID, PID))
    assert talk.poll() is None
    talk.ask(GDB13)
    assert talk.ask("?").startswith("T0b")
    assert talk.ask("?").startswith("T0b")


def test_an_exit_selects_another_process() -> None:
    talk = gdb(SimProcess(PID), SimProcess(200), script=[Stop(ProcessExited(PID, exit_code=0))])
    assert talk.ask("vCont;c") == "W00;process:64"
    assert talk.ask("qC") == "QCpc8.c8"
    assert talk.ask("?") == "W00;process:64"


def test_a_fork_child_can_be_selected_and_let_go() -> None:
    talk = gdb(script=[Stop(Forked(PID, PID, 200))])
    talk.ask("vCont;c")
    child = talk.backend.live[200]
    assert talk.ask("qfThreadInfo") == "mp64.64,pc8.c8"
    assert talk.ask("Hgpc8.c8") == "OK"
    assert talk.ask("D;00000000000000c8") == "OK"
    assert child.ended == "detached"
    assert talk.ask("qC") == "QCp64.64"


def test_a_stop_outlives_its_connection() -> None:
    talk = gdb(script=[Stop(SignalStop(PID, PID, 11))])
    talk.ask("vCont;c")
    later = Session(talk.backend, stops=talk.session.stops)
    assert (later.dispatch(b"?") or b"").startswith(b"T0b")


def test_the_end_of_the_connection_closes_the_clients_files(tmp_path: object) -> None:
    import os

    talk = gdb()
    path = os.path.abspath(__file__)
    assert talk.ask(f"vFile:open:{path.encode().hex()},0,0") == "F3"
    descriptor = talk.session.files[3].descriptor
    talk.session.connection_lost()
    with pytest.raises(OSError):
        os.fstat(descriptor)


def test_statistics() -> None:
    talk = gdb()
    talk.ask("Z0,401010,1")
    numbers = talk.session.statistics()
    assert (numbers["packets"], numbers["breakpoints"], numbers["threads"]) == (4, 1, 1)
