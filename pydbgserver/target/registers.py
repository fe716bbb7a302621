"""Registers of one stopped thread, over `Process.read_regset` and `Process.write_regset` alone.

Values are bytes in target byte order. Every function raises `NoSuchThread`
for an unknown `tid`, and `NoSuchRegister` for a number that the CPU lacks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from pydbgserver.errors import DebugError, Unsupported

if TYPE_CHECKING:
    from pydbgserver.arch.model import Arch, RegisterSlice
    from pydbgserver.target.api import Process


def read_register(process: Process, tid: int, number: int) -> bytes:
    """The value of the register with gdb's number `number`."""
    register = process.arch.register(number)
    return process.arch.read(register, {register.regset: process.read_regset(tid, register.regset)})


def write_register(process: Process, tid: int, number: int, value: bytes) -> None:
    """Set a register; nothing is written when it has the value already.

    Raises `MalformedPacket` when `value` is not as wide as the register.
    """
    register = process.arch.register(number)
    old = process.read_regset(tid, register.regset)
    name, new = process.arch.write(register, value, {register.regset: old})
    if new != old:
        process.write_regset(tid, name, new)


RESTART_REGISTERS = frozenset({"orig_rax", "orig_eax"})
"""What tells Linux that a thread was interrupted in a system call (its number, else -1), so that the thread goes back
into the call when it runs (arch/x86/kernel/signal.c, handle_signal and arch_do_signal_or_restart)."""


def jump(process: Process, tid: int, value: bytes) -> None:
    """Set the program counter for good: a system call that was interrupted is not gone back to from there."""
    arch = process.arch
    write_register(process, tid, arch.pc.number, value)
    for register in arch.registers:
        if register.name in RESTART_REGISTERS:
            write_register(process, tid, register.number, b"\xff" * register.width)


def _all_sets(process: Process, tid: int) -> dict[str, bytes]:
    return {regset.name: process.read_regset(tid, regset.name) for regset in process.arch.regsets}


def read_block(process: Process, tid: int) -> bytes:
    """All registers in the order of the ``g`` packet."""
    return process.arch.pack_block(_all_sets(process, tid))


def write_block(process: Process, tid: int, block: bytes) -> None:
    """Set all registers; register sets in which nothing changes are not written.

    Raises `MalformedPacket` when `block` is not exactly as long as `read_block` gives it.
    """
    for name, data in process.arch.unpack_block(block, _all_sets(process, tid)).items():
        process.write_regset(tid, name, data)


def _cut(process: Process, tid: int, slices: tuple[RegisterSlice, ...]) -> list[tuple[int, bytes]]:
    data = process.read_regset(tid, process.arch.pc.regset)
    return [(number, data[start:end]) for number, start, end in slices]


def expedited(process: Process, tid: int) -> list[tuple[int, bytes]]:
    """(number, value) of the registers that gdb finds in a stop reply."""
    return _cut(process, tid, process.arch.expedited_slices)


def general(process: Process, tid: int) -> list[tuple[int, bytes]]:
    """(number, value) of the registers that lldb finds in a stop reply."""
    return _cut(process, tid, process.arch.general_slices)


def _byte_order(arch: Arch) -> Literal["little", "big"]:
    return cast(Literal["little", "big"], arch.byte_order)


def pc(process: Process, tid: int) -> int:
    """The program counter."""
    arch = process.arch
    return int.from_bytes(read_register(process, tid, arch.pc.number), _byte_order(arch))


def stack_pointer(process: Process, tid: int) -> int:
    """The stack pointer."""
    arch = process.arch
    return int.from_bytes(read_register(process, tid, arch.sp.number), _byte_order(arch))


def thread_pointer(process: Process, tid: int) -> int:
    """Where the CPU's thread pointer points; 0 before the thread has set one. Raises `Unsupported`."""
    arch = process.arch
    register = arch.thread_pointer
    if register is None:
        raise Unsupported("no register is known to be the thread pointer")
    data = process.read_regset(tid, register.regset)[register.offset : register.offset + register.width]
    return int.from_bytes(data, _byte_order(arch))


def pthread(process: Process, tid: int) -> int:
    """The thread's pthread_t, 0 if it has none yet. On x86 it is the thread pointer, and the first word it points to
    is the pointer itself (psABI, "Thread-Local Storage"; glibc tcbhead_t, musl struct pthread)."""
    size = process.arch.pointer_size
    try:
        pointer = thread_pointer(process, tid)
        first = process.read_memory(pointer, size) if pointer else b""
    except DebugError:
        return 0
    return pointer if len(first) == size and int.from_bytes(first, _byte_order(process.arch)) == pointer else 0


def set_pc(process: Process, tid: int, address: int) -> None:
    """Set the program counter."""
    arch = process.arch
    write_register(process, tid, arch.pc.number, address.to_bytes(arch.pc.width, _byte_order(arch)))
