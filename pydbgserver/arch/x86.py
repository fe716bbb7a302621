"""x86-64 under Linux: general registers (NT_PRSTATUS) and everything in the XSAVE area (NT_X86_XSTATE); and x32,
the same registers under 32-bit pointers.

Sources: as for ``x86_rows``; System V psABI for x86-64, table 3.36 (DWARF numbers, the same in .eh_frame) and A.2.1
(system calls). The order of features and registers is gdbserver's.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydbgserver.arch.model import Arch, Feature, RegisterType, SyscallConvention
from pydbgserver.arch.x86_rows import (
    DEBUG_REGISTERS,
    INT3,
    SEGMENT_NAMES,
    USER_OFFSETS,
    VEC128,
    VEC256,
    Roles,
    avx,
    bank,
    core,
    described,
    dwarf_numbers,
    general,
    general_set,
    names,
    numbered,
    pkeys,
    sse,
)
from pydbgserver.arch.x86_views import views
from pydbgserver.arch.xsave import AVX512, xstate_set
from pydbgserver.arch.xsave import XsaveLayout as XsaveLayout

_INTEGERS = names("rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip")
_TYPES = {"rbp": "data_ptr", "rsp": "data_ptr", "rip": "code_ptr", "eflags": "i386_eflags"}
_X32_TYPES = {"rip": "uint64", "eflags": "i386_eflags"}
"""gdb's pointer types are 32 bits wide there."""

_ROLES = Roles(
    generic={
        "rip": "pc",
        "rsp": "sp",
        "rbp": "fp",
        "eflags": "flags",
        "rdi": "arg1",
        "rsi": "arg2",
        "rdx": "arg3",
        "rcx": "arg4",
        "r8": "arg5",
        "r9": "arg6",
        "fs_base": "tp",
    },
    dwarf=dwarf_numbers(
        (
            (0, "rax rdx rcx rbx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip"),
            (17, "xmm0 xmm1 xmm2 xmm3 xmm4 xmm5 xmm6 xmm7 xmm8 xmm9 xmm10 xmm11 xmm12 xmm13 xmm14 xmm15"),
            (33, "st0 st1 st2 st3 st4 st5 st6 st7"),
            (49, "eflags es cs ss ds fs gs"),
            (58, "fs_base gs_base"),
            (64, "mxcsr fctrl fstat"),
            (67, " ".join(f"xmm{number}" for number in range(16, 32))),
            (118, "k0 k1 k2 k3 k4 k5 k6 k7"),
        )
    ),
    altnames={"eflags": "rflags"},
)

_SYSCALL_INSTRUCTION = b"\x0f\x05"
_SYSCALLS = {"mmap": 9, "munmap": 11}
X32_SYSCALL_BIT = 0x40000000


def _avx512(xsave: XsaveLayout) -> Iterable[Feature]:
    """ZMM16 to ZMM31 are whole (64 bytes each) in one component, the upper halves of ZMM0 to ZMM15 in another."""
    if not xsave.has(*AVX512):
        return
    opmask, zmm_high, zmm16 = (xsave.components[number][0] for number in AVX512)
    types: tuple[RegisterType, ...] = (*VEC128, VEC256)
    regs = (
        bank(numbered("xmm{}", 16, 32), 128, "vec128", zmm16, 64)
        + bank(numbered("ymm{}h", 16, 32), 128, "uint128", zmm16 + 16, 64)
        + bank(numbered("k{}", 0, 8), 64, "uint64", opmask, 8)
        + bank(numbered("zmm{}h", 0, 16), 256, "v2ui128", zmm_high, 32)
        + bank(numbered("zmm{}h", 16, 32), 256, "v2ui128", zmm16 + 32, 64)
    )
    yield Feature("org.gnu.gdb.i386.avx512", regs, types)


def _features(xsave: XsaveLayout, types: dict[str, str]) -> Iterable[Feature]:
    """In gdbserver's order; names and order are what gdb checks a description against."""
    integers = tuple(general(name, 64, types.get(name, "int64")) for name in _INTEGERS)
    narrow = tuple(general(name, 32, types.get(name, "int32")) for name in SEGMENT_NAMES)
    yield core(integers + narrow)
    yield sse(16)
    yield Feature("org.gnu.gdb.i386.linux", (general("orig_rax", 64, "int"),))
    yield Feature("org.gnu.gdb.i386.segments", (general("fs_base", 64, "int"), general("gs_base", 64, "int")))
    yield from avx(xsave, 16)
    yield from _avx512(xsave)
    yield from pkeys(xsave)


def _convention(bit: int) -> SyscallConvention:
    return SyscallConvention(
        instruction=_SYSCALL_INSTRUCTION,
        numbers={name: bit | number for name, number in _SYSCALLS.items()},
        number=USER_OFFSETS["rax"],
        result=USER_OFFSETS["rax"],
        restart=USER_OFFSETS["orig_rax"],
        arguments=tuple(USER_OFFSETS[name] for name in names("rdi rsi rdx r10 r8 r9")),
        width=8,
    )


def _arch(
    xsave: XsaveLayout, name: str, gdb_architecture: str, pointer_size: int, types: dict[str, str], syscall_bit: int
) -> Arch:
    features = described(_features(xsave, types), _ROLES)
    by_name = {register.name: register for feature in features for register in feature.regs}
    return Arch(
        name=name,
        gdb_architecture=gdb_architecture,
        llvm_arch="x86_64",
        pointer_size=pointer_size,
        regsets=(general_set(), xstate_set(xsave)),
        features=features,
        pc=by_name["rip"],
        sp=by_name["rsp"],
        fp=by_name["rbp"],
        flags=by_name["eflags"],
        thread_pointer=by_name["fs_base"],
        expedited=tuple(by_name[name] for name in ("rbp", "rsp", "rip")),
        general=tuple(by_name[name] for name in (*_INTEGERS, *SEGMENT_NAMES, "fs_base", "gs_base")),
        trap=INT3,
        hardware_debug=DEBUG_REGISTERS,
        syscall=_convention(syscall_bit),
        views=views(by_name, len(by_name)),
    )


def amd64(xsave: XsaveLayout) -> Arch:
    """x86-64 with the vector registers that `xsave` has."""
    return _arch(xsave, "amd64", "i386:x86-64", 8, _TYPES, 0)


def x32(xsave: XsaveLayout) -> Arch:
    """x86-64 with 32-bit pointers, for programs of ELF class 32 and machine EM_X86_64."""
    return _arch(xsave, "x32", "i386:x64-32", 4, _X32_TYPES, X32_SYSCALL_BIT)
