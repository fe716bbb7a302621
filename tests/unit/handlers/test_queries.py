"""Threads, host, processes, settings, monitor: packets that ask or set one thing."""

from __future__ import annotations

import json
import os
import pwd

import pytest

from pydbgserver import logs
from pydbgserver.target.capabilities import MemoryMap, StandardStreams
from pydbgserver.target.events import SignalStop
from pydbgserver.testing.sim import SimProcess, Stop
from tests.sim.conversation import GDB13, PID, Conversation, fields, gdb, lldb


def test_thread_listing() -> None:
    talk = gdb(SimProcess(100, threads=2), SimProcess(200))
    assert [talk.ask(one) for one in ("qfThreadInfo", "qsThreadInfo")] == ["mp64.64,p64.65,pc8.c8", "l"]
    assert Conversation(before=[GDB13]).ask("qfThreadInfo") == "l"


def test_a_long_thread_listing_comes_in_pieces() -> None:
    talk = gdb(SimProcess(100))
    for tid in range(101, 3000):
        talk.process.registers[tid] = talk.process.registers[100]
    seen, reply = [], talk.ask("qfThreadInfo")
    while reply != "l":
        assert len(reply) < 0x20000
        seen += reply[1:].split(",")
        reply = talk.ask("qsThreadInfo")
    assert seen == [f"p64.{tid:x}" for tid in range(100, 3000)]


def test_extra_info_is_the_name() -> None:
    assert bytes.fromhex(gdb().ask("qThreadExtraInfo,p64.64")) == b"program"
    assert gdb().ask("qThreadExtraInfo,1").startswith("E")


def test_threads_as_json() -> None:
    talk = lldb(SimProcess(PID, threads=2), script=[Stop(SignalStop(PID, PID + 1, 10))])
    talk.ask("vCont;c")
    first, second = json.loads(talk.ask("jThreadsInfo"))
    assert first == {"name": "program", "registers": second["registers"], "tid": 100}
    assert second["registers"].keys() == {"6", "7", "16"}
    assert (second["reason"], second["signal"], second["tid"]) == ("signal", 10, 101)


def test_thread_stop_info() -> None:
    talk = lldb(SimProcess(PID, threads=2))
    assert talk.ask("qThreadStopInfo64").startswith("T13thread:p64.64;name:program;00:")
    assert "reason" not in fields(talk.ask("qThreadStopInfo65"))
    assert talk.ask("qThreadStopInfo1").startswith("E")


def test_host_info() -> None:
    info = fields(lldb().ask("qHostInfo"))
    assert bytes.fromhex(info["triple"]) == b"x86_64-pc-linux-gnu"
    assert (info["ptrsize"], info["endian"], info["os_version"]) == ("8", "little", "6.1.0")
    assert info["watchpoint_exceptions_received"] == "after"


def test_process_info_is_hexadecimal_and_listings_are_decimal() -> None:
    talk = lldb()
    info = fields(talk.ask("qProcessInfo"))
    assert (info["pid"], info["real-uid"], info["ostype"], info["ptrsize"]) == ("64", "3e8", "linux", "8")
    listed = fields(talk.ask("qProcessInfoPID:100"))
    assert (listed["pid"], listed["uid"], listed["euid"]) == ("100", "1000", "1000")
    assert listed["args"] == f"{b'/usr/bin/program'.hex()}-{b'argument'.hex()}"
    assert talk.ask("qProcessInfoPID:1").startswith("E")
    assert Conversation(before=["qHostInfo"]).ask("qProcessInfo").startswith("E")


@pytest.mark.parametrize(
    ("filters", "pids"),
    [
        ("", ["100", "200"]),
        (":pid:200;", ["200"]),
        (f":name:{b'program'.hex()};name_match:equals;all_users:1;", ["100", "200"]),
        (f":name:{b'gram'.hex()};name_match:contains;", ["100", "200"]),
        (f":name:{b'gram'.hex()};name_match:starts_with;", []),
        (f":name:{b'^prog'.hex()};name_match:regex;uid:1000;", ["100", "200"]),
        (":uid:0;", []),
    ],
)
def test_process_listing(filters: str, pids: list[str]) -> None:
    talk = lldb(SimProcess(100), SimProcess(200))
    seen, reply = [], talk.ask(f"qfProcessInfo{filters}")
    while not reply.startswith("E"):
        seen.append(fields(reply)["pid"])
        reply = talk.ask("qsProcessInfo")
    assert seen == pids
    assert reply.startswith("E04")


