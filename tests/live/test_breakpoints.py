"""Planted traps and debug registers: exact hits, invisible to reads, gone when they should be."""

from __future__ import annotations

import struct

import pytest

from pydbgserver.errors import BadAddress, NoDebugRegister
from pydbgserver.target.api import ResumeAction, ResumeKind
from pydbgserver.target.capabilities import HardwareDebug
from pydbgserver.target.events import BreakpointHit, ProcessExited, StepDone, WatchKind, WatchpointHit
from tests.live.debuggee import STEP, Debuggee, Debuggees


def hardware(target: Debuggee) -> HardwareDebug:
    found = target.process.capability(HardwareDebug)
    assert found is not None
    return found


def test_every_hit_is_reported_once_and_the_client_need_not_step_over(debuggees: Debuggees) -> None:
    target = debuggees.launch("loop", "7")
    tick = target.plant("tick")
    for _ in range(7):
        assert target.run() == [BreakpointHit(target.pid, target.pid, tick)]
        assert target.pc(target.pid) == tick
    assert target.run() == [ProcessExited(target.pid, exit_code=0)]
    assert "total 21" in target.output()


def test_step_from_a_hit_executes_the_real_instruction(debuggees: Debuggees) -> None:
    target = debuggees.launch("loop")
    tick = target.plant("tick")
    target.run()
    assert target.run(STEP) == [StepDone(target.pid, target.pid)]
    after = target.pc(target.pid)
    assert tick < after < tick + 16
    assert target.run() == [BreakpointHit(target.pid, target.pid, tick)]


def test_range_step_leaves_the_range_in_one_go(debuggees: Debuggees) -> None:
    target = debuggees.launch("loop")
    tick = target.plant("tick")
    target.run()
    action = ResumeAction(ResumeKind.RANGE_STEP, range_start=tick, range_end=tick + 8)
    assert target.run(action) == [StepDone(target.pid, target.pid)]
    assert not tick <= target.pc(target.pid) < tick + 8


def test_pc_moved_back_to_the_trap_hits_again(debuggees: Debuggees) -> None:
    target = debuggees.launch("loop")
    tick = target.plant("tick")
    target.run()
    general = bytearray(target.process.read_regset(target.pid, "general"))
    elsewhere = general.copy()
    offset = target.process.arch.pc.offset
    struct.pack_into("<Q", elsewhere, offset, tick + 1)
    target.process.write_regset(target.pid, "general", bytes(elsewhere))
    target.process.write_regset(target.pid, "general", bytes(general))
    assert target.run() == [BreakpointHit(target.pid, target.pid, tick)]


def test_reads_do_not_see_traps_and_writes_keep_them(debuggees: Debuggees) -> None:
    target = debuggees.launch("loop")
    tick = target.address("tick")
    before = target.process.read_memory(tick - 16, 48)
    target.process.insert_breakpoint(tick, 1)
    target.process.insert_breakpoint(tick + 20, 1)
    assert target.process.read_memory(tick - 16, 48) == before
    assert target.process.read_memory(tick, 1) == before[16:17]
    changed = before[:36] + b"\x90" + before[37:]
    target.process.write_memory(tick - 16, changed)
    assert target.process.read_memory(tick - 16, 48) == changed
    assert target.run() == [BreakpointHit(target.pid, target.pid, tick)]
    target.process.remove_breakpoint(tick + 20, 1)
    assert target.process.read_memory(tick - 16, 48) == changed


def test_trap_where_nothing_is_mapped(debuggees: Debuggees) -> None:
    target = debuggees.launch("loop")
    with pytest.raises(BadAddress):
        target.process.insert_breakpoint(0x10, 1)


def test_hundred_threads_hit_one_breakpoint_twenty_times_each(debuggees: Debuggees) -> None:
    target = debuggees.launch("threads_many", "100", "20", stdin="/dev/null")
    hit = target.plant("hit")
    counts: dict[int, int] = {}
    while True:
        events = target.run()
        if events == [ProcessExited(target.pid, exit_code=0)]:
            break
        for event in events:
            assert isinstance(event, BreakpointHit)
            assert event.address == hit
            counts[event.tid] = counts.get(event.tid, 0) + 1
    assert len(counts) == 100
    assert set(counts.values()) == {20}
    assert "total 2000" in target.output()


def test_watchpoint_on_every_write(debuggees: Debuggees) -> None:
    target = debuggees.launch("watch")
    counter = target.address("counter")
    size = target.process.arch.pointer_size
    hardware(target).insert(WatchKind.WRITE, counter, size)
    seen = []
    for _ in range(3):
        events = target.run()
        assert events == [WatchpointHit(target.pid, target.pid, counter, WatchKind.WRITE, 0)]
        seen.append(target.long_at("counter"))
    assert seen == [10, 20, 30]
    hardware(target).remove(WatchKind.WRITE, counter, size)
    assert target.run() == [ProcessExited(target.pid, exit_code=0)]


def test_one_write_into_two_watched_ranges(debuggees: Debuggees) -> None:
    target = debuggees.launch("watch")
    counter = target.address("counter")
    half = target.process.arch.pointer_size // 2
    hardware(target).insert(WatchKind.WRITE, counter, half)
    hardware(target).insert(WatchKind.WRITE, counter + half, half)
    other = ((WatchKind.WRITE, counter + half),)
    assert target.run() == [WatchpointHit(target.pid, target.pid, counter, WatchKind.WRITE, 0, other)]
    hardware(target).remove(WatchKind.WRITE, counter, half)
    assert target.run() == [WatchpointHit(target.pid, target.pid, counter + half, WatchKind.WRITE, 1)]


def test_hardware_breakpoint_and_its_removal(debuggees: Debuggees) -> None:
    target = debuggees.launch("loop", "3")
    tick = target.address("tick")
    hardware(target).insert(WatchKind.EXECUTE, tick, 1)
    for _ in range(3):
        assert target.run() == [BreakpointHit(target.pid, target.pid, tick, hardware=True)]
    hardware(target).remove(WatchKind.EXECUTE, tick, 1)
    assert target.run() == [ProcessExited(target.pid, exit_code=0)]


def test_watchpoint_reaches_threads_born_later(debuggees: Debuggees) -> None:
    target = debuggees.launch("threads_many", "4", "1", stdin="/dev/null")
    total = target.address("total")
    hardware(target).insert(WatchKind.WRITE, total, target.process.arch.pointer_size)
    writers: set[int] = set()
    while True:
        events = target.run()
        if events == [ProcessExited(target.pid, exit_code=0)]:
            break
        assert all(isinstance(event, WatchpointHit) and event.address == total for event in events)
        writers.update(event.tid for event in events if isinstance(event, WatchpointHit))
    assert len(writers) == 4 and target.pid not in writers


def test_debug_registers_run_out(debuggees: Debuggees) -> None:
    target = debuggees.launch("watch")
    counter = target.address("counter") & ~7
    for index in range(4):
        hardware(target).insert(WatchKind.WRITE, counter + 8 * index, 8)
    with pytest.raises(NoDebugRegister):
        hardware(target).insert(WatchKind.WRITE, counter + 64, 8)
