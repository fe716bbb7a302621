"""Non-stop sessions on the simulated target: what is said when, and to whom."""

from __future__ import annotations

import pytest

from pydbgserver.errors import TargetRunning
from pydbgserver.target.api import StopScope
from pydbgserver.target.events import (
    BreakpointHit,
    Execed,
    Forked,
    NoneResumed,
    ProcessExited,
    SignalStop,
    StopEvent,
    ThreadExited,
)
from pydbgserver.testing.sim import CODE, SimProcess, Stop
from tests.sim.conversation import PID, Conversation, gdb, lldb


def notices(talk: Conversation) -> list[str]:
    """The notifications that were sent since the last look."""
    found = [f"{name}:{body.decode()}" for name, body in talk.session.notices]
    talk.session.notices.clear()
    return found


def happen(talk: Conversation, *events: StopEvent) -> list[str]:
    talk.backend.happen(*events)
    assert talk.poll() is None
    return notices(talk)


def gdb_non_stop(threads: int = 3, *others: SimProcess) -> Conversation:
    talk = gdb(SimProcess(PID, threads=threads), *others)
    assert talk.ask("QNonStop:1") == "OK"
    assert talk.backend.threads.scope is StopScope.THREAD
    return talk


def lldb_non_stop(threads: int = 3, *others: SimProcess) -> Conversation:
    talk = lldb(SimProcess(PID, threads=threads), *others)
    assert talk.ask("QNonStop:1") == "OK"
    assert talk.backend.threads.scope is StopScope.PROCESS
    return talk


def drain(talk: Conversation) -> list[str]:
    """The replies to vStopped up to the OK."""
    replies: list[str] = []
    while not replies or replies[-1] != "OK":
        replies.append(talk.ask("vStopped"))
    return replies


def ending(reply: str) -> str:
    return reply[:3] + reply[reply.index("thread:") :]


def test_a_condition_that_fails_is_told_to_whoever_looks_after_the_server(capfd: pytest.CaptureFixture[str]) -> None:
    talk = gdb_non_stop()
    assert talk.ask("vCont;c") == "OK"
    (stop,) = happen(talk, BreakpointHit(PID, PID, CODE, failure="division by zero at 4"))
    assert stop.startswith("Stop:T05")
    assert talk.session.outbox == []
    assert f"the breakpoint at {CODE:#x} failed: division by zero at 4" in capfd.readouterr().err


def test_every_stopped_thread_is_told_of_when_asked() -> None:
    talk = gdb_non_stop()
    assert ending(talk.ask("?")) == "T05thread:p64.64;"
    assert [ending(one) for one in drain(talk)[:-1]] == ["T00thread:p64.65;", "T00thread:p64.66;"]
    assert talk.ask("vCont;c:p64.65") == "OK"
    assert ending(talk.ask("?")) == "T05thread:p64.64;"
    assert [ending(one) for one in drain(talk)[:-1]] == ["T00thread:p64.66;"]
    assert notices(talk) == []


def test_when_everything_runs_there_is_nothing_to_tell() -> None:
    talk = gdb_non_stop()
    assert talk.ask("vCont;c") == "OK"
    assert talk.ask("?") == "OK"
    assert talk.ask("vStopped") == "OK"


def test_a_resume_is_answered_before_its_stop() -> None:
    talk = gdb_non_stop()
    assert talk.ask("vCont;s:p64.64") == "OK"
    assert [ending(one) for one in notices(talk)] == ["Stothread:p64.64;"]
    assert drain(talk) == ["OK"]


def test_one_notification_is_in_flight() -> None:
    talk = gdb_non_stop()
    talk.ask("vCont;c")
    assert len(happen(talk, SignalStop(PID, PID, 10))) == 1
    assert happen(talk, SignalStop(PID, PID + 1, 10)) == []
    assert happen(talk, SignalStop(PID, PID + 2, 12)) == []
    replies = drain(talk)
    assert [ending(one) for one in replies[:-1]] == ["T1ethread:p64.65;", "T1fthread:p64.66;"]
    talk.ask("vCont;c")
    assert len(happen(talk, SignalStop(PID, PID + 1, 10))) == 1


