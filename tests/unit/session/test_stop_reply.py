"""Each event in the words of each client, after captures of gdbserver 13 and lldb-server 19."""

from __future__ import annotations

import json

import pytest

from pydbgserver.session.options import SessionOptions
from pydbgserver.target.events import (
    BreakpointHit,
    Execed,
    Forked,
    Interrupted,
    NoneResumed,
    ProcessExited,
    SignalStop,
    StepDone,
    StopEvent,
    SyscallStop,
    ThreadExited,
    ThreadStarted,
    VforkDone,
    WatchKind,
    WatchpointHit,
)
from pydbgserver.testing.sim import SimProcess, Stop
from tests.sim.conversation import GDB13, PID, Conversation, fields, gdb, lldb
from tests.unit.session.test_fault import siginfo

EVENT_KEYS = {
    "swbreak", "hwbreak", "watch", "rwatch", "awatch", "fork", "vfork", "vforkdone", "exec", "create",
    "syscall_entry", "syscall_return",
}  # fmt: skip

GDB_CASES: list[tuple[StopEvent, str]] = [
    (BreakpointHit(PID, PID, 0x401010), "T05swbreak:;"),
    (BreakpointHit(PID, PID, 0x401010, hardware=True), "T05hwbreak:;"),
    (WatchpointHit(PID, PID, 0x404008, WatchKind.WRITE, 0), "T05watch:404008;"),
    (WatchpointHit(PID, PID, 0x404008, WatchKind.ACCESS, 0), "T05awatch:404008;"),
    (StepDone(PID, PID), "T05"),
    (SignalStop(PID, PID, 10), "T1e"),
    (SignalStop(PID, PID, 11), "T0b"),
    (SignalStop(PID, PID, 17), "T14"),
    (Interrupted(PID, PID), "T02"),
    (SyscallStop(PID, PID, 57, True), "T05syscall_entry:39;"),
    (SyscallStop(PID, PID, 57, False), "T05syscall_return:39;"),
    (Forked(PID, PID, 200), "T05fork:pc8.c8;"),
    (Forked(PID, PID, 200, vfork=True), "T05vfork:pc8.c8;"),
    (VforkDone(PID, PID), "T05vforkdone:;"),
    (Execed(PID, PID, "/bin/x"), "T05exec:2f62696e2f78;"),
    (ThreadStarted(PID, PID + 1), "T05create:;"),
]


@pytest.mark.parametrize(("event", "head"), GDB_CASES)
def test_gdb_gets_one_event_key_then_registers_then_the_thread(event: StopEvent, head: str) -> None:
    reply = gdb(script=[Stop(event)]).ask("vCont;c")
    tid = getattr(event, "tid", PID)
    registers, _, thread = reply.removeprefix(head).rpartition("thread:")
    assert reply.startswith(head)
    assert thread == f"p64.{tid:x};"
    assert [pair.split(":")[0] for pair in registers.rstrip(";").split(";")] == ["06", "07", "10"]
    assert len(EVENT_KEYS & fields(reply).keys()) <= 1


def test_gdb_is_not_given_keys_it_did_not_offer() -> None:
    plain = Conversation(
        SimProcess(PID), script=[Stop(BreakpointHit(PID, PID, 0x401010)), Stop(Execed(PID, PID, "/x"))],
        before=["qSupported:vContSupported+"],
    )  # fmt: skip
    assert "swbreak" not in plain.ask("vCont;c")
    assert "exec" not in plain.ask("vCont;c")
    assert plain.ask("?").endswith("thread:64;")


def test_gdb_thread_exit() -> None:
    talk = gdb(SimProcess(PID, threads=2), script=[Stop(ThreadExited(PID, PID + 1, 7))])
    assert talk.ask("vCont;c") == "w07;p64.65"


@pytest.mark.parametrize(
    ("event", "reply"),
    [
        (ProcessExited(PID, exit_code=42), "W2a;process:64"),
        (ProcessExited(PID, signal=10), "X1e;process:64"),
    ],
)
def test_the_end_of_a_process(event: StopEvent, reply: str) -> None:
    assert gdb(script=[Stop(event)]).ask("vCont;c") == reply


def test_the_end_without_multiprocess() -> None:
    talk = Conversation(SimProcess(PID), script=[Stop(ProcessExited(PID, exit_code=300))])
    assert talk.ask("vCont;c") == "W2c"


