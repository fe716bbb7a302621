"""32-bit programs under the 64-bit server: what holds for every program, and what is theirs alone."""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pydbgserver.errors import KernelError
from pydbgserver.target import registers
from pydbgserver.target.api import RunOptions
from pydbgserver.target.capabilities import MemoryAllocation, SignalInfo
from pydbgserver.target.events import BreakpointHit, Execed, Interrupted, ProcessExited, StepDone, SyscallStop
from tests.live import test_attach, test_breakpoints, test_children, test_memory, test_signals, test_threads
from tests.live.debuggee import STEP, Debuggee, Debuggees
from tests.programs import NARROW, Programs

PAGE = 4096
FOUR_GIB = 1 << 32
RESTARTS = {FOUR_GIB - 512, FOUR_GIB - 516}
"""-ERESTARTSYS and -ERESTART_RESTARTBLOCK (linux/errno.h), as eax has them."""
CALLS = {"read": {3}, "nanosleep": {162, 267, 407}}
"""arch/x86/entry/syscalls/syscall_32.tbl; the C library sleeps by clock_nanosleep or clock_nanosleep_time64."""

Case = Callable[[Debuggees], None]
EVERYDAY: list[Case] = [
    test_attach.test_every_thread_is_attached_and_let_go,
    test_attach.test_detach_leaves_no_trap_and_no_debug_register,
    test_breakpoints.test_every_hit_is_reported_once_and_the_client_need_not_step_over,
    test_breakpoints.test_step_from_a_hit_executes_the_real_instruction,
    test_breakpoints.test_range_step_leaves_the_range_in_one_go,
    test_breakpoints.test_pc_moved_back_to_the_trap_hits_again,
    test_breakpoints.test_watchpoint_on_every_write,
    test_breakpoints.test_hardware_breakpoint_and_its_removal,
    test_breakpoints.test_watchpoint_reaches_threads_born_later,
    test_children.test_child_of_fork_is_rid_of_traps,
    test_children.test_both_processes_debugged,
    test_memory.test_allocation_keeps_an_interrupted_system_call,
    test_signals.test_siginfo_is_read_and_written,
    test_signals.test_segmentation_fault_and_death_of_it,
    test_signals.test_signals_racing_with_steps_are_neither_lost_nor_doubled,
    test_signals.test_system_calls_to_catch_may_change_in_the_same_options,
    test_threads.test_one_thread_steps_while_the_others_stay,
    test_threads.test_exec_replaces_the_program,
    test_threads.test_exec_from_a_thread_that_is_not_the_leader,
]


@pytest.fixture
def narrow(narrow_programs: Programs) -> Iterator[Debuggees]:
    """Debuggees that are all 32-bit programs."""
    made = Debuggees(lambda name: narrow_programs(name + NARROW))
    yield made
    made.close()


@pytest.mark.parametrize("case", EVERYDAY, ids=lambda case: case.__name__.removeprefix("test_"))
def test_as_with_64_bits(case: Case, narrow: Debuggees) -> None:
    case(narrow)


def test_a_32_bit_program_is_seen_as_one(narrow: Debuggees) -> None:
    target = narrow.launch("loop")
    assert target.process.arch.name == "i386"
    assert narrow.backend.process_info(target.pid).triple == "i386-pc-linux-gnu"
    assert narrow.backend.host_info().pointer_size == 8
    block = registers.read_block(target.process, target.pid)
    assert len(block) == target.process.arch.block_size
    assert target.register(target.pid, "cs") == 0x23


def test_every_register_can_be_written(narrow: Debuggees) -> None:
    target = narrow.launch("loop")
    target.plant("main")
    target.run()
    values = {"eax": 0x80000001, "ebx": 2, "ecx": 3, "edx": 4, "esi": 5, "edi": 6, "ebp": 7, "esp": 0xFFFF0000}
    for name, value in values.items():
        number = target.process.arch.by_name[name].number
        registers.write_register(target.process, target.pid, number, value.to_bytes(4, "little"))
    assert {name: target.register(target.pid, name) for name in values} == values
    block = bytearray(registers.read_block(target.process, target.pid))
    block[:4] = b"\x11\x22\x33\x44"
    registers.write_block(target.process, target.pid, bytes(block))
    assert target.register(target.pid, "eax") == 0x44332211


def test_memory_is_made_below_4_gib_and_errors_are_seen(narrow: Debuggees) -> None:
    target = narrow.launch("loop", "3")
    allocation = target.process.capability(MemoryAllocation)
    assert allocation is not None
    before = target.process.read_regset(target.pid, "general")
    address = allocation.allocate(PAGE, "rwx")
    assert 0x80000000 < address < FOUR_GIB
    target.process.write_memory(address, b"hello")
    allocation.free(address)
    with pytest.raises(KernelError) as caught:
        allocation.allocate(FOUR_GIB - PAGE, "rw")
    assert caught.value.code == errno.ENOMEM
    assert target.process.read_regset(target.pid, "general") == before
    assert target.run() == [ProcessExited(target.pid, exit_code=0)]