def test_a_thread_runs_for_the_client_until_its_stop_is_acknowledged() -> None:
    talk = gdb_non_stop(2)
    talk.ask("vCont;c")
    happen(talk, SignalStop(PID, PID, 10))
    assert talk.ask("vCont;c") == "OK"
    assert talk.backend.threads.running == {PID + 1}
    assert drain(talk) == ["OK"]
    assert talk.ask("vCont;c") == "OK"
    assert talk.backend.threads.running == {PID, PID + 1}


def test_threads_are_stopped_without_a_signal() -> None:
    talk = gdb_non_stop()
    talk.ask("vCont;c")
    assert talk.ask("vCont;t:p64.65") == "OK"
    assert [ending(one[5:]) for one in notices(talk)] == ["T00thread:p64.65;"]
    assert talk.ask("vCont;t") == "OK"
    talk.session.run_control.on_stop(talk.backend.poll())
    assert len(drain(talk)) == 3 and talk.backend.threads.running == set()
    assert talk.ask("vCont;t") == "OK" and talk.poll() is None and notices(talk) == []


def test_an_action_for_a_thread_that_is_gone_is_ignored() -> None:
    talk = gdb_non_stop(2)
    talk.ask("vCont;c")
    assert talk.ask("vCont;t:p64.99") == "OK"
    assert notices(talk) == []


def test_an_interrupt_is_one_stop() -> None:
    talk = gdb_non_stop()
    talk.ask("vCont;c")
    assert talk.ask("vCtrlC") == "OK"
    assert talk.poll() is None
    assert [ending(one[5:]) for one in notices(talk)] == ["T02thread:p64.64;"]
    assert talk.backend.threads.running == {PID + 1, PID + 2}


def test_registers_of_running_threads_are_refused_in_words() -> None:
    talk = gdb_non_stop()
    talk.ask("vCont;c:p64.65")
    assert talk.ask("Hgp64.65") == "OK"
    assert talk.ask("g") == "E.thread 101 is running"
    assert talk.ask("m401000,4") == "00010203"
    assert talk.ask("Z0,401010,1") == "OK"
    assert talk.ask("Hgp64.64") == "OK"
    assert len(talk.ask("g")) > 100


def test_a_step_after_another_thread_has_stopped_is_reported_in_turn() -> None:
    talk = gdb_non_stop(2)
    talk.ask("Z0,401010,1")
    talk.ask("vCont;c:p64.64")
    assert notices(talk) and talk.process.pc(PID) == CODE + 0x10
    talk.ask("vCont;s:p64.65")
    assert notices(talk) == []
    assert [ending(one) for one in drain(talk)[:-1]] == ["T05thread:p64.65;"]


def test_an_exit_takes_the_stops_of_its_process_back() -> None:
    talk = gdb_non_stop(3, SimProcess(200))
    talk.ask("vCont;c")
    happen(talk, SignalStop(PID, PID, 10))
    happen(talk, SignalStop(PID, PID + 1, 10))
    happen(talk, SignalStop(200, 200, 10))
    happen(talk, ProcessExited(PID, exit_code=3))
    replies = drain(talk)
    assert ending(replies[0]) == "T1ethread:pc8.c8;"
    assert replies[1:] == ["W03;process:64", "OK"]
    assert talk.ask("qfThreadInfo") == "mpc8.c8"


def test_a_stop_of_what_has_ended_unread() -> None:
    talk = gdb_non_stop(1, SimProcess(200))
    talk.ask("vCont;c")
    happen(talk, ProcessExited(PID, exit_code=0))
    happen(talk, ProcessExited(200, exit_code=0))
    assert talk.ask("vCont;t:pc8.c8") == "OK"
    assert talk.ask("vCont;c:pc8.c8").startswith("E.")
    assert drain(talk) == ["W00;process:c8", "OK"]


