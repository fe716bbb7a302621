"""Conditions and commands of breakpoints, evaluated in the tracer on real processes."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from pydbgserver.backends.linux import tracer
from pydbgserver.target.agent_expr import BadExpression, BreakpointProgram
from pydbgserver.target.api import ResumeAction, ResumeKind, RunOptions
from pydbgserver.target.capabilities import BreakpointPrograms, HardwareDebug
from pydbgserver.target.events import BreakpointHit, ProcessExited, StepDone, WatchKind
from tests.live.debuggee import STEP, Debuggee, Debuggees

RDI = 5
DOT = b"\x22\0\x22\0\x34\0\0\x02.\0\x27"
TRUE, FALSE = b"\x22\x01\x27", b"\x22\x00\x27"


def register_is(number: int, value: int) -> bytes:
    """The low 32 bits of the register are `value`."""
    return bytes([0x26, 0, number, 0x2A, 32, 0x24]) + value.to_bytes(4, "big") + b"\x13\x27"


def word_is(address: int, value: int) -> bytes:
    return b"\x25" + address.to_bytes(8, "big") + b"\x19\x22" + bytes([value]) + b"\x13\x27"


def print_register(form: str, number: int) -> bytes:
    text = form.encode() + b"\0"
    return bytes([0x26, 0, number]) + b"\x22\0\x22\0\x34\x01" + len(text).to_bytes(2, "big") + text + b"\x27"


def programs(target: Debuggee) -> BreakpointPrograms:
    found = target.process.capability(BreakpointPrograms)
    assert found is not None
    return found


def plant(target: Debuggee, symbol: str, *conditions: bytes, commands: tuple[bytes, ...] = ()) -> int:
    address = target.address(symbol)
    programs(target).set(address, BreakpointProgram(conditions, commands), hardware=False)
    target.process.insert_breakpoint(address, 1)
    return address


@pytest.fixture
def printed() -> Iterator[int]:
    """The reading end of a pipe into which commands print."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    tracer.print_to(writing)
    yield reading
    tracer.print_to(1)
    os.close(reading)
    os.close(writing)


def test_a_condition_on_a_register(debuggees: Debuggees) -> None:
    target = debuggees.launch("loop", "300")
    tick = plant(target, "tick", register_is(RDI, 256))
    assert target.run() == [BreakpointHit(target.pid, target.pid, tick)]
    assert target.register(target.pid, "rdi") == 256
    assert target.long_at("total") & 0xFFFFFFFF == sum(range(256))
    assert target.run() == [ProcessExited(target.pid, exit_code=0)]
    assert f"total {sum(range(300))}" in target.output()


def test_any_true_condition_on_memory_stops(debuggees: Debuggees) -> None:
    target = debuggees.launch("loop", "30")
    total = target.address("total")
    tick = plant(target, "tick", FALSE, word_is(total, 45), word_is(total, 55))
    for i in (10, 11):
        assert target.run() == [BreakpointHit(target.pid, target.pid, tick)]
        assert target.register(target.pid, "rdi") == i
    assert target.run() == [ProcessExited(target.pid, exit_code=0)]


def test_the_bytes_under_a_trap_are_the_programs(debuggees: Debuggees) -> None:
    target = debuggees.launch("loop")
    tick = target.address("tick")
    first = target.process.read_memory(tick, 1)[0]
    code = b"\x25" + tick.to_bytes(8, "big") + b"\x17\x22" + bytes([first]) + b"\x13\x27"
    plant(target, "tick", code)
    assert target.run() == [BreakpointHit(target.pid, target.pid, tick)]


def test_a_failing_condition_stops_and_says_why(debuggees: Debuggees) -> None:
    target = debuggees.launch("loop")
    tick = plant(target, "tick", FALSE, word_is(0x10, 0))
    why = "cannot read memory at 0x10"
    assert target.run() == [BreakpointHit(target.pid, target.pid, tick, failure=why)]
    programs(target).set(tick, BreakpointProgram((b"\x22\x01\x22\x00\x05\x27",)), hardware=False)
    assert target.run() == [BreakpointHit(target.pid, target.pid, tick, failure="division by zero at 4")]
    programs(target).set(tick, BreakpointProgram((TRUE,)), hardware=False)
    assert target.run() == [BreakpointHit(target.pid, target.pid, tick)]


def test_an_unsound_condition_is_refused(debuggees: Debuggees) -> None:
    target = debuggees.launch("loop")
    with pytest.raises(BadExpression, match="takes more from the stack"):
        plant(target, "tick", b"\x02\x27")
    with pytest.raises(BadExpression, match="register of the instruction at 0 cannot be had"):
        plant(target, "tick", b"\x26\x00\x18\x27")  # st0 is 10 bytes wide
    assert target.run() == [ProcessExited(target.pid, exit_code=0)]