@pytest.mark.parametrize(
    "filters", ["pid:x;", "name:zz;", f"name:{b'('.hex()};name_match:regex;", "name:61;name_match:no;"]
)
def test_filters_that_make_no_sense(filters: str) -> None:
    assert lldb().ask(f"qfProcessInfo:{filters}").startswith("E")


def test_users_and_groups() -> None:
    talk = lldb()
    assert bytes.fromhex(talk.ask("qUserName:0")).decode() == pwd.getpwuid(0).pw_name
    assert bytes.fromhex(talk.ask("qGroupName:0"))
    assert talk.ask("qUserName:4294967290").startswith("E")
    assert talk.ask("qUserName:99999999999999999999").startswith("E")


def test_working_directory() -> None:
    talk = lldb()
    assert bytes.fromhex(talk.ask("qGetWorkingDir")).decode() == os.getcwd()
    talk.ask("QSetWorkingDir:2f")
    assert talk.ask("qGetWorkingDir") == "2f"


def test_small_answers() -> None:
    talk = lldb()
    assert talk.ask("qWatchpointSupportInfo:") == "num:4;"
    assert talk.ask("qGetPid") == "64"
    assert talk.ask("qStructuredDataPlugins") == "[]"


def test_signal_table_is_lldbs_own() -> None:
    table = {one["signo"]: one for one in json.loads(lldb().ask("jSignalsInfo"))}
    assert len(table) == 64
    assert [number for number in table if not table[number]["stop"]] == [14, 17, 18, 27, *range(32, 65)]
    assert [number for number in range(1, 32) if not table[number]["notify"]] == [14, 27]
    assert [number for number in table if table[number]["suppress"]] == [2, 5, 19]
    assert [table[number]["name"] for number in (33, 34, 35, 49, 50, 64)] == [
        "SIG33", "SIGRTMIN", "SIGRTMIN+1", "SIGRTMIN+15", "SIGRTMAX-14", "SIGRTMAX",
    ]  # fmt: skip


def test_stdin() -> None:
    talk = lldb()
    assert talk.ask("I" + b"hi\n".hex()) == "OK"
    assert bytes(talk.process.typed) == b"hi\n"
    assert lldb(SimProcess(PID, without=[StandardStreams])).ask("I00") == ""


def test_signal_settings_are_translated() -> None:
    talk = gdb()
    assert talk.ask("QPassSignals:e;1e;97") == "OK"
    assert talk.ask("QProgramSignals:1;1e") == "OK"
    talk.raw("vCont;c")
    assert talk.backend.options.pass_signals == {14, 10}
    assert talk.backend.options.program_signals == frozenset({1, 10})
    talk = lldb()
    assert talk.ask("QPassSignals:0e;1b") == "OK"
    talk.raw("vCont;c")
    assert talk.backend.options.pass_signals == {14, 27}


def test_settings_take_effect_at_the_next_resume_and_can_be_cleared() -> None:
    talk = gdb()
    talk.ask("QPassSignals:e")
    assert talk.backend.options.pass_signals == frozenset()
    talk.ask("vCont;s:p64.64")
    assert talk.backend.options.pass_signals == {14}
    talk.ask("QPassSignals:")
    talk.ask("vCont;s:p64.64")
    assert talk.backend.options.pass_signals == frozenset()


def test_caught_system_calls() -> None:
    talk = gdb()
    for packet, caught in (
        ("QCatchSyscalls:1", {PID: None}),
        ("QCatchSyscalls:1;39;0", {PID: {0x39, 0}}),
        ("QCatchSyscalls:0", {}),
    ):
        assert talk.ask(packet) == "OK"
        talk.ask("vCont;s:p64.64")
        assert talk.backend.options.catch_syscalls == caught