def test_an_exec_takes_the_stops_of_the_other_threads_back() -> None:
    talk = gdb_non_stop()
    talk.ask("vCont;c")
    happen(talk, SignalStop(PID, PID + 1, 10))
    happen(talk, SignalStop(PID, PID + 2, 10))
    happen(talk, Execed(PID, PID, "/new"))
    replies = drain(talk)
    assert len(replies) == 2 and "exec:2f6e6577;" in replies[0]


def test_a_fork_child_is_stopped_and_known_once_the_fork_is() -> None:
    talk = gdb_non_stop(1)
    talk.ask("vCont;c")
    (told,) = happen(talk, Forked(PID, PID, 200))
    assert "fork:pc8.c8;" in told
    talk.ask("vCont;c")
    assert talk.backend.threads.running == set()
    drain(talk)
    assert talk.ask("D;c8") == "OK"
    talk.ask("vCont;c")
    assert talk.backend.threads.running == {PID}


def test_an_exit_of_a_thread_is_told_once() -> None:
    talk = gdb_non_stop(2)
    talk.ask("vCont;c")
    assert happen(talk, ThreadExited(PID, PID + 1, 4)) == ["Stop:w04;p64.65"]
    drain(talk)
    talk.ask("vCont;t")
    assert "thread:p64.64;" in talk.ask("?")
    assert drain(talk) == ["OK"]


def test_nothing_resumed_is_told_to_who_knows_it() -> None:
    talk = gdb_non_stop(2)
    assert happen(talk, NoneResumed(PID, PID)) == ["Stop:N"]
    talk = Conversation(SimProcess(PID), before=("qSupported:multiprocess+;swbreak+", "QNonStop:1"))
    assert happen(talk, NoneResumed(PID, PID)) == []


def test_settings_take_effect_while_threads_run() -> None:
    talk = gdb_non_stop()
    talk.ask("vCont;c")
    assert talk.ask("QPassSignals:e") == "OK"
    assert talk.backend.options.pass_signals == {14}


def test_an_attach_leaves_the_program_running_until_it_is_stopped() -> None:
    talk = gdb_non_stop(1)
    talk.backend.attachable[300] = SimProcess(300, threads=2)
    assert talk.ask("vAttach;12c") == "OK"
    assert talk.backend.threads.running == {300, 301}
    talk.ask("vCont;t:p12c.-1")
    assert len(notices(talk)) == 1 and talk.poll() is None and len(drain(talk)) == 2


def test_an_attached_program_is_told_of_by_one_thread() -> None:
    talk = gdb(SimProcess(PID, threads=3, attached=True))
    talk.session.stops.last = None
    talk.session.stops.reasons.clear()
    talk.ask("QNonStop:1")
    assert ending(talk.ask("?")) == "T00thread:p64.64;"
    assert drain(talk) == ["OK"]
    assert talk.backend.threads.running == {PID + 1, PID + 2}


def test_a_launch_while_another_program_runs() -> None:
    talk = gdb_non_stop(1)
    talk.ask("vCont;c")
    assert ending(talk.ask("vRun;2f62696e2f61")).startswith("T05thread:p")
    assert talk.backend.threads.running == {PID}


def test_back_in_all_stop_everything_is_stopped_and_nothing_lost() -> None:
    talk = gdb_non_stop()
    talk.ask("vCont;c")
    happen(talk, SignalStop(PID, PID + 1, 10))
    talk.backend.happen(SignalStop(PID, PID + 2, 12))
    assert talk.ask("QNonStop:0") == "OK"
    assert talk.backend.threads.scope is StopScope.ALL and not talk.session.running
    assert ending(talk.ask("?")) == "T1ethread:p64.65;"
    assert ending(talk.ask("vCont;c")) == "T1fthread:p64.66;"
    assert talk.ask("vStopped").startswith("E")


