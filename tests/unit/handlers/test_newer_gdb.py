"""What gdb 14 to 18 brought: thread options, names of threads, one text of arguments, several watched addresses."""

from __future__ import annotations

import re

import pytest

from pydbgserver.target.api import LaunchSpec
from pydbgserver.target.capabilities import BreakpointPrograms, ThreadReports
from pydbgserver.target.events import Cloned, ThreadExited, WatchKind, WatchpointHit
from pydbgserver.target.registers import write_register
from pydbgserver.testing.sim import DATA, SimProcess, Stop
from tests.sim.conversation import GDB18, PID, Conversation, gdb

SHELL_TEXT = b"a 'b c' '*'"


def gdb18(*processes: SimProcess, script: tuple[Stop, ...] = ()) -> Conversation:
    return gdb(*processes, script=script, hello=GDB18)


def test_thread_options_of_the_last_that_matches() -> None:
    talk = gdb18(SimProcess(100, threads=3), SimProcess(200))
    assert talk.ask("QThreadOptions;1;3:p64.65;2:pc8.-1") == "OK"
    assert talk.backend.live[100].reports == {100: (True, False), 101: (True, True), 102: (True, False)}
    assert talk.backend.live[200].reports == {200: (False, True)}
    assert talk.ask("QThreadOptions;0:p64.65") == "OK"
    assert talk.backend.live[100].reports[101] == (False, False)
    assert talk.backend.live[100].reports[102] == (True, False), "others keep theirs"


def test_options_of_a_thread_that_is_gone_are_no_error() -> None:
    talk = gdb18(SimProcess(100))
    assert talk.ask("QThreadOptions;3:p64.999;1:p999.1;2:p64.64") == "OK"
    assert talk.process.reports == {100: (False, True)}


def test_a_target_without_events_of_single_threads_says_so() -> None:
    talk = gdb18(SimProcess(PID, without=[ThreadReports]))
    assert talk.ask("QThreadOptions;1").startswith("E.")
    assert "QThreadOptions" not in talk.ask(GDB18), "gdb does not resume a thread whose options are refused"
    assert "QThreadOptions=3" in gdb18().ask(GDB18)


def test_what_no_process_will_have_is_not_promised_before_there_is_one() -> None:
    talk = Conversation()
    assert "QThreadOptions=3" in talk.ask(GDB18)
    talk.backend.lacking = (ThreadReports, BreakpointPrograms)
    assert not re.search("QThreadOptions|ConditionalBreakpoints|BreakpointCommands", talk.ask(GDB18))


def test_clones_and_exits_in_stop_replies() -> None:
    stops = (Stop(Cloned(PID, PID, PID + 7)), Stop(ThreadExited(PID, PID + 7, 3)))
    talk = gdb18(SimProcess(PID), script=stops)
    talk.ask("QThreadOptions;3")
    assert re.fullmatch(r"T05clone:p64\.6b;06:.*thread:p64\.64;", talk.ask("vCont;c"))
    assert talk.ask("vCont;c") == "w03;p64.6b"


def test_several_watched_addresses() -> None:
    hit = WatchpointHit(PID, PID, DATA, WatchKind.WRITE, 0, ((WatchKind.ACCESS, DATA + 4),))
    assert gdb18(script=(Stop(hit),)).ask("vCont;c").startswith("T05watch:404000;awatch:404004;06:")
    older = gdb(script=[Stop(hit)]).ask("vCont;c")
    assert older.startswith("T05watch:404000;06:") and "awatch" not in older


def test_threads_with_a_handle() -> None:
    process = SimProcess(PID, threads=2)
    process.memory.write(DATA, DATA.to_bytes(8, "little"))
    base = process.arch.by_name["fs_base"].number
    write_register(process, PID, base, DATA.to_bytes(8, "little"))
    write_register(process, PID + 1, base, (DATA + 8).to_bytes(8, "little"))
    first, second = re.findall("<thread .*/>", gdb18(process).ask("qXfer:threads:read::0,1000"))
    assert 'handle="0040400000000000" id_str="Thread 0x404000 (LWP 100)"' in first
    assert "handle" not in second and "id_str" not in second, "it points to something else"


@pytest.mark.parametrize(("arguments", "expected"), [("", ()), ("61202762206327", ("a 'b c'",)), ("2a", ("*",))])
def test_arguments_as_one_text(arguments: str, expected: tuple[str, ...]) -> None:
    talk = Conversation(before=[GDB18])
    assert talk.ask(f"vRun;2f61;{arguments}" if arguments else "vRun;2f61").startswith("T05")
    (spec,) = talk.backend.launched
    assert (spec.program, spec.arguments, spec.shell_words) == ("/a", expected, bool(expected) or spec.shell_words)


def test_the_last_program_again_with_other_arguments() -> None:
    talk = Conversation(before=[GDB18])
    talk.ask("vRun;2f61;62")
    talk.ask("vRun;;632064")
    talk.ask("vRun;")
    assert [(spec.program, spec.arguments, spec.shell_words) for spec in talk.backend.launched] == [
        ("/a", ("b",), True),
        ("/a", ("c d",), True),
        ("/a", ("c d",), True),
    ]


def test_program_and_arguments_of_the_server() -> None:
    talk = gdb18()
    talk.session.launch_settings.last = LaunchSpec("/p", ("a", "b c", "*"))
    assert talk.ask("qExecAndArgs") == f"S;2f70;{SHELL_TEXT.hex()};"
    talk.session.launch_settings.last = LaunchSpec("/p")
    assert talk.ask("qExecAndArgs") == "S;2f70;;"
