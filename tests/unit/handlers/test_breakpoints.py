"""Z and z."""

from __future__ import annotations

import pytest

from pydbgserver.target.capabilities import HardwareDebug
from pydbgserver.target.events import WatchKind
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


@pytest.mark.parametrize("packet", ["Z0", "Z0,", "Z0,401000", "Z0,zz,1", "z2,404000", "Z0,401000,1;X3,220027"])
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
