"""The notes of a Linux core file: what gdb and lldb read of threads, the process, its files.

Structures: include/linux/elfcore.h (elf_prstatus_common, elf_prpsinfo) and fs/binfmt_elf.c (fill_files_note), with the
sizes of the process' own words. Notes of the first thread and of the process come first, as the kernel writes them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pydbgserver.backends.linux import procfs, tracer
from pydbgserver.errors import DebugError
from pydbgserver.target.capabilities import Auxv, Region, SignalInfo
from pydbgserver.target.registers import read_register

if TYPE_CHECKING:
    from pydbgserver.backends.linux.process import LinuxProcess

NT_PRSTATUS = 1
NT_FPREGSET = 2
NT_PRPSINFO = 3
NT_AUXV = 6
NT_X86_XSTATE = 0x202
NT_PRXFPREG = 0x46E62B7F
NT_FILE = 0x46494C45
NT_SIGINFO = 0x53494749
XSAVE_ROOM = 16384
"""More than any XSAVE area has: with the tiles of AMX they are of 11 KiB."""

FXSAVE_SIZE = 512
"""The beginning of the XSAVE area, which is NT_FPREGSET (struct user_fpregs_struct)."""

# By the size of a word: before the registers of a thread's status (signal, masks, ids, times) and behind them; the
# process' state.
_STATUS = {8: struct.Struct("<3ih2xQQ4i8q"), 4: struct.Struct("<3ih2xII4i8i")}
_STATUS_END = {8: b"\1\0\0\0\0\0\0\0", 4: b"\1\0\0\0"}
_STATE = {8: struct.Struct("<bsbb4xQ2I4i16s80s"), 4: struct.Struct("<bsbbI2H4i16s80s")}
_NO_TIMES = (0,) * 8
_I386_REGISTERS = (
    "ebx", "ecx", "edx", "esi", "edi", "ebp", "eax", "ds", "es", "fs", "gs", "orig_eax", "eip", "cs", "eflags",
    "esp", "ss",
)  # fmt: skip
"""arch/x86/include/asm/user_32.h"""


def note(name: bytes, kind: int, data: bytes) -> bytes:
    """One note: sizes, type, name and data, each padded to four bytes."""
    padded = name + b"\0"
    head = struct.pack("<III", len(padded), len(data), kind)
    return head + padded.ljust(len(padded) + 3 & ~3, b"\0") + data.ljust(len(data) + 3 & ~3, b"\0")


def notes(process: LinuxProcess, tid: int, signal: int, regions: Iterable[Region], page_size: int) -> bytes:
    """All notes; `tid` is the thread that debuggers show first, `signal` what it stopped for (0: none)."""
    first = _thread_status(process, tid, signal)
    information = _signal_information(process, tid)
    whole = [first, note(b"CORE", NT_PRPSINFO, _process_state(process))]
    if information:
        whole.append(note(b"CORE", NT_SIGINFO, information))
    auxv = process.capability(Auxv)
    if auxv is not None:
        whole.append(note(b"CORE", NT_AUXV, auxv.auxv()))
    whole.append(note(b"CORE", NT_FILE, _mapped_files(regions, process.arch.pointer_size, page_size)))
    whole += _more_registers(process, tid)
    for other in process.threads():
        if other != tid:
            whole += [_thread_status(process, other, 0), *_more_registers(process, other)]
    return b"".join(whole)


def _thread_status(process: LinuxProcess, tid: int, signal: int) -> bytes:
    word = process.arch.pointer_size
    try:
        status = procfs.status_of_thread(tid)
    except DebugError:
        status = {}
    pending, blocked = (int(status.get(name, "0"), 16) & (1 << 8 * word) - 1 for name in ("SigPnd", "SigBlk"))
    ids = procfs.ids(process.proc_id())
    head = _STATUS[word].pack(signal, 0, 0, signal, pending, blocked, tid, *ids, *_NO_TIMES)
    return note(b"CORE", NT_PRSTATUS, head + _general_registers(process, tid) + _STATUS_END[word])


def _general_registers(process: LinuxProcess, tid: int) -> bytes:
    """struct user_regs_struct of the program's own width; the tracer has those of a 32-bit program in the wide one."""
    if process.arch.pointer_size == 8:
        return process.read_regset(tid, process.arch.pc.regset)
    by_name = process.arch.by_name
    return b"".join(read_register(process, tid, by_name[name].number) for name in _I386_REGISTERS)


def _more_registers(process: LinuxProcess, tid: int) -> Sequence[bytes]:
    """The whole XSAVE area, and its beginning for readers that know no more."""
    found = []
    for regset in process.arch.regsets:
        if regset.nt_type == NT_X86_XSTATE:
            data = tracer.read_regset(tid, regset.nt_type, XSAVE_ROOM)
            legacy = (b"CORE", NT_FPREGSET) if process.arch.pointer_size == 8 else (b"LINUX", NT_PRXFPREG)
            found.append(note(*legacy, data[:FXSAVE_SIZE]))
            found.append(note(b"LINUX", NT_X86_XSTATE, data))
    return found


def _signal_information(process: LinuxProcess, tid: int) -> bytes:
    signals = process.capability(SignalInfo)
    try:
        return signals.read_siginfo(tid) if signals is not None else b""
    except DebugError:
        return b""  # It did not stop for a signal.


def _process_state(process: LinuxProcess) -> bytes:
    pid = process.proc_id()
    status = procfs.status(pid)
    mask = 0xFFFFFFFF if process.arch.pointer_size == 8 else 0xFFFF
    uid, gid = (int(status.get(name, "0").split()[0]) & mask for name in ("Uid", "Gid"))
    words = " ".join(procfs.arguments(pid)).encode(errors="surrogateescape")
    name = status.get("Name", "").encode(errors="replace")
    return _STATE[process.arch.pointer_size].pack(
        0, b"t", 0, 0, 0, uid, gid, process.pid, *procfs.ids(pid), name[:15], words[:79]
    )


def _mapped_files(regions: Iterable[Region], word: int, page_size: int) -> bytes:
    """Count, page size, (start, end, offset in pages) of each mapping of a file, then the names."""
    mapped = [region for region in regions if region.name.startswith("/")]
    form = {8: "Q", 4: "I"}[word]
    numbers = [len(mapped), page_size]
    for region in mapped:
        numbers += [region.start, region.end, region.offset // page_size]
    names = b"".join(region.name.encode(errors="surrogateescape") + b"\0" for region in mapped)
    return struct.pack(f"<{len(numbers)}{form}", *numbers) + names