def test_a_target_that_does_not_stop_is_said_to_run() -> None:
    talk = gdb_non_stop()

    def fail(scope: StopScope) -> list[StopEvent]:
        raise TargetRunning("a thread does not stop")

    talk.backend.set_scope = fail  # type: ignore[method-assign]
    assert talk.ask("QNonStop:0") == "E.a thread does not stop"
    assert talk.session.running
    assert talk.ask("g").startswith("E")


def test_what_ran_before_the_client_came_runs_on() -> None:
    talk = gdb(SimProcess(PID, threads=2))
    talk.session.ran_before = True
    talk.session.run_control.on_stop([SignalStop(PID, PID + 1, 10)])
    talk.ask("QNonStop:1")
    assert talk.backend.threads.running == {PID}
    assert ending(talk.ask("?")) == "T1ethread:p64.65;"
    assert drain(talk) == ["OK"]


def test_a_lost_client_leaves_all_stop_behind() -> None:
    talk = gdb_non_stop()
    talk.ask("vCont;c:p64.65")
    talk.session.connection_lost()
    assert talk.session.left_running and talk.session.non_stop is None
    assert talk.backend.threads.scope is StopScope.ALL


def test_the_mode_cannot_be_entered_while_the_target_runs() -> None:
    talk = gdb(script=[Stop(slow=True)])
    assert talk.raw("vCont;c") is None
    assert talk.ask("QNonStop:1").startswith("E")


# lldb's kind.


def test_lldb_hears_of_every_thread_of_the_process() -> None:
    talk = lldb_non_stop(3, SimProcess(200))
    assert talk.ask("vCont;c") == "OK"
    (told,) = happen(talk, BreakpointHit(PID, PID + 1, CODE + 4))
    assert told.startswith("Stop:T05thread:p64.65;") and "reason:breakpoint;" in told
    replies = drain(talk)
    assert [one[:18] for one in replies[:-1]] == ["T00thread:p64.64;n", "T00thread:p64.66;n"]
    assert talk.backend.threads.running == {200}
    assert talk.ask("?").startswith("T05thread:p64.65;")


def test_lldb_cannot_resume_what_runs_nor_stop_single_threads() -> None:
    talk = lldb_non_stop()
    assert talk.ask("vCont;c") == "OK"
    assert [talk.ask(one)[:3] for one in ("c", "s", "C05", "vCont;c:65")] == ["E37"] * 4
    assert talk.ask("vCont;t:65")[:3] == "E03"
    assert talk.ask("vCont;t") == "OK"
    assert notices(talk)[0].startswith("Stop:T13thread:p64.64;")


def test_lldb_need_not_acknowledge_before_it_resumes() -> None:
    talk = lldb_non_stop()
    talk.ask("c")
    assert len(happen(talk, SignalStop(PID, PID + 1, 11))) == 1
    assert talk.ask("c") == "OK"
    assert talk.ask("?") == "OK"
    assert len(happen(talk, SignalStop(PID, PID + 1, 11))) == 1


def test_lldb_gets_output_as_notifications() -> None:
    talk = lldb_non_stop()
    talk.ask("c")
    for text in (b"one", b"two"):
        assert talk.session.output.printed(text) is None
    assert notices(talk) == ["Stdio:O6f6e65"]
    assert talk.ask("vStdio") == "O74776f"
    assert talk.ask("vStdio") == "OK"
    assert talk.ask("vStdio")[:3] == "Eff"


def test_lldb_hears_of_what_it_has_killed() -> None:
    talk = lldb_non_stop(1, SimProcess(200))
    assert talk.ask("k") == "OK"
    assert notices(talk) == ["Stop:X09;process:64"]
    assert drain(talk) == ["X09;process:c8", "OK"]


def test_lldb_leaves_the_mode_without_further_stops() -> None:
    talk = lldb_non_stop()
    talk.ask("c")
    assert talk.ask("QNonStop:0") == "OK"
    assert talk.ask("vStopped")[:3] == "Eff"
    assert talk.ask("?").startswith("T")
    assert notices(talk) == []
