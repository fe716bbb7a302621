"""Launch, attach, detach, kill."""

from __future__ import annotations

import pytest

from pydbgserver.session.awaited import look_for_awaited
from pydbgserver.session.options import SessionOptions
from pydbgserver.target.api import LaunchSpec
from pydbgserver.testing.sim import SimProcess
from tests.sim.conversation import GDB13, LLDB19, PID, Conversation, fields, gdb, lldb

PROG = b"/bin/prog".hex()
ARGUMENT = b"a b".hex()


def test_gdb_runs_a_program() -> None:
    talk = Conversation(before=[GDB13, "!"])
    for packet in ("QDisableRandomization:0", "QStartupWithShell:0", "QSetWorkingDir:2f746d70"):
        assert talk.ask(packet) == "OK"
    assert talk.ask(f"QEnvironmentHexEncoded:{b'A=1'.hex()}") == "OK"
    assert fields(talk.ask(f"vRun;{PROG};{ARGUMENT}"))["signal"] == "05"
    (spec,) = talk.backend.launched
    assert (spec.program, tuple(spec.arguments)) == ("/bin/prog", ("a b",))
    assert (spec.disable_aslr, spec.through_shell, spec.working_directory) == (False, False, "/tmp")
    assert spec.environment is not None and spec.environment["A"] == "1"
    assert not spec.pty


