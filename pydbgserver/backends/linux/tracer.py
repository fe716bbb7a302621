"""Typed view of the C tracer (native/cdef/linux.h): one function per C call, errors as exceptions.

Everything is plain integers and bytes, so that the same calls can one day be
answered by a small agent on another machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from pydbgserver import native
from pydbgserver.arch.model import SyscallConvention
from pydbgserver.errors import BadAddress, KernelError, NoSuchProcess, NoSuchThread, TargetRunning
from pydbgserver.target.api import ResumeAction, RunOptions

if TYPE_CHECKING:
    from pydbgserver.target.agent_expr import BreakpointProgram

ESRCH, EBUSY = 3, 16
ERRNO_END = 4096
"""A system call that failed returned a number from -4095 on."""
MAX_STOPS = 64
SIGINFO_SIZE = 128
_lib = native.lib
_ffi = native.ffi
READ_ROOM = 64 * 1024
"""Reads up to this size need no buffer of their own."""
_read_room = _ffi.new("uint8_t[]", READ_ROOM)
_read_view = _ffi.buffer(_read_room)
_stops = _ffi.new("linux_stop[]", MAX_STOPS)
_GENERAL_VIEWS = [_ffi.buffer(_stops[i].registers) for i in range(MAX_STOPS)]


class RawStop(Protocol):
    """One `linux_stop`. Valid until the next `wait`."""

    pid: int
    tid: int
    kind: int
    signal: int
    pc: int
    value: int
    registers_size: int
    failure: int
    failed_at: int


def open_tracer() -> int:
    """Start listening for child events; gives the descriptor that becomes readable when `wait` has something."""
    return native.check(_lib.linux_open(), "cannot watch for child processes")


clear_wakeup = _lib.linux_clear_wakeup
unattended = _lib.linux_unattended
attend = _lib.linux_attend
running = _lib.linux_running
interrupt = _lib.linux_interrupt
set_scope = _lib.linux_set_scope


def configure(options: RunOptions) -> None:
    """Hand the run options to C (signal sets as bit masks, bit N-1 for signal N)."""
    everything = (1 << 64) - 1
    wanted = options.program_signals
    raw = _ffi.new("linux_options *")
    raw.pass_signals = _mask(options.pass_signals)
    raw.program_signals = everything if wanted is None else _mask(wanted)
    raw.report_forks = options.report_forks
    raw.report_vforks = options.report_vforks
    raw.report_execs = options.report_execs
    raw.report_threads = options.report_threads
    raw.unattended = options.unattended
    _lib.linux_configure(raw)


def _mask(signals: frozenset[int]) -> int:
    return sum(1 << (number - 1) for number in signals if 1 <= number <= 64)


def catch_syscalls(pid: int, numbers: frozenset[int] | None) -> None:
    """Stop `pid` at these system calls; None for all, an empty set for none."""
    listed = sorted(numbers or ())
    count = -1 if numbers is None else len(listed)
    _process(_lib.linux_catch_syscalls(pid, listed, count), pid)


def report_thread(pid: int, tid: int, *, clones: bool, exits: bool) -> None:
    """Whether the threads that `tid` starts, and its end, are reported; tid -1: of every thread of the process."""
    _thread(_lib.linux_report_thread(pid, tid, clones, exits), tid, "choose the events")


def acknowledge(tid: int) -> None:
    _thread(_lib.linux_acknowledge(tid), tid, "acknowledge the stop")


def run_attached(pid: int, but: int) -> None:
    _process(_lib.linux_run_attached(pid, but), pid)


def detach(pid: int, *, stopped: bool = False) -> None:
    _process(_lib.linux_detach(pid, stopped), pid)


def kill(pid: int) -> None:
    _process(_lib.linux_kill(pid), pid)


def threads(pid: int) -> list[int]:
    """Live thread ids; empty for an unknown process."""
    size = 1024
    while True:
        tids = _ffi.new("int32_t[]", size)
        count = _lib.linux_threads(pid, tids, size)
        if count <= size:
            return list(tids[0 : max(count, 0)])
        size = count + 64


class _Actions:
    """The actions of the last resume as C has them: a stepping client repeats the same ones."""

    given: Sequence[ResumeAction] = ()
    array = _ffi.new("linux_action[]", 1)


def resume(actions: Sequence[ResumeAction]) -> int:
    """Apply the actions; gives the number of threads resumed."""
    if actions is not _Actions.given or actions.__class__ is not tuple:
        _Actions.array = raw_actions(actions)
        _Actions.given = actions
    result: int = _lib.linux_resume(_Actions.array, len(actions))
    return result


def raw_actions(actions: Sequence[ResumeAction]) -> Any:
    """A `linux_action[]`."""
    return _ffi.new("linux_action[]", [_raw(action) for action in actions])


def _raw(action: ResumeAction) -> tuple[int, ...]:
    return (action.pid, action.tid, action.kind.value, action.signal, action.range_start, action.range_end)


def wait(budget_us: int, spin_us: int) -> int:
    """How many events the stop has that is complete, see `stop_at`; 0 while the target runs."""
    count: int = _lib.linux_wait(_stops, MAX_STOPS, budget_us, spin_us)
    return count


def stop_records() -> tuple[Any, int]:
    """The array that `stop_at` looks into, for C calls that wait, and how many stops it has room for."""
    return _stops, MAX_STOPS


def stop_at(index: int) -> tuple[RawStop, bytes]:
    """An event of the last `wait`, and the general registers of its thread ("" when it is gone)."""
    stop = _stops[index]
    return stop, _GENERAL_VIEWS[index][: stop.registers_size]


def read_memory(pid: int, address: int, length: int) -> bytes:
    """The readable prefix; raises `BadAddress` when there is none."""
    if length <= READ_ROOM:
        count = _lib.linux_read_memory(pid, address, _read_room, length)
        if count > 0:
            data: bytes = _read_view[:count]
            return data
    else:
        buffer = _ffi.new("uint8_t[]", length)
        count = _lib.linux_read_memory(pid, address, buffer, length)
        if count > 0:
            return bytes(_ffi.buffer(buffer, count))
    if length:
        _process(count, pid, BadAddress(address, length))
    return b""


def search_memory(pid: int, address: int, length: int, pattern: bytes) -> int | None:
    """The first address of `pattern` in the range; raises `BadAddress` where it cannot be read."""
    found = _ffi.new("uint64_t *")
    result = _lib.linux_search_memory(pid, address, length, pattern, len(pattern), found)
    if result < 0:
        _process(result, pid, BadAddress(found[0], 1))
    return int(found[0]) if result else None


def read_functions() -> tuple[object, object] | None:
    """The C functions behind `read_memory` and `read_regset`; None where the calls go by way of somebody else, who
    records or replays them."""
    try:
        return _ffi.addressof(_lib, "linux_read_memory"), _ffi.addressof(_lib, "linux_read_regset")
    except TypeError:
        return None


def write_memory(pid: int, address: int, data: bytes) -> None:
    """All of `data`; raises `BadAddress`."""
    if not data:
        return
    count = _lib.linux_write_memory(pid, address & 0xFFFFFFFFFFFFFFFF, data, len(data))
    if count != len(data):
        _process(min(count, 0), pid, BadAddress(address, len(data), "write"))


def insert_trap(pid: int, address: int, code: bytes, pc_adjust: int) -> None:
    result = _lib.linux_insert_trap(pid, address, code, len(code), pc_adjust)
    if result < 0:
        _process(result, pid, BadAddress(address, len(code), "plant a breakpoint of"))


def remove_trap(pid: int, address: int) -> bool:
    """True if there was one. Raises `BadAddress` if there was and nothing is mapped there any more."""
    result = _lib.linux_remove_trap(pid, address)
    if result < 0:
        _process(result, pid, BadAddress(address, 1, "remove a breakpoint of"))
    return bool(result)


def set_registers(pid: int, registers: Sequence[tuple[int, int, int]]) -> None:
    """(register set type, offset, bytes) of the registers that expressions name by number; 0 bytes: not to be had."""
    _process(_lib.linux_set_registers(pid, list(registers), len(registers)), pid)


def set_program(pid: int, address: int, hardware: bool, program: BreakpointProgram) -> None:
    """Conditions and commands that have been checked; an empty program takes them away."""
    codes = (*program.conditions, *program.commands)
    counts = (len(program.conditions), len(program.commands))
    lengths = [len(code) for code in codes]
    result = _lib.linux_set_program(pid, address, hardware, b"".join(codes), lengths, *counts, program.persist)
    _process(result, pid)


def has_persistent(pid: int) -> bool:
    """Whether a breakpoint of `pid` has commands that go on without a client."""
    return _process(_lib.linux_persistent(pid), pid) > 0


print_to = _lib.linux_print_to


def lift_all(pid: int) -> None:
    """Remove every trap now and every debug register before the next resume."""
    _process(_lib.linux_lift_all(pid), pid)


def read_regset(tid: int, kind: int, size: int) -> bytes:
    """The register set of NT type `kind`, at most `size` bytes."""
    buffer = bytearray(size)
    got = _thread(_lib.linux_read_regset(tid, kind, _ffi.from_buffer(buffer), size), tid, "read the registers")
    return bytes(buffer[:got])


def write_regset(tid: int, kind: int, data: bytes) -> None:
    _thread(_lib.linux_write_regset(tid, kind, data, len(data)), tid, "write the registers")


def read_siginfo(tid: int) -> bytes:
    buffer = bytearray(SIGINFO_SIZE)
    _thread(_lib.linux_read_siginfo(tid, _ffi.from_buffer(buffer)), tid, "read the signal information")
    return bytes(buffer)


def write_siginfo(tid: int, data: bytes) -> None:
    _thread(_lib.linux_write_siginfo(tid, data.ljust(SIGINFO_SIZE, b"\0")), tid, "write the signal information")


def set_debug_registers(pid: int, addresses: Sequence[int], control: int) -> None:
    _process(_lib.linux_set_debug_registers(pid, list(addresses), control), pid)


def inject_syscall(tid: int, instruction: int, convention: SyscallConvention, name: str, *arguments: int) -> int:
    """Run the system call `name` from `instruction` in the stopped thread; gives its result, -errno if it failed."""
    bits = 8 * convention.width
    call = _ffi.new("linux_syscall *")
    call.instruction = instruction
    call.number = convention.numbers[name]
    call.number_offset = convention.number
    call.result_offset = convention.result
    call.restart_offset = convention.restart
    call.count = len(arguments)
    call.width = convention.width
    for index, (offset, value) in enumerate(zip(convention.arguments, arguments, strict=False)):
        call.argument_offsets[index] = offset
        call.arguments[index] = value & (1 << bits) - 1
    _thread(_lib.linux_inject_syscall(tid, call), tid, "run a system call")
    result = int(call.result)
    return result - (1 << bits) if result > (1 << bits) - ERRNO_END else result


def cpuid(leaf: int, subleaf: int = 0) -> tuple[int, int, int, int]:
    """EAX, EBX, ECX, EDX."""
    registers = _ffi.new("uint32_t[4]")
    _lib.linux_cpuid(leaf, subleaf, registers)
    return tuple(registers)


def _process(result: int, pid: int, otherwise: Exception | None = None) -> int:
    if result == -ESRCH:
        raise NoSuchProcess(pid)
    if otherwise is not None:
        raise otherwise
    return native.check(result, f"process {pid}")


def _thread(result: int, tid: int, doing: str) -> int:
    if result == -ESRCH:
        raise NoSuchThread(tid)
    if result == -EBUSY:
        raise TargetRunning(f"thread {tid} is running")
    if result < 0:
        raise KernelError(-result, f"cannot {doing} of thread {tid}")
    return result
