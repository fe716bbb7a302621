"""What every backend and process keeps, whatever the system: `CHECKS`, run over each of them by tests that make one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from pydbgserver.errors import BadAddress, DebugError, MalformedPacket, NoSuchProcess, NoSuchRegister, NoSuchThread
from pydbgserver.target.api import Backend, Process, ResumeAction, ResumeKind
from pydbgserver.target.capabilities import (
    ExecFile,
    HardwareDebug,
    MemoryAllocation,
    MemoryMap,
    RegisterSnapshots,
)
from pydbgserver.target.events import StepDone, WatchKind
from pydbgserver.target.registers import pc, read_block, read_register, set_pc, write_block, write_register

NOWHERE = 0x10
NO_THREAD = 0x7FFFFFF0


@dataclass(frozen=True)
class Subject:
    """A stopped process: `code` is in a page that may be executed and not written, `data` begins one that may be."""

    backend: Backend
    process: Process
    code: int
    data: int

    @property
    def tid(self) -> int:
        return self.process.threads()[0]


def threads_are_listed_and_named(one: Subject) -> None:
    assert one.process.threads() and one.backend.processes[one.process.pid] is one.process
    assert isinstance(one.process.thread_name(one.tid), str)


def an_unknown_thread_is_refused(one: Subject) -> None:
    with pytest.raises(NoSuchThread):
        one.process.read_regset(NO_THREAD, one.process.arch.pc.regset)


def an_unknown_register_set_is_refused(one: Subject) -> None:
    with pytest.raises((NoSuchRegister, KeyError)):
        one.process.read_regset(one.tid, "fnord")


def memory_is_read_and_written(one: Subject) -> None:
    before = one.process.read_memory(one.data, 4)
    one.process.write_memory(one.data, b"\x5a\xa5")
    assert one.process.read_memory(one.data, 4) == b"\x5a\xa5" + before[2:]
    one.process.write_memory(one.data, before)
    one.process.write_memory(one.data, b"")


def code_is_written_too(one: Subject) -> None:
    before = one.process.read_memory(one.code, 2)
    one.process.write_memory(one.code, bytes(byte ^ 0xFF for byte in before))
    assert one.process.read_memory(one.code, 2) != before
    one.process.write_memory(one.code, before)
    assert one.process.read_memory(one.code, 2) == before


def what_is_not_mapped_is_refused(one: Subject) -> None:
    for access in (lambda: one.process.read_memory(NOWHERE, 1), lambda: one.process.write_memory(NOWHERE, b"x")):
        with pytest.raises(BadAddress):
            access()


def a_read_stops_and_a_write_is_refused_at_a_gap(one: Subject) -> None:
    memory_map = one.process.capability(MemoryMap)
    assert memory_map is not None
    end = one.data
    while memory_map.region_at(end).permissions:
        end = memory_map.region_at(end).end
    assert len(one.process.read_memory(end - 3, 100)) == 3
    kept = one.process.read_memory(end - 1, 1)
    with pytest.raises(BadAddress):
        one.process.write_memory(end - 1, kept + b"x")


def registers_are_read_and_written(one: Subject) -> None:
    number = one.process.arch.general[1].number
    value = read_register(one.process, one.tid, number)
    changed = bytes([value[0] ^ 0xFF]) + value[1:]
    write_register(one.process, one.tid, number, changed)
    assert read_register(one.process, one.tid, number) == changed
    write_register(one.process, one.tid, number, value)
    with pytest.raises(MalformedPacket):
        write_register(one.process, one.tid, number, b"")


def all_registers_are_one_block(one: Subject) -> None:
    block = read_block(one.process, one.tid)
    assert len(block) == one.process.arch.block_size
    write_block(one.process, one.tid, block)
    assert read_block(one.process, one.tid) == block


def snapshots_bring_registers_back(one: Subject) -> None:
    snapshots = one.process.capability(RegisterSnapshots)
    assert snapshots is not None
    where = pc(one.process, one.tid)
    saved = snapshots.save(one.tid)
    set_pc(one.process, one.tid, one.code)
    snapshots.restore(one.tid, saved)
    assert pc(one.process, one.tid) == where
    with pytest.raises(DebugError):
        snapshots.restore(one.tid, saved)


def a_breakpoint_whose_memory_is_gone_is_told_of_once(one: Subject) -> None:
    allocation = one.process.capability(MemoryAllocation)
    assert allocation is not None
    place = allocation.allocate(4096, "rx")
    one.process.insert_breakpoint(place, 1)
    allocation.free(place)
    with pytest.raises(BadAddress):
        one.process.remove_breakpoint(place, 1)
    one.process.remove_breakpoint(place, 1)


def breakpoints_are_hidden_and_planted_once(one: Subject) -> None:
    before = one.process.read_memory(one.code, 8)
    one.process.insert_breakpoint(one.code, 1)
    one.process.insert_breakpoint(one.code, 1)
    assert one.process.read_memory(one.code, 8) == before
    one.process.remove_breakpoint(one.code, 1)
    one.process.remove_breakpoint(one.code, 1)
    assert one.process.read_memory(one.code, 8) == before
    with pytest.raises(BadAddress):
        one.process.insert_breakpoint(NOWHERE, 1)


def debug_registers_are_counted(one: Subject) -> None:
    hardware = one.process.capability(HardwareDebug)
    assert hardware is not None
    for index in range(hardware.slots):
        hardware.insert(WatchKind.WRITE, one.data + 8 * index, 8)
        hardware.insert(WatchKind.WRITE, one.data + 8 * index, 8)
    with pytest.raises(DebugError):
        hardware.insert(WatchKind.WRITE, one.data + 8 * hardware.slots, 8)
    for index in range(hardware.slots):
        hardware.remove(WatchKind.WRITE, one.data + 8 * index, 8)
    hardware.remove(WatchKind.WRITE, one.data, 8)
    hardware.insert(WatchKind.WRITE, one.data, 8)
    hardware.remove(WatchKind.WRITE, one.data, 8)


def regions_and_the_gaps_between_them_fill_the_address_space(one: Subject) -> None:
    memory_map = one.process.capability(MemoryMap)
    assert memory_map is not None
    assert memory_map.page_size in (4096, 16384)
    address = 0
    listed = []
    while address < 1 << 64:
        region = memory_map.region_at(address)
        assert region.start == address < region.end
        if region.permissions or region.name or region.max_permissions is not None:
            listed.append((region.start, region.end))
        address = region.end
    assert listed == [(region.start, region.end) for region in memory_map.regions()]
    assert "x" in memory_map.region_at(one.code).permissions
    assert "w" in memory_map.region_at(one.data).permissions


def memory_is_allocated_and_freed(one: Subject) -> None:
    allocation = one.process.capability(MemoryAllocation)
    assert allocation is not None
    address = allocation.allocate(0x2000, "rw")
    one.process.write_memory(address + 0x1FFF, b"x")
    assert one.process.read_memory(address + 0x1FFF, 1) == b"x"
    allocation.free(address)
    with pytest.raises(BadAddress):
        one.process.read_memory(address, 1)
    with pytest.raises(BadAddress):
        allocation.free(address)


def capabilities_are_the_same_object_each_time(one: Subject) -> None:
    for kind in (MemoryMap, MemoryAllocation, HardwareDebug, ExecFile):
        assert one.process.capability(kind) is one.process.capability(kind) is not None
    assert one.process.capability(Subject) is None


def a_step_moves_the_thread(one: Subject) -> None:
    before = pc(one.process, one.tid)
    events = list(one.backend.resume([ResumeAction(ResumeKind.STEP, one.process.pid, one.tid)], budget_us=2_000_000))
    assert events == [StepDone(one.process.pid, one.tid)]
    assert pc(one.process, one.tid) != before


def what_is_detached_is_gone(one: Subject) -> None:
    one.process.detach()
    assert one.process.pid not in one.backend.processes


def what_is_killed_is_gone(one: Subject) -> None:
    one.process.kill()
    assert one.process.pid not in one.backend.processes
    with pytest.raises((NoSuchProcess, BadAddress)):
        one.process.read_memory(one.code, 1)


CHECKS: tuple[Callable[[Subject], None], ...] = (
    threads_are_listed_and_named,
    an_unknown_thread_is_refused,
    an_unknown_register_set_is_refused,
    memory_is_read_and_written,
    code_is_written_too,
    what_is_not_mapped_is_refused,
    a_read_stops_and_a_write_is_refused_at_a_gap,
    registers_are_read_and_written,
    all_registers_are_one_block,
    snapshots_bring_registers_back,
    breakpoints_are_hidden_and_planted_once,
    a_breakpoint_whose_memory_is_gone_is_told_of_once,
    debug_registers_are_counted,
    regions_and_the_gaps_between_them_fill_the_address_space,
    memory_is_allocated_and_freed,
    capabilities_are_the_same_object_each_time,
    a_step_moves_the_thread,
    what_is_detached_is_gone,
    what_is_killed_is_gone,
)
"""The last three let the process go."""