@pytest.mark.parametrize(
    ("asked", "directory"),
    [
        ("~", "/home/a"),
        ("~/", "/home/a/"),
        ("~/b", "/home/a/b"),
        ("b/~", "b/~"),
        ("~nobody-at-all/b", "~nobody-at-all/b"),
    ],
)
def test_the_servers_home_as_working_directory(asked: str, directory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/a")
    talk = Conversation(before=[GDB13, "!"])
    assert talk.ask(f"QSetWorkingDir:{asked.encode().hex()}") == "OK"
    talk.ask(f"vRun;{PROG}")
    assert talk.backend.launched[0].working_directory == directory


def test_a_home_that_no_user_can_have_is_no_error_of_the_server() -> None:
    talk = Conversation(before=[GDB13, "!"])
    assert talk.ask("QSetWorkingDir:7e610062") == "OK"
    assert talk.ask("?") == "W00"


def test_lldb_runs_a_program() -> None:
    talk = Conversation(before=["QStartNoAckMode", LLDB19, "QThreadSuffixSupported"])
    for packet in ("QSetSTDOUT:2f646576", "QSetDisableASLR:1", "QLaunchArch:x86_64", "QEnvironment:A=b=c"):
        assert talk.ask(packet) == "OK"
    reply = fields(talk.ask(f"vRun;{PROG}"))
    assert (reply["signal"], reply["reason"]) == ("13", "signal")
    (spec,) = talk.backend.launched
    assert (spec.stdout, spec.stdin, spec.pty, spec.environment) == ("/dev", None, True, {"A": "b=c"})


def test_the_older_launch() -> None:
    talk = Conversation(before=[LLDB19])
    assert talk.ask(f"A{len(PROG)},0,{PROG},{len(ARGUMENT)},1,{ARGUMENT}") == "OK"
    assert talk.ask("qLaunchSuccess") == "OK"
    assert tuple(talk.backend.launched[0].arguments) == ("a b",)
    assert talk.ask("?").startswith("T13")


@pytest.mark.parametrize("arguments", ["", "4,0", "4,0,zz", "2,0,2f6e", "x,0,2f6e"])
def test_malformed_arguments(arguments: str) -> None:
    talk = Conversation(before=[LLDB19])
    assert talk.ask(f"A{arguments}").startswith("E")
    assert talk.ask("qLaunchSuccess").startswith("E")
    assert not talk.backend.launched


def test_a_launch_that_fails_says_why() -> None:
    talk = Conversation(before=[LLDB19, "QEnableErrorStrings"])
    talk.backend.programs = frozenset()
    code, _, text = talk.ask(f"vRun;{PROG}").partition(";")
    assert (code, bytes.fromhex(text).decode()) == ("E02", "No such file or directory: /bin/prog")
    assert talk.ask(f"A{len(PROG)},0,{PROG}").startswith("E02")
    assert talk.ask("qLaunchSuccess") == "ENo such file or directory: /bin/prog"
    gdb_talk = Conversation(before=[GDB13])
    gdb_talk.backend.programs = frozenset()
    assert gdb_talk.ask(f"vRun;{PROG}") == "E.No such file or directory: /bin/prog"


def test_whoever_looks_after_the_server_is_told_why_a_launch_failed(capfd: pytest.CaptureFixture[str]) -> None:
    """gdb 13 says no more than that it failed."""
    talk = Conversation(before=[GDB13])
    talk.backend.programs = frozenset()
    assert talk.ask(f"vRun;{PROG}").startswith("E")
    assert "Cannot exec: No such file or directory: /bin/prog" in capfd.readouterr().err


def test_the_servers_own_program_runs_again() -> None:
    options = SessionOptions(program=LaunchSpec("prog", ("x",)), extended=True)
    talk = Conversation(SimProcess(PID), options=options, before=[GDB13])
    old = talk.process
    assert talk.raw("R00") is None
    assert old.ended == "killed"
    assert (talk.backend.launched[0].program, tuple(talk.backend.launched[0].arguments)) == ("prog", ("x",))
    assert talk.ask("?").startswith("T05")
    assert talk.ask("vRun;").startswith("T05")
    assert Conversation(before=[GDB13]).ask("vRun;").startswith("E")


def test_attach() -> None:
    talk = Conversation(before=[GDB13])
    talk.backend.attachable[300] = SimProcess(300, threads=2)
    assert fields(talk.ask("vAttach;12c")) == {"signal": "05", "thread": "p12c.12c"} | {
        key: value for key, value in fields(talk.ask("?")).items() if len(key) == 2
    }
    assert talk.ask("qAttached:12c") == "1"
    assert talk.ask("vAttach;12c").startswith("E")
    assert talk.ask("vAttach;1") == "E.there is no process 1"


def test_attach_by_name() -> None:
    talk = Conversation(before=[LLDB19])
    talk.backend.attachable[300] = SimProcess(300)
    assert talk.ask("qVAttachOrWaitSupported") == "OK"
    assert talk.ask("vAttachName;" + b"nobody".hex()).startswith("E")
    assert talk.ask("vAttachName;" + b"/x/program".hex()).startswith("T13")
    talk.backend.attachable.update({one: SimProcess(one) for one in (400, 500)})
    assert talk.ask("vAttachName;" + b"program".hex()).startswith("E")


def test_attach_or_wait_takes_what_runs() -> None:
    talk = Conversation(before=[LLDB19])
    talk.backend.attachable[300] = SimProcess(300)
    assert talk.ask("vAttachOrWait;" + b"/x/program".hex()).startswith("T13")
    assert talk.session.awaited is None


@pytest.mark.parametrize(("packet", "meant"), [("vAttachWait", (300,)), ("vAttachOrWait", ())])
def test_a_program_is_waited_for(packet: str, meant: tuple[int, ...]) -> None:
    talk = Conversation(before=[LLDB19])
    talk.backend.attachable.update({pid: SimProcess(pid) for pid in meant})
    assert talk.raw(f"{packet};{b'/x/program'.hex()}") is None
    assert look_for_awaited(talk.session) is None
    talk.backend.attachable[400] = SimProcess(400)
    reply = look_for_awaited(talk.session)
    assert reply is not None and fields(reply.decode())["thread"] == "p190.190"
    assert talk.session.awaited is None and look_for_awaited(talk.session) is None
    assert list(talk.backend.live) == [400]


@pytest.mark.parametrize(("age", "meant"), [(0.9, True), (1.5, False)])
def test_what_was_started_after_the_client_had_asked_is_meant(age: float, meant: bool) -> None:
    """The server has been without a processor for a second."""
    talk = Conversation(before=[LLDB19])
    talk.session.since_heard = lambda: 1.0
    talk.backend.attachable[400] = SimProcess(400)
    talk.backend.ages[400] = age
    assert talk.raw("vAttachWait;" + b"program".hex()) is None
    reply = look_for_awaited(talk.session)
    assert (reply is not None) is meant


def test_a_program_that_has_ended_before_it_could_be_attached_to_does_not_end_the_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    talk = Conversation(before=[LLDB19])
    assert talk.raw("vAttachWait;" + b"program".hex()) is None
    monkeypatch.setattr(talk.backend, "processes_named", lambda name, among: [300])
    assert look_for_awaited(talk.session) is None
    talk.backend.attachable[300] = SimProcess(300)
    reply = look_for_awaited(talk.session)
    assert reply is not None and reply.startswith(b"T")


def test_an_interrupt_ends_the_wait_for_a_program() -> None:
    talk = Conversation(before=[LLDB19, "QEnableErrorStrings"])
    assert talk.raw("vAttachWait;" + b"program".hex()) is None
    talk.session.run_control.interrupt()
    number, _, words = talk.session.outbox.pop().partition(b";")
    assert number == b"E04" and b"interrupted" in bytes.fromhex(words.decode())
    assert talk.session.awaited is None
    assert talk.ask("vAttachWait;").startswith("E")


@pytest.mark.parametrize("packet", ["D", "D;64", "D;0000000000000064"])
def test_detach(packet: str) -> None:
    talk = gdb()
    process = talk.process
    assert talk.ask(packet) == "OK"
    assert process.ended == "detached"
    assert talk.ask("?") == "W00"
    assert talk.ask(packet).startswith("E")


@pytest.mark.parametrize("packet", ["D1", "D1;64"])
def test_detach_and_stay_stopped(packet: str) -> None:
    talk = lldb()
    process = talk.process
    assert talk.ask(packet) == "OK"
    assert process.ended == "detached stopped"


def test_detach_without_a_pid_is_about_all() -> None:
    processes = SimProcess(100), SimProcess(200)
    talk = gdb(*processes)
    assert talk.ask("D") == "OK"
    assert [one.ended for one in processes] == ["detached", "detached"]


def test_kill_is_answered_for_lldb_only() -> None:
    for talk, reply in ((gdb(), None), (lldb(), b"X09;process:64")):
        process = talk.process
        assert talk.raw("k") == reply
        assert process.ended == "killed"
        assert talk.session.ended


def test_an_extended_server_outlives_the_kill() -> None:
    talk = gdb()
    talk.ask("!")
    assert talk.raw("k") is None
    assert not talk.session.ended
    assert talk.ask("?") == "W00"


def test_kill_one_of_two() -> None:
    first, second = SimProcess(100), SimProcess(200)
    talk = gdb(first, second)
    assert talk.ask("vKill;64") == "OK"
    assert (first.ended, second.ended) == ("killed", "")
    assert talk.ask("qC") == "QCpc8.c8"
    assert talk.ask("vKill;64").startswith("E")
    assert talk.ask("vKill;1").startswith("E")


def test_a_running_target_can_be_killed() -> None:
    talk = gdb()
    assert talk.raw("vCont;c") is None
    assert talk.ask("vKill;64") == "OK"
    assert not talk.session.running