LLDB_CASES: list[tuple[StopEvent, str, str, str]] = [
    (BreakpointHit(PID, PID, 0x401010), "05", "breakpoint", ""),
    (WatchpointHit(PID, PID, 0x404008, WatchKind.WRITE, 1), "05", "watchpoint", "4210696 1 18446744073709551615"),
    (StepDone(PID, PID), "05", "trace", ""),
    (SignalStop(PID, PID, 10), "0a", "signal", ""),
    (Interrupted(PID, PID), "13", "signal", ""),
    (Forked(PID, PID, 200), "05", "fork", "200 200"),
    (VforkDone(PID, PID), "05", "vforkdone", ""),
    (Execed(PID, PID, "/bin/x"), "13", "exec", ""),
]


@pytest.mark.parametrize(("event", "signal", "reason", "description"), LLDB_CASES)
def test_lldb_gets_the_reason(event: StopEvent, signal: str, reason: str, description: str) -> None:
    reply = fields(lldb(script=[Stop(event)]).ask("vCont;c"))
    assert (reply["signal"], reply["reason"]) == (signal, reason)
    assert bytes.fromhex(reply.get("description", "")).decode() == description
    assert not {"swbreak", "hwbreak", "watch", "exec", "core"} & reply.keys()


def test_lldb_gets_what_lldb_server_sends_in_its_order() -> None:
    reply = lldb(script=[Stop(SignalStop(PID, PID, 10))]).ask("vCont;c")
    keys = [pair.split(":")[0] for pair in reply[3:].rstrip(";").split(";")]
    registers = keys[4:-1]
    assert keys[:4] == ["thread", "name", "threads", "thread-pcs"]
    assert keys[-1] == "reason"
    assert registers == sorted(registers) and len(registers) == 26
    assert all(len(key) == 2 for key in registers)
    assert fields(reply)["thread-pcs"] == f"{0x401000:016x}"


def test_lldb_gets_the_fork_childs_id() -> None:
    assert fields(lldb(script=[Stop(Forked(PID, PID, 200))]).ask("vCont;c"))["fork"] == "pc8.c8"


def test_lldb_is_told_of_all_threads_when_there_are_several() -> None:
    process = SimProcess(PID, threads=3)
    talk = lldb(process, script=[Stop(SignalStop(PID, PID + 1, 11), BreakpointHit(PID, PID + 2, 0x401020))])
    process.siginfo[PID + 1] = siginfo(11, 1, 0)
    reply = fields(talk.ask("vCont;c"))
    assert reply["threads"] == "64,65,66"
    assert reply["thread-pcs"].split(",")[2] == f"{0x401020:016x}"
    assert json.loads(bytes.fromhex(reply["jstopinfo"])) == [
        {"name": "program", "tid": 100},
        {
            "description": "signal SIGSEGV: address not mapped to object (fault address: 0x0)",
            "name": "program",
            "reason": "signal",
            "signal": 11,
            "tid": 101,
        },
        {"name": "program", "reason": "breakpoint", "signal": 5, "tid": 102},
    ]


def test_a_name_that_would_break_the_reply_is_sent_in_hexadecimal() -> None:
    talk = lldb(SimProcess(PID, name="a;b:\u00e9"))
    assert bytes.fromhex(fields(talk.ask("?"))["hexname"]).decode() == "a;b:\u00e9"


def test_no_key_can_be_mistaken_for_a_register() -> None:
    """gdb takes a key of hex digits only for a register number."""
    for talk in (gdb(script=[Stop(event) for event, _ in GDB_CASES[:-2]]), lldb(script=[Stop(LLDB_CASES[0][0])])):
        while talk.backend.script:
            for key in fields(talk.ask("vCont;c")).keys() - {"signal"}:
                assert len(key) == 2 or not set(key) <= set("0123456789abcdef")


def test_a_thread_that_vanished_still_gets_a_reply() -> None:
    talk = gdb(script=[Stop(SignalStop(PID, PID + 5, 9))])
    assert talk.ask("vCont;c") == "T09thread:p64.69;"


def test_disabled_forms() -> None:
    talk = Conversation(
        SimProcess(PID), options=SessionOptions(disabled_packets=frozenset({"Tthread"})), before=[GDB13]
    )
    assert "thread:" not in talk.ask("?")
    talk = Conversation(SimProcess(PID), options=SessionOptions(disabled_packets=frozenset({"T"})), before=[GDB13])
    assert talk.ask("?") == "S05"


def test_when_no_thread_is_left_that_runs() -> None:
    """Only a gdb that says so knows ``N``; lldb would end the session at it."""
    script = [Stop(NoneResumed(PID, PID))]
    assert gdb(script=script).ask("vCont;c:p64.64") == "N"
    assert gdb(script=script, hello="qSupported:vContSupported+").ask("vCont;c:p64.64").startswith("T00")
    assert lldb(script=script).ask("vCont;c:p64.64").startswith("T00thread:p64.64;")
