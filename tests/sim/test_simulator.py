"""The simulated target keeps the contracts of `Backend` and `Process` that the session relies on."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from pydbgserver.errors import BadAddress, LaunchError, MalformedPacket, NoSuchProcess, NoSuchThread
from pydbgserver.target import capabilities
from pydbgserver.target.api import LaunchSpec, ResumeAction, ResumeKind
from pydbgserver.target.events import BreakpointHit, Execed, Forked, Interrupted, ProcessExited, SignalStop, StepDone
from pydbgserver.testing.capabilities import IMPLEMENTATIONS
from pydbgserver.testing.memory import SimMemory, SimRegion
from pydbgserver.testing.sim import CODE, SimBackend, SimProcess, Stop

ALL = [ResumeAction(ResumeKind.CONTINUE)]


def test_memory_is_read_up_to_a_gap_and_written_as_far_as_it_goes() -> None:
    memory = SimMemory([SimRegion(0x1000, bytearray(b"abcd")), SimRegion(0x1004, bytearray(b"efgh"))])
    assert memory.read(0x1002, 100) == b"cdefgh"
    memory.write(0x1003, b"XY")
    assert memory.read(0x1000, 8) == b"abcXYfgh"
    with pytest.raises(BadAddress):
        memory.read(0x1008, 1)
    with pytest.raises(BadAddress):
        memory.write(0x1007, b"12")
    assert memory.read(0x1007, 1) == b"1"
    with pytest.raises(ValueError, match="mapped"):
        memory.map(SimRegion(0x1002, bytearray(1)))


def test_a_straight_line_program_steps_and_meets_breakpoints() -> None:
    process = SimProcess(100)
    backend = SimBackend(process)
    process.insert_breakpoint(CODE + 0x20, 1)
    assert backend.resume([ResumeAction(ResumeKind.STEP, 100, 100)]) == [StepDone(100, 100)]
    assert process.pc(100) == CODE + 1
    assert backend.resume(ALL) == [BreakpointHit(100, 100, CODE + 0x20)]
    assert backend.resume(ALL) == ()


def test_the_leftmost_action_counts() -> None:
    backend = SimBackend(SimProcess(100, threads=2))
    assert backend.resume([ResumeAction(ResumeKind.STOP, 100, 100), ResumeAction(ResumeKind.STEP)]) == [
        StepDone(100, 101)
    ]


def test_scripted_events_come_true() -> None:
    process = SimProcess(100, threads=2)
    script = [
        Stop(Forked(100, 100, 200)),
        Stop(Execed(100, 101, "/new")),
        Stop(ProcessExited(100, exit_code=1), slow=True),
    ]
    backend = SimBackend(process, script=script)
    process.insert_breakpoint(CODE, 1)
    backend.resume(ALL)
    assert set(backend.processes) == {100, 200}
    backend.resume(ALL)
    assert (process.threads(), process.program, process.breakpoints) == ([100], "/new", set())
    assert backend.resume(ALL) == ()
    assert set(backend.processes) == {100, 200}
    assert backend.poll() == (ProcessExited(100, exit_code=1),)
    assert set(backend.processes) == {200}
    with pytest.raises(NoSuchProcess):
        process.threads()


def test_what_is_not_there() -> None:
    process = SimProcess(100)
    with pytest.raises(NoSuchThread):
        process.read_regset(1, "general")
    with pytest.raises(MalformedPacket):
        process.write_regset(100, "general", b"")
    backend = SimBackend()
    backend.programs = frozenset({"a"})
    with pytest.raises(LaunchError, match="b"):
        backend.launch(LaunchSpec("b"))
    assert backend.launch(LaunchSpec("a")).pid in backend.processes


def test_every_capability_is_there_and_can_be_left_out() -> None:
    kinds = [
        one
        for one in vars(capabilities).values()
        if isinstance(one, type)
        and one.__module__ == capabilities.__name__
        and getattr(one, "__abstractmethods__", None)
    ]
    assert set(kinds) == IMPLEMENTATIONS.keys()
    process, bare = SimProcess(100, mac=True), SimProcess(100, without=kinds)
    for kind in kinds:
        assert isinstance(process.capability(kind), kind)
        assert process.capability(kind) is process.capability(kind)
        assert bare.capability(kind) is None


async def test_activity_wakes_the_waiter() -> None:
    backend = SimBackend(SimProcess(100))
    woken = False

    async def wait() -> None:
        nonlocal woken
        await backend.wait_activity()
        woken = True

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        assert not woken
        backend.happen(SignalStop(100, 100, 11))
    assert woken
    assert backend.poll() == (SignalStop(100, 100, 11),)
    assert backend.poll() == ()


def test_an_interrupt_yields_to_a_stop_that_came_first() -> None:
    backend = SimBackend(SimProcess(100))
    backend.happen(SignalStop(100, 100, 11))
    backend.interrupt()
    assert backend.poll() == (SignalStop(100, 100, 11),)
    backend.interrupt()
    assert backend.poll() == (Interrupted(100, 100),)


def test_release() -> None:
    launched, attached = SimProcess(100), SimProcess(200, attached=True)
    backend = SimBackend(launched, attached)
    backend.release(kill_launched=True)
    assert (launched.ended, attached.ended, backend.processes) == ("killed", "detached", {})