def saved_and_restored(target: Debuggee, change: Callable[[], None]) -> None:
    """What gdb does around a call of a function: all registers read before, written back after."""
    block = registers.read_block(target.process, target.pid)
    restart = target.process.arch.by_name["orig_eax"].number
    registers.write_register(target.process, target.pid, restart, b"\xff" * 4)
    change()
    registers.write_block(target.process, target.pid, block)


@pytest.mark.parametrize("call", ["read", "nanosleep"])
def test_an_interrupted_system_call_goes_on_after_a_function_was_called(narrow: Debuggees, call: str) -> None:
    """The step in between ends the kernel's own knowledge that the thread came out of a 32-bit call: from then on the
    -ERESTART* in eax counts as it was written."""
    target, child = narrow.attach("sleeper", "200", call)
    options = RunOptions(catch_syscalls={target.pid: frozenset(CALLS[call])})
    narrow.backend.set_options(options)
    assert child.stdin is not None and child.stdout is not None
    if call == "nanosleep":
        child.stdin.write(b"\n")
        child.stdin.flush()
    assert isinstance(target.run()[0], SyscallStop)
    narrow.backend.set_options(RunOptions())
    target.start()
    assert target.interrupt() == [Interrupted(target.pid, target.pid)]
    assert target.register(target.pid, "eax") in RESTARTS

    def step() -> None:
        registers.set_pc(target.process, target.pid, target.address("main"))
        assert target.run(STEP) == [StepDone(target.pid, target.pid)]

    saved_and_restored(target, step)
    target.start()
    if call == "read":
        child.stdin.write(b"\nx")
        child.stdin.close()
    assert target.wait() == [ProcessExited(target.pid, exit_code=0)]
    assert child.stdout.read().decode() == f"{call} {1 if call == 'read' else 0} errno 0\n"


def test_siginfo_is_written_in_the_programs_layout(narrow: Debuggees) -> None:
    target = narrow.launch("segfault", "0x40")
    target.run()
    info = target.process.capability(SignalInfo)
    assert info is not None
    data = bytearray(info.read_siginfo(target.pid))
    assert struct.unpack_from("<iiiI", data) == (11, 0, 1, 0x40)
    struct.pack_into("<I", data, 12, 0xF0000008)
    info.write_siginfo(target.pid, bytes(data))
    assert info.read_siginfo(target.pid) == bytes(data)


def test_caught_calls_have_the_numbers_of_the_32_bit_table(narrow: Debuggees) -> None:
    write, exit_group = 4, 252
    target = narrow.launch("exit_code")
    narrow.backend.set_options(RunOptions(catch_syscalls={target.pid: frozenset({write, exit_group})}))
    seen = []
    while isinstance((event := target.run()[0]), SyscallStop):
        seen.append((event.number, event.entry))
    assert seen == [(write, True), (write, False), (exit_group, True)]
    assert event == ProcessExited(target.pid, exit_code=42)


@pytest.mark.parametrize(("first", "second"), [("exec", "loop-32"), ("exec-32", "loop")])
@pytest.mark.usefixtures("narrow_programs")
def test_exec_with_a_change_of_architecture(debuggees: Debuggees, first: str, second: str) -> None:
    other = debuggees.programs(second)
    target = debuggees.launch(first, str(other), "3")
    before = target.process.arch.name
    assert target.run() == [Execed(target.pid, target.pid, str(other))]
    arch = target.process.arch
    assert {before, arch.name} == {"i386", "amd64"}
    assert len(registers.read_block(target.process, target.pid)) == arch.block_size
    other_target = Debuggee(debuggees.backend, target.process, Path(other), None)
    allocation = target.process.capability(MemoryAllocation)
    assert allocation is not None
    allocation.free(allocation.allocate(PAGE, "rw"))
    tick = other_target.plant("tick")
    for _ in range(3):
        assert target.run() == [BreakpointHit(target.pid, target.pid, tick)]
        assert target.pc(target.pid) == tick
    assert target.run() == [ProcessExited(target.pid, exit_code=0)]


def test_interrupt_of_a_busy_loop(narrow: Debuggees) -> None:
    target, _ = narrow.attach("spinner")
    target.start()
    assert target.interrupt() == [Interrupted(target.pid, target.pid)]
    assert target.process.arch.name == "i386"
    assert target.run(STEP) == [StepDone(target.pid, target.pid)]


@pytest.mark.parametrize("name", ["loop", "exec"])
@pytest.mark.usefixtures("narrow_programs")
def test_registers_for_a_client_without_descriptions(debuggees: Debuggees, name: str) -> None:
    """core, SSE and Linux, with 64 bits segments too: what gdb has without target.xml, whatever the CPU has."""
    sizes = {"i386": 312, "amd64": 560}
    target = debuggees.launch(name, str(debuggees.programs("loop-32")), "3")
    debuggees.backend.set_options(RunOptions(plain_registers=True))
    assert len(registers.read_block(target.process, target.pid)) == sizes["amd64"]
    if name == "exec":
        assert isinstance(target.run()[0], Execed)
        assert len(registers.read_block(target.process, target.pid)) == sizes["i386"]
    debuggees.backend.set_options(RunOptions())
    assert len(registers.read_block(target.process, target.pid)) == target.process.arch.block_size > sizes["i386"]
