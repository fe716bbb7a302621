"""vCont and the one-letter resumes, as actions that reach the backend."""

from __future__ import annotations

import pytest

from pydbgserver.target.api import ANY, ResumeAction, ResumeKind
from pydbgserver.target.capabilities import SignalSending
from pydbgserver.testing.capabilities import SimSignalSending
from pydbgserver.testing.sim import SimProcess
from tests.sim.conversation import PID, Conversation, fields, gdb, lldb

CONTINUE, STEP, STOP, RANGE = ResumeKind.CONTINUE, ResumeKind.STEP, ResumeKind.STOP, ResumeKind.RANGE_STEP
ALL = ResumeAction(CONTINUE)


def last(talk: Conversation) -> list[ResumeAction]:
    return list(talk.backend.resumed[-1])


def test_actions_offered() -> None:
    assert gdb().ask("vCont?") == "vCont;c;C;s;S;t;r"


@pytest.mark.parametrize(
    ("packet", "actions"),
    [
        ("vCont;c", [ALL]),
        ("vCont;c:p64.-1", [ResumeAction(CONTINUE, 100, ANY)]),
        ("vCont;c:p-1.-1", [ALL]),
        ("vCont;c:p64", [ResumeAction(CONTINUE, 100, ANY)]),
        ("vCont;s:p64.64", [ResumeAction(STEP, 100, 100)]),
        ("vCont;s:64;c", [ResumeAction(STEP, ANY, 100), ALL]),
        ("vCont;s:p64.64;c:p64.-1", [ResumeAction(STEP, 100, 100), ResumeAction(CONTINUE, 100, ANY)]),
        ("vCont;C1e:p64.64;c", [ResumeAction(CONTINUE, 100, 100, 10), ALL]),
        ("vCont;S0B:P64", None),
        ("vCont;S0b:64", [ResumeAction(STEP, ANY, 100, 11)]),
        ("vCont;r401000,401010:p64.64;c:p64.-1",
         [ResumeAction(RANGE, 100, 100, 0, 0x401000, 0x401010), ResumeAction(CONTINUE, 100, ANY)]),
        ("vCont;t:p64.65;c", [ResumeAction(STOP, 100, 101), ALL]),
        ("vCont;s:0", [ResumeAction(STEP, 100, 100)]),
        ("vCont;c;", [ALL]),
        ("c", [ResumeAction(CONTINUE, 100, 100), ALL]),
        ("s", [ResumeAction(STEP, 100, 100), ALL]),
        ("C1e", [ResumeAction(CONTINUE, 100, 100, 10), ALL]),
        ("S1e;401020", [ResumeAction(STEP, 100, 100, 10), ALL]),
    ],
)  # fmt: skip
def test_actions_of_gdb(packet: str, actions: list[ResumeAction] | None) -> None:
    talk = gdb(SimProcess(PID, threads=2))
    reply = talk.raw(packet)
    if actions is None:
        assert reply is not None and reply.startswith(b"E") and not talk.backend.resumed
    else:
        assert last(talk) == actions


def test_lldbs_signals_are_native() -> None:
    talk = lldb()
    talk.raw("vCont;C0a:p64.64")
    assert last(talk) == [ResumeAction(CONTINUE, 100, 100, 10)]


@pytest.mark.parametrize(
    "packet",
    ["vCont", "vCont;", "vCont;x", "vCont;c:zz", "vCont;Cxx", "vCont;C", "vCont;C91", "vCont;r1:64", "vCont;c1",
     "vCont;c:1", "vCont;s:p1.1", "vCont;s:p64.1", "C", "Cff", "czz"],
)  # fmt: skip
def test_what_makes_no_sense_or_matches_nothing_is_an_error(packet: str) -> None:
    talk = gdb()
    assert talk.ask(packet).startswith("E")
    assert not talk.session.running and not talk.backend.resumed


def test_a_thread_that_died_since_is_an_error_though_the_packet_was_seen_before() -> None:
    talk = gdb(SimProcess(PID, threads=2))
    talk.ask("vCont;s:p64.65")
    talk.ask("vCont;s:p64.64")
    talk.process.remove_thread(PID + 1)
    assert talk.ask("vCont;s:p64.65").startswith("E")


def test_lldb_sends_a_signal_from_outside_unless_a_thread_is_chosen() -> None:
    talk = lldb(SimProcess(PID, threads=2))
    sending = talk.process.capability(SignalSending)
    assert isinstance(sending, SimSignalSending)
    talk.raw("C0a")
    assert sending.sent == [10]
    assert last(talk) == [ResumeAction(CONTINUE, 100, 100), ResumeAction(CONTINUE, 100)]
    talk = lldb(SimProcess(PID, threads=2))
    talk.ask("Hcp64.65")
    talk.raw("C0a")
    assert last(talk) == [ResumeAction(CONTINUE, 100, 101, 10), ResumeAction(CONTINUE, 100)]


def test_lldb_steps_one_thread_alone_and_continues_one_process() -> None:
    talk = lldb(SimProcess(PID, threads=2), SimProcess(200))
    talk.ask("Hcp64.65")
    assert fields(talk.ask("s"))["thread"] == "p64.65"
    assert last(talk) == [ResumeAction(STEP, 100, 101)]
    for packet in ("vCont;c", "vCont;c:p-1.-1", "vCont;c:p64.64;c:pc8.c8"):
        assert talk.ask(packet).startswith("E03")
    talk.raw("vCont;c:pc8.c8")
    assert last(talk) == [ResumeAction(CONTINUE, 200, 200)]


def test_hc_chooses_for_the_one_letter_forms() -> None:
    talk = gdb(SimProcess(PID, threads=2))
    talk.ask("Hcp64.65")
    assert fields(talk.ask("s"))["thread"] == "p64.65"
    assert last(talk) == [ResumeAction(STEP, 100, 101)]


def test_an_address_moves_the_thread_first() -> None:
    talk = gdb()
    talk.ask("s401020")
    assert talk.process.pc(PID) == 0x401021


def test_stopping_what_runs_is_the_interrupt() -> None:
    talk = gdb()
    talk.raw("vCont;c")
    assert talk.ask("vCont;t") == "OK"
    assert talk.ask("vCtrlC") == "OK"
    assert talk.backend.interrupts == 2
    assert (talk.poll() or "").startswith("T02")


def test_many_different_packets_do_not_gather() -> None:
    talk = gdb()
    for address in range(1000):
        talk.raw(f"vCont;r401000,{0x401000 + address:x}:p64.64")
    assert len(talk.session.parsed_actions) <= 256
