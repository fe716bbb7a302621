"""The conversation itself."""

from __future__ import annotations

import pytest

from pydbgserver.testing.sim import SimProcess
from tests.sim.conversation import GDB13, LLDB19, PID, Conversation, gdb, lldb


def test_no_ack_mode_is_asked_for_with_the_reply() -> None:
    talk = Conversation(SimProcess(PID))
    assert not talk.session.no_ack_requested
    assert talk.ask("QStartNoAckMode") == "OK"
    assert talk.session.no_ack_requested


def test_features_may_follow_a_semicolon() -> None:
    talk = Conversation(SimProcess(PID))
    assert "fork-events+" in talk.ask("qSupported;multiprocess+;fork-events+").split(";")
    assert "fork-events+" not in talk.ask("qSupported").split(";")


def test_extended_mode() -> None:
    talk = Conversation()
    assert talk.ask("!") == "OK"
    assert talk.session.extended


@pytest.mark.parametrize(
    ("packet", "selected"),
    [
        ("Hgp0.0", 100),
        ("Hg0", 100),
        ("Hg-1", 100),
        ("Hgp64.65", 101),
        ("Hg65", 101),
        ("HgpC8.C8", 200),
        ("Hgpc8.-1", 200),
        ("Hgpc8", 200),
        ("Hgc9", 201),
    ],
)
def test_threads_are_selected_in_every_form(packet: str, selected: int) -> None:
    talk = gdb(SimProcess(100, threads=2), SimProcess(200, threads=2))
    assert talk.ask(packet) == "OK"
    assert talk.session.selection.tid == selected


@pytest.mark.parametrize("packet", ["Hg1", "Hgp64.1", "Hgp1.64", "Hgc8c8", "Hc1", "T1", "Tp64.1"])
def test_threads_that_are_not_there_are_an_error(packet: str) -> None:
    assert gdb().ask(packet).startswith("E")


@pytest.mark.parametrize("packet", ["Hc-1", "Hc0", "Hcp64.64", "Hs64", "T64", "Tp64.64"])
def test_what_is_accepted(packet: str) -> None:
    assert gdb().ask(packet) == "OK"


def test_current_thread_in_both_forms() -> None:
    assert gdb().ask("qC") == "QCp64.64"
    assert lldb().ask("qC") == "QC64"


def test_attached() -> None:
    talk = gdb(SimProcess(100), SimProcess(200, attached=True))
    assert [talk.ask(one) for one in ("qAttached", "qAttached:64", "qAttached:c8")] == ["0", "0", "1"]
    assert talk.ask("qAttached:1").startswith("E")


def test_echo_gives_the_same_packet() -> None:
    assert lldb().ask("qEcho:12345") == "qEcho:12345"


def test_negotiation_starts_over() -> None:
    talk = gdb()
    talk.ask("qSupported:xmlRegisters=i386")
    assert talk.ask("qC") == "QC64"
    talk.ask(GDB13)
    assert talk.ask("qC") == "QCp64.64"


def test_the_backend_is_told_what_the_client_follows() -> None:
    talk = gdb()
    talk.raw("vCont;c")
    options = talk.backend.options
    assert (options.report_forks, options.report_vforks, options.report_execs) == (True, True, True)
    talk = Conversation(SimProcess(PID), before=["qSupported:vContSupported+;fork-events+"])
    talk.raw("vCont;c")
    options = talk.backend.options
    assert (options.report_forks, options.report_vforks, options.report_execs) == (True, False, False)


def test_lldb_hears_of_an_exec_without_offering_it() -> None:
    talk = Conversation(SimProcess(PID), before=[LLDB19])
    talk.raw("vCont;c")
    assert talk.backend.options.report_execs


@pytest.mark.parametrize("packet", ["qOffsets", "qTStatus", "qTfV", "qShlibInfoAddr", "qP", "QAgent:1"])
def test_what_is_left_out_is_empty(packet: str) -> None:
    assert gdb().ask(packet) == ""


def test_a_gdb_that_reads_no_descriptions_gets_the_registers_it_takes_for_granted() -> None:
    talk = Conversation(SimProcess(PID), before=["qSupported:swbreak+;vContSupported+"])
    assert talk.backend.options.plain_registers
    talk.ask(GDB13)
    assert not talk.backend.options.plain_registers
    assert not lldb().backend.options.plain_registers
