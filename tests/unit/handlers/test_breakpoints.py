"""Z and z."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pydbgserver.target.capabilities import BreakpointPrograms, HardwareDebug
from pydbgserver.target.events import ProcessExited, WatchKind
from pydbgserver.testing.breakpoint_programs import SimBreakpointPrograms
from pydbgserver.testing.capabilities import SimHardwareDebug
from pydbgserver.testing.sim import SimProcess
from tests.sim.conversation import PID, Conversation, gdb, lldb


def used(talk: Conversation) -> list[tuple[WatchKind, int, int]]:
    hardware = talk.process.capability(HardwareDebug)
    assert isinstance(hardware, SimHardwareDebug)
    return hardware.used


def test_software() -> None:
    talk = gdb()
    assert [talk.ask("Z0,401010,1"), talk.ask("Z0,401010,1")] == ["OK", "OK"]
    assert talk.process.breakpoints == {0x401010}
    assert [talk.ask("z0,401010,1"), talk.ask("z0,401010,1")] == ["OK", "OK"]
    assert talk.process.breakpoints == set()
    assert talk.ask("Z0,0,1").startswith("E")


@pytest.mark.parametrize("talk", [gdb, lldb])
def test_memory_that_is_gone_is_told_of_once(talk: Callable[[], Conversation]) -> None:
    asked = talk()
    place = asked.ask("_M1000,rx")
    assert asked.ask(f"Z0,{place},1") == "OK"
    assert asked.ask(f"_m{place}") == "OK"
    assert asked.ask(f"z0,{place},1").startswith(("E0e", "E."))
    assert asked.ask(f"z0,{place},1") == "OK"


@pytest.mark.parametrize(("kind", "watch"), [("1", WatchKind.EXECUTE), ("2", WatchKind.WRITE), ("4", WatchKind.ACCESS)])
def test_hardware(kind: str, watch: WatchKind) -> None:
    talk = gdb()
    assert talk.ask(f"Z{kind},404000,1") == "OK"
    assert used(talk) == [(watch, 0x404000, 1)]
    assert talk.ask(f"z{kind},404000,1") == "OK"
    assert talk.ask(f"z{kind},404000,1") == "OK"
    assert used(talk) == []


def test_read_watch_is_unknown_to_gdb_and_an_access_watch_to_lldb() -> None:
    assert gdb().ask("Z3,404000,8") == ""
    talk = lldb()
    assert talk.ask("Z3,404000,8") == "OK"
    assert used(talk) == [(WatchKind.ACCESS, 0x404000, 8)]
    assert talk.ask("z3,404000,8") == "OK"
    assert used(talk) == []


@pytest.mark.parametrize("talk", [gdb, lldb])
def test_too_many_is_an_error_and_never_empty(talk: type[Conversation]) -> None:
    conversation = talk()
    for address in range(0x404000, 0x404020, 8):
        assert conversation.ask(f"Z2,{address:x},8") == "OK"
    assert conversation.ask("Z2,404020,8").startswith("E")
    assert conversation.ask("Z1,401000,1").startswith("E")


@pytest.mark.parametrize("packet", ["Z5,404000,1", "z5,404000,1", "Z9,0,0"])
def test_unknown_kinds_are_empty(packet: str) -> None:
    assert gdb().ask(packet) == ""


MALFORMED = ["Z0", "Z0,", "Z0,401000", "Z0,zz,1", "z2,404000", "Z0,401000,1;X4,220027", "Z0,401000,1;Q"]


@pytest.mark.parametrize("packet", MALFORMED)
def test_malformed_is_an_error(packet: str) -> None:
    assert gdb().ask(packet).startswith("E")


def test_without_debug_registers_hardware_kinds_are_unknown() -> None:
    talk = gdb(SimProcess(PID, without=[HardwareDebug]))
    assert [talk.ask(f"Z{kind},404000,1") for kind in "124"] == ["", "", ""]


def test_they_apply_to_the_selected_process() -> None:
    talk = gdb(SimProcess(100), SimProcess(200))
    talk.ask("Hgpc8.c8")
    talk.ask("Z0,401010,1")
    assert talk.backend.live[100].breakpoints == set()
    assert talk.backend.live[200].breakpoints == {0x401010}


# Conditions and commands.

TRUE, FALSE = "X3,220127", "X3,220027"
# print "hi\\n"
GREETING = "Xd,220022003400000468690a0027"
ZERO_DIVIDED = "X6,220122000527"


def test_a_false_condition_is_passed_by() -> None:
    talk = gdb()
    talk.ask(f"Z0,401010,1;{FALSE}")
    talk.ask(f"Z0,401020,1;{FALSE}{TRUE}")
    talk.ask("Z0,401030,1")
    assert talk.ask("vCont;c").startswith("T05")
    assert talk.process.pc(PID) == 0x401020
    talk.ask("vCont;c")
    assert talk.process.pc(PID) == 0x401030


def test_a_condition_sees_registers_and_memory() -> None:
    talk = gdb()
    # rip (number 16) == 0x401010 and the long at 0x404000 is 7
    code = "2600102400401010132400404000192207130f27"
    talk.ask(f"Z0,401010,1;X{len(code) // 2:x},{code}")
    assert talk.raw("vCont;c") is None
    talk.session.run_control.interrupt()
    talk.poll()
    talk.process.set_pc(PID, 0x401000)
    talk.ask("M404000,4:07000000")
    assert talk.ask("vCont;c").startswith("T05")
    assert talk.process.pc(PID) == 0x401010


def test_the_last_conditions_count() -> None:
    talk = gdb()
    talk.ask(f"Z0,401010,1;{FALSE}")
    talk.ask("Z0,401010,1")
    assert talk.ask("vCont;c").startswith("T05")
    talk.process.set_pc(PID, 0x401000)
    talk.ask(f"Z0,401010,1;{FALSE}")
    talk.ask("z0,401010,1")
    talk.ask("Z0,401010,1")
    assert talk.ask("vCont;c").startswith("T05")


def test_commands_print_and_nobody_is_told() -> None:
    talk = gdb()
    programs = talk.process.capability(BreakpointPrograms)
    assert isinstance(programs, SimBreakpointPrograms)
    talk.ask(f"Z0,401010,1;cmds:1,{GREETING}")
    talk.ask(f"Z0,401011,1;{FALSE};cmds:0,{GREETING}")
    assert programs.persistent()
    assert talk.raw("vCont;c") is None
    assert programs.printed == b"hi\n"
    talk.session.run_control.interrupt()
    talk.poll()
    assert talk.ask("z0,401010,1") == "OK"
    assert not programs.persistent()


def test_detaching_leaves_persistent_commands_running() -> None:
    talk = gdb()
    talk.ask(f"Z0,401010,1;cmds:1,{GREETING}")
    assert talk.ask("D;64") == "OK"
    assert talk.backend.options.unattended
    assert talk.process.ended == ""
    talk.backend.happen(ProcessExited(PID, exit_code=0))
    assert talk.poll() is None
    assert not talk.session.running


def test_detaching_ends_commands_that_do_not_persist() -> None:
    talk = gdb()
    process = talk.process
    talk.ask(f"Z0,401010,1;cmds:0,{GREETING}")
    assert talk.ask("D;64") == "OK"
    assert process.ended == "detached"


def test_a_condition_that_fails_stops_and_says_so() -> None:
    talk = gdb()
    talk.ask(f"Z0,401010,1;{FALSE}{ZERO_DIVIDED}")
    assert talk.ask("vCont;c").startswith("T05")
    (console,) = talk.session.outbox
    assert bytes.fromhex(console[1:].decode()) == (
        b"The condition or a command of the breakpoint at 0x401010 failed: division by zero at 4\n"
    )


def test_unsound_conditions_leave_nothing_behind() -> None:
    talk = gdb()
    assert talk.ask("Z0,401010,1;X2,0227").startswith("E.the condition of the breakpoint is no good: ")
    assert talk.process.breakpoints == set()
    talk.ask("Z0,401010,1")
    assert talk.ask(f"Z1,401010,1;cmds:0,{TRUE[:-2]}").startswith("E")
    assert used(talk) == []
    assert talk.ask(f"Z0,0,1;{FALSE}").startswith("E")
    assert talk.session.inserted.programmed == set()


def test_a_target_without_an_evaluator() -> None:
    talk = gdb(SimProcess(PID, without=[BreakpointPrograms]))
    assert talk.ask(f"Z0,401010,1;{FALSE}").startswith("E.")
    assert talk.ask("Z0,401010,1") == "OK"


@given(options=st.from_regex(r"(X[0-9a-f]{0,2},[0-9a-f]{0,12}|;|cmds:|0,|1,){1,6}", fullmatch=True))
def test_any_options_are_taken_or_refused(options: str) -> None:
    talk = gdb()
    reply = talk.ask(f"Z0,401010,1;{options}")
    assert reply == "OK" or reply.startswith("E.")
    assert talk.process.breakpoints == ({0x401010} if reply == "OK" else set())
    assert talk.raw("vCont;c") is None or reply == "OK"
