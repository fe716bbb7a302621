"""Register packets with and without lldb's thread suffix."""

from __future__ import annotations

import pytest

from pydbgserver.target.capabilities import RegisterSnapshots
from pydbgserver.testing.sim import SimProcess, sim_arch
from tests.sim.conversation import PID, gdb, lldb

RIP = 16


def test_the_block_is_as_long_as_the_description_says() -> None:
    assert len(gdb().ask("g")) == 2 * sim_arch().block_size


def test_the_block_can_be_written_back_and_changed() -> None:
    talk = gdb()
    block = talk.ask("g")
    assert talk.ask(f"G{block}") == "OK"
    assert talk.ask("g") == block
    assert talk.ask(f"G{'ff' * 8}{block[16:]}") == "OK"
    assert talk.ask("p0") == "ff" * 8
    assert talk.ask(f"G{block}00").startswith("E")
    assert talk.ask("G").startswith("E")


def test_one_register_of_another_thread() -> None:
    talk = lldb(SimProcess(PID, threads=2))
    assert talk.ask("P10=1122334455667788;thread:0065;") == "OK"
    assert talk.ask("p10;thread:65;") == "1122334455667788"
    assert talk.ask("p10;thread:0064;") == talk.ask("p10") == "0010400000000000"
    assert talk.ask("Hg65") == "OK"
    assert talk.ask("p10") == "1122334455667788"


@pytest.mark.parametrize("packet", ["pffff", "p", "pzz", "P10=00", "P10", "Pffff=00", "p0;thread:1;", "g;thread:1;"])
def test_what_is_not_there_is_an_error_and_never_empty(packet: str) -> None:
    assert lldb().ask(packet).startswith("E")
    assert gdb().ask(packet.partition(";")[0] + (";thread:1;" if ";" in packet else "")).startswith("E")


def test_where_lldb_jumps_to_no_system_call_is_gone_back_to() -> None:
    call = next(one.number for one in sim_arch().registers if one.name == "orig_rax")
    for talk, after in ((gdb(), "ca00000000000000"), (lldb(), "ff" * 8)):
        assert talk.ask(f"P{call:x}=ca00000000000000") == "OK"
        assert talk.ask(f"P{RIP:x}=0010400000000000") == "OK"
        assert talk.ask(f"p{RIP:x}") == "0010400000000000"
        assert talk.ask(f"p{call:x}") == after


def test_snapshots() -> None:
    talk = lldb()
    assert talk.ask("QSaveRegisterState;thread:64;") == "1"
    talk.ask("P10=1122334455667788;thread:64;")
    assert talk.ask("QRestoreRegisterState:1;thread:64;") == "OK"
    assert talk.ask("p10") == "0010400000000000"
    assert talk.ask("QRestoreRegisterState:1;thread:64;").startswith("E")
    assert lldb(SimProcess(PID, without=[RegisterSnapshots])).ask("QSaveRegisterState") == ""


def test_a_vfork_is_not_told_while_lldb_calls_a_function() -> None:
    talk = lldb()

    def reported() -> bool:
        talk.raw("vCont;c")
        talk.backend.interrupt()
        talk.session.run_control.on_stop(talk.backend.poll())
        return talk.backend.options.report_vforks

    assert reported()
    talk.ask("QSaveRegisterState;thread:64;")
    talk.ask("QSaveRegisterState;thread:64;")
    assert not reported()
    talk.ask("QRestoreRegisterState:2;thread:64;")
    assert not reported()
    talk.ask("QRestoreRegisterState:1;thread:64;")
    assert reported()
    talk.ask("QSaveRegisterState;thread:64;")
    assert not reported()
    talk.session.forget_program(PID)
    assert reported()


def test_register_info_ends_with_lldb_servers_error() -> None:
    talk = lldb()
    count = len(sim_arch().registers) + len(sim_arch().views)
    assert talk.ask("qRegisterInfo10").startswith("name:rip;bitsize:64;")
    assert talk.ask(f"qRegisterInfo{count - 1:x}").startswith("name:")
    assert talk.ask(f"qRegisterInfo{count:x}").startswith("E45")