@pytest.mark.parametrize(
    "packet",
    ["QCatchSyscalls:2", "QThreadEvents:2", "QSetDetachOnError:2", "QDisableRandomization:2", "QStartupWithShell:x",
     "QPassSignals:zz", "QEnvironmentHexEncoded:4142", "QEnvironmentHexEncoded:4", "QEnvironment:A", "QNonStop:"],
)  # fmt: skip
def test_values_that_make_no_sense(packet: str) -> None:
    assert gdb().ask(packet).startswith("E")


def test_thread_events_and_detach_on_error() -> None:
    talk = gdb()
    assert talk.ask("QThreadEvents:1") == "OK"
    talk.ask("vCont;s:p64.64")
    assert talk.backend.options.report_threads
    talk = lldb()
    assert talk.ask("QSetDetachOnError:0") == "OK"
    assert not talk.session.detach_on_error


def monitor(talk: Conversation, command: str) -> str:
    reply = talk.ask("qRcmd," + command.encode().hex())
    return reply if reply == "OK" or reply.startswith("E") else bytes.fromhex(reply).decode()


def test_monitor_shows_things() -> None:
    talk = gdb()
    assert monitor(talk, "help").startswith("The following monitor commands are supported:\n  help ")
    for command in ("nonsense", ""):
        assert monitor(talk, command) == "E01"
        words = bytes.fromhex(talk.session.outbox.pop()[1:].decode()).decode()
        assert words == "Unknown monitor command.\n\n" + monitor(talk, "help")
    assert "/usr/bin/program" in monitor(talk, "maps")
    where = "0x401000 /usr/bin/program+0x0: add byte ptr [rcx], al"
    assert monitor(talk, "threads") == f"100 100 program {where}  [InitialStop]\n"
    mapless = gdb(SimProcess(PID, without=[MemoryMap]))
    assert monitor(mapless, "threads") == "100 100 program 0x401000: add byte ptr [rcx], al  [InitialStop]\n"
    assert "SIGSEGV" in monitor(talk, "signals")
    assert "packets: " in monitor(talk, "stats")
    assert monitor(gdb(SimProcess(PID, without=[MemoryMap])), "maps") == ""


def test_monitor_turns_logs_on_and_off() -> None:
    talk = gdb()
    try:
        monitor(talk, "set remote-debug 1")
        assert logs.packets.enabled
    finally:
        monitor(talk, "set remote-debug 0")
    assert not logs.packets.enabled
    assert "0 or 1" in monitor(talk, "set debug maybe")


def test_monitor_exit_ends_the_server() -> None:
    talk = gdb()
    assert monitor(talk, "exit") == "OK"
    assert talk.session.exit_requested and talk.session.ended


def test_monitor_says_what_gdbserver_says() -> None:
    talk = gdb()
    try:
        assert monitor(talk, "set debug 1") == "Debug output enabled.\n"
        assert monitor(talk, "set debug 0") == "Debug output disabled.\n"
        assert monitor(talk, "set debug-format timestamp") == "Timestamps will be added to debug output.\n"
        assert monitor(talk, "set debug-format all,wrong") == 'Unknown debug-format argument: "wrong"\n'
        assert monitor(talk, "set libthread-db-search-path /x y") == "libthread-db-search-path set to `/x y'\n"
    finally:
        assert monitor(talk, "set debug-format none").startswith("All extra debug format options disabled")


def test_the_machine_in_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    talk = gdb()
    rows = [("1", 'a "b" <c>'), ("2", "x\ny")]
    monkeypatch.setattr(talk.backend, "host_tables", lambda: [("things", "Listing of all things", "Things")])
    monkeypatch.setattr(talk.backend, "host_table", lambda name: (("id", "name"), rows) if name == "things" else None)
    assert '<column name="Title">Things</column>' in talk.ask("qXfer:osdata:read::0,1000")
    assert talk.ask("qXfer:osdata:read:things:0,1000") == (
        'l<osdata type="things">\n<item><column name="id">1</column>'
        '<column name="name">a &quot;b&quot; &lt;c&gt;</column></item>'
        '<item><column name="id">2</column><column name="name">x?y</column></item></osdata>\n'
    )
    assert talk.ask("qXfer:osdata:read:nothing:0,1000") == "l"