def test_vector_control_can_be_a_condition(debuggees: Debuggees) -> None:
    target = debuggees.launch("loop")
    mxcsr = target.process.arch.by_name["mxcsr"].number
    tick = plant(target, "tick", register_is(mxcsr, 0x1F80))
    assert target.run() == [BreakpointHit(target.pid, target.pid, tick)]


def test_commands_print_without_a_stop(debuggees: Debuggees, printed: int) -> None:
    target = debuggees.launch("loop", "5")
    plant(target, "tick", commands=(print_register("tick %d\n", RDI),))
    assert target.run() == [ProcessExited(target.pid, exit_code=0)]
    assert os.read(printed, 1000).decode() == "".join(f"tick {i}\n" for i in range(5))


def test_commands_under_a_condition(debuggees: Debuggees, printed: int) -> None:
    target = debuggees.launch("loop", "5")
    plant(target, "tick", register_is(RDI, 3), commands=(print_register("%x!", RDI), print_register("%d;", RDI)))
    assert target.run() == [ProcessExited(target.pid, exit_code=0)]
    assert os.read(printed, 1000).decode() == "3!3;"


def test_a_failing_command_stops(debuggees: Debuggees, printed: int) -> None:
    target = debuggees.launch("loop", "5")
    tick = plant(target, "tick", commands=(DOT, print_register("%s", RDI), DOT))
    assert target.run() == [BreakpointHit(target.pid, target.pid, tick, failure="cannot read memory at 0x1")]
    assert os.read(printed, 1000) == b".(null).."


def test_persistent_commands_go_on_without_a_client(debuggees: Debuggees, printed: int) -> None:
    target = debuggees.launch("loop", "5")
    tick = target.address("tick")
    main = target.plant("main")
    target.run()
    program = BreakpointProgram((), (print_register("%d ", RDI),), persist=True)
    programs(target).set(tick, program, hardware=False)
    target.process.insert_breakpoint(tick, 1)
    assert programs(target).persistent()
    debuggees.backend.set_options(RunOptions(unattended=True))
    assert target.process.read_memory(main, 1) != b"\xcc"
    assert target.run() == [ProcessExited(target.pid, exit_code=0)]
    assert os.read(printed, 1000).decode() == "0 1 2 3 4 "


def test_steps_over_a_false_condition(debuggees: Debuggees) -> None:
    target = debuggees.launch("loop")
    tick = target.plant("tick")
    target.run()
    after_one = target.run(STEP)
    assert after_one == [StepDone(target.pid, target.pid)]
    second = target.register(target.pid, "rip")
    programs(target).set(second, BreakpointProgram((FALSE,)), hardware=False)
    target.process.insert_breakpoint(second, 1)
    assert target.run(STEP) == [StepDone(target.pid, target.pid)]
    assert target.register(target.pid, "rip") > second
    target.process.remove_breakpoint(tick, 1)
    ranged = ResumeAction(ResumeKind.RANGE_STEP, range_start=tick, range_end=tick + 200)
    assert target.run(ranged) == [StepDone(target.pid, target.pid)]


def test_a_hardware_breakpoint_with_a_condition(debuggees: Debuggees) -> None:
    target = debuggees.launch("loop", "300")
    tick = target.address("tick")
    hardware = target.process.capability(HardwareDebug)
    assert hardware is not None
    programs(target).set(tick, BreakpointProgram((register_is(RDI, 200),)), hardware=True)
    hardware.insert(WatchKind.EXECUTE, tick, 1)
    assert target.run() == [BreakpointHit(target.pid, target.pid, tick, hardware=True)]
    assert target.register(target.pid, "rdi") == 200
    assert target.run() == [ProcessExited(target.pid, exit_code=0)]


@pytest.mark.parametrize("count", [8, 40])
def test_false_in_many_threads_at_once(debuggees: Debuggees, count: int) -> None:
    """Every thread meets the trap every time: the commands count the hits."""
    target = debuggees.launch("threads_many", str(count), "50", stdin="/dev/null")
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    tracer.print_to(writing)
    plant(target, "hit", commands=(DOT,))
    assert target.run() == [ProcessExited(target.pid, exit_code=0)]
    tracer.print_to(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == b"." * (count * 50)
    assert f"total {count * 50}" in target.output()


def test_interrupted_among_false_conditions(debuggees: Debuggees) -> None:
    target = debuggees.launch("loop", "1000000000")
    plant(target, "tick", FALSE)
    target.start()
    for _ in range(5):
        (event,) = target.interrupt()
        assert event.pid == target.pid
        target.start()
    target.interrupt()
