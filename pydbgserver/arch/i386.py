"""32-bit x86 programs under a 64-bit Linux kernel: the low halves of eight of the 64-bit registers.

Sources: as for ``x86_rows``; System V psABI for Intel386, table 2.14 (DWARF numbers, the same in .eh_frame);
syscall(2) and arch/x86/entry/syscalls/syscall_32.tbl. The order of features and registers is gdbserver's.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydbgserver.arch.model import Arch, Feature, SyscallConvention
from pydbgserver.arch.x86_rows import (
    DEBUG_REGISTERS,
    INT3,
    SEGMENT_NAMES,
    USER_OFFSETS,
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
from pydbgserver.arch.xsave import AVX512, OPMASK, ZMM_HIGH, XsaveLayout, xstate_set

_INTEGERS = names("eax ecx edx ebx esp ebp esi edi eip")
_TYPES = {"ebp": "data_ptr", "esp": "data_ptr", "eip": "code_ptr", "eflags": "i386_eflags"}

_ROLES = Roles(
    generic={"eip": "pc", "esp": "sp", "ebp": "fp", "eflags": "flags"},
    dwarf=dwarf_numbers(
        (
            (0, "eax ecx edx ebx esp ebp esi edi eip eflags"),
            (11, "st0 st1 st2 st3 st4 st5 st6 st7"),
            (21, "xmm0 xmm1 xmm2 xmm3 xmm4 xmm5 xmm6 xmm7"),
            (37, "fctrl fstat mxcsr es cs ss ds fs gs"),
            (93, "k0 k1 k2 k3 k4 k5 k6 k7"),
        )
    ),
)


def _stored(name: str) -> str:
    """The 64-bit register whose low half `name` is."""
    return name.replace("e", "r", 1) if name in _INTEGERS else name


def _avx512(xsave: XsaveLayout) -> Iterable[Feature]:
    if xsave.has(*AVX512):
        opmask, zmm_high = xsave.components[OPMASK][0], xsave.components[ZMM_HIGH][0]
        masks = bank(numbered("k{}", 0, 8), 64, "uint64", opmask, 8)
        halves = bank(numbered("zmm{}h", 0, 8), 256, "v2ui128", zmm_high, 32)
        yield Feature("org.gnu.gdb.i386.avx512", masks + halves, (VEC256,))


def _features(xsave: XsaveLayout) -> Iterable[Feature]:
    """In gdbserver's order; names and order are what gdb checks a description against."""
    every = (*_INTEGERS, *SEGMENT_NAMES)
    yield core(tuple(general(name, 32, _TYPES.get(name, "int32"), _stored(name)) for name in every))
    yield sse(8)
    yield Feature("org.gnu.gdb.i386.linux", (general("orig_eax", 32, "int", "orig_rax"),))
    yield from avx(xsave, 8)
    yield from _avx512(xsave)
    yield from pkeys(xsave)


def _offset(name: str) -> int:
    return USER_OFFSETS[_stored(name)]


SYSCALL = SyscallConvention(
    instruction=b"\xcd\x80",
    numbers={"mmap": 192, "munmap": 91},
    number=_offset("eax"),
    result=_offset("eax"),
    restart=USER_OFFSETS["orig_rax"],
    arguments=tuple(_offset(name) for name in names("ebx ecx edx esi edi ebp")),
    width=4,
)
"""``mmap`` is mmap2, whose last argument counts pages."""


def i386(xsave: XsaveLayout) -> Arch:
    """A 32-bit program, with the vector registers that `xsave` has.

    gs_base is for lldb, which finds thread-locals by it; gdb expects none in an i386 description for Linux.
    """
    features = described(_features(xsave), _ROLES)
    by_name = {register.name: register for feature in features for register in feature.regs}
    parts = views(by_name, len(by_name))
    thread_pointer = general("gs_base", 32, "int")._replace(generic="tp", number=len(by_name) + len(parts))
    return Arch(
        name="i386",
        gdb_architecture="i386",
        llvm_arch="i386",
        pointer_size=4,
        regsets=(general_set(), xstate_set(xsave)),
        features=features,
        pc=by_name["eip"],
        sp=by_name["esp"],
        fp=by_name["ebp"],
        flags=by_name["eflags"],
        thread_pointer=thread_pointer,
        expedited=tuple(by_name[name] for name in ("ebp", "esp", "eip")),
        general=tuple(by_name[name] for name in (*_INTEGERS, *SEGMENT_NAMES)),
        trap=INT3,
        hardware_debug=DEBUG_REGISTERS,
        syscall=SYSCALL,
        views=(*parts, thread_pointer),
    )
