"""x86-64 under Linux: general registers (NT_PRSTATUS) and everything in the XSAVE area (NT_X86_XSTATE).

Sources: ``struct user_regs_struct`` of <sys/user.h>; Intel SDM vol. 1, chapter
13 (XSAVE area) and table 10-2 (FXSAVE image); System V psABI for x86-64, table
3.36 (DWARF numbers, the same in .eh_frame); gdb manual, "i386 Features". The
rows are made by functions of a register file, so that i386 can be built from
the same ones with 32-bit names.

The place of a component in the XSAVE area is not the same on every CPU (AMD
packs the AVX-512 parts where Intel leaves room for MPX): it always comes from
CPUID leaf 0DH.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from pydbgserver.arch.fields import Op
from pydbgserver.arch.model import (
    Arch,
    Feature,
    FlagsType,
    HardwareDebugInfo,
    Reg,
    RegisterType,
    TrapInstruction,
    UnionType,
    VectorType,
)
from pydbgserver.arch.regset import Component, RegSet
from pydbgserver.arch.x86_views import views

GENERAL = "general"
XSTATE = "xstate"
NT_PRSTATUS = 1
NT_X86_XSTATE = 0x202

# XCR0 and XSTATE_BV bit numbers (Intel SDM vol. 1, 13.1).
X87, SSE, AVX, OPMASK, ZMM_HIGH, ZMM16_31, PKRU = 0, 1, 2, 5, 6, 7, 9
_AVX512 = (OPMASK, ZMM_HIGH, ZMM16_31)
_EXTENDED = (AVX, *_AVX512, PKRU)

_XSTATE_BV_OFFSET = 512
_LEGACY_SIZE = 576
_MXCSR_OFFSET = 24
_MXCSR_INITIAL = 0x1F80
_FCW_INITIAL = 0x37F


@dataclass(frozen=True)
class XsaveLayout:
    """The XSAVE area of this machine, standard format.

    `xcr0`: the state components that the kernel has enabled. `size`: bytes of
    the whole area. `components`: (offset, size) in bytes by component number,
    for those beyond x87 and SSE.
    """

    xcr0: int
    size: int = _LEGACY_SIZE
    components: Mapping[int, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def from_cpuid(cls, cpuid: Callable[[int, int], Sequence[int]], xcr0: int | None = None) -> XsaveLayout:
        """Ask ``cpuid(leaf, subleaf)`` (eax, ebx, ecx, edx).

        `xcr0`: what is enabled, e.g. from bytes 464 to 471 of NT_X86_XSTATE, where Linux puts it
        (arch/x86/include/asm/user.h); without it, what the CPU supports is taken.
        """
        low, enabled_size, _, high = cpuid(0xD, 0)
        mask = high << 32 | low if xcr0 is None else xcr0
        found = {}
        for component in _EXTENDED:
            if mask >> component & 1:
                size, offset, *_ = cpuid(0xD, component)
                found[component] = (offset, size)
        end = max((offset + size for offset, size in found.values()), default=_LEGACY_SIZE)
        return cls(mask, max(enabled_size, end), found)

    def has(self, *numbers: int) -> bool:
        """Whether all these components are enabled."""
        return all(self.xcr0 >> number & 1 for number in numbers)


def _names(words: str) -> tuple[str, ...]:
    return tuple(words.split())


_USER_REGS = _names(
    "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss "
    "fs_base gs_base ds es fs gs"
)
_USER_OFFSETS = {name: 8 * index for index, name in enumerate(_USER_REGS)}

_CORE64 = _names("rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip")
_CORE32 = _names("eflags cs ss ds es fs gs")
_TYPES = {"rbp": "data_ptr", "rsp": "data_ptr", "rip": "code_ptr", "eflags": "i386_eflags"}
_GENERIC = {
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
}
_ALTNAMES = {"eflags": "rflags"}

_DWARF_ROWS = (
    (0, "rax rdx rcx rbx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip"),
    (17, "xmm0 xmm1 xmm2 xmm3 xmm4 xmm5 xmm6 xmm7 xmm8 xmm9 xmm10 xmm11 xmm12 xmm13 xmm14 xmm15"),
    (33, "st0 st1 st2 st3 st4 st5 st6 st7"),
    (49, "eflags es cs ss ds fs gs"),
    (58, "fs_base gs_base"),
    (64, "mxcsr fctrl fstat"),
    (67, " ".join(f"xmm{number}" for number in range(16, 32))),
    (118, "k0 k1 k2 k3 k4 k5 k6 k7"),
)
_DWARF = {name: first + index for first, names in _DWARF_ROWS for index, name in enumerate(_names(names))}

# (name, offset in the FXSAVE image, op), in gdb's order.
_X87_CONTROL = (
    ("fctrl", 0, Op.ZX),
    ("fstat", 2, Op.ZX),
    ("ftag", 4, Op.FTAG),
    ("fiseg", 12, Op.ZX),
    ("fioff", 8, Op.COPY),
    ("foseg", 20, Op.ZX),
    ("fooff", 16, Op.COPY),
    ("fop", 6, Op.MASK11),
)

_EFLAGS = FlagsType(
    "i386_eflags",
    4,
    (
        ("CF", 0),
        ("", 1),
        ("PF", 2),
        ("AF", 4),
        ("ZF", 6),
        ("SF", 7),
        ("TF", 8),
        ("IF", 9),
        ("DF", 10),
        ("OF", 11),
        ("NT", 14),
        ("RF", 16),
        ("VM", 17),
        ("AC", 18),
        ("VIF", 19),
        ("VIP", 20),
        ("ID", 21),
    ),
)
_MXCSR = FlagsType(
    "i386_mxcsr",
    4,
    (*zip(_names("IE DE ZE OE UE PE DAZ IM DM ZM OM UM PM"), count(), strict=False), ("FZ", 15)),
)
_VEC128 = (
    VectorType("v8bf16", "bfloat16", 8),
    VectorType("v8h", "ieee_half", 8),
    VectorType("v4f", "ieee_single", 4),
    VectorType("v2d", "ieee_double", 2),
    VectorType("v16i8", "int8", 16),
    VectorType("v8i16", "int16", 8),
    VectorType("v4i32", "int32", 4),
    VectorType("v2i64", "int64", 2),
    UnionType(
        "vec128",
        (
            ("v8_bfloat16", "v8bf16"),
            ("v8_half", "v8h"),
            ("v4_float", "v4f"),
            ("v2_double", "v2d"),
            ("v16_int8", "v16i8"),
            ("v8_int16", "v8i16"),
            ("v4_int32", "v4i32"),
            ("v2_int64", "v2i64"),
            ("uint128", "uint128"),
        ),
    ),
)
_VEC256 = VectorType("v2ui128", "uint128", 2)


def _reg(name: str, bits: int, regset: str, offset: int, type: str, group: str = "general", op: Op = Op.COPY) -> Reg:
    return Reg(
        name,
        bits,
        regset,
        offset,
        type,
        group,
        op,
        generic=_GENERIC.get(name),
        dwarf=_DWARF.get(name),
        ehframe=_DWARF.get(name),
        altname=_ALTNAMES.get(name),
    )


def _general(name: str, bits: int, type: str) -> Reg:
    return _reg(name, bits, GENERAL, _USER_OFFSETS[name], type)


def _bank(
    names: Iterable[str], bits: int, type: str, offset: int, stride: int, group: str = "vector"
) -> tuple[Reg, ...]:
    """Registers at equal distances of `stride` bytes in the XSAVE area."""
    return tuple(_reg(name, bits, XSTATE, offset + index * stride, type, group) for index, name in enumerate(names))


def _numbered(form: str, first: int, end: int) -> list[str]:
    return [form.format(number) for number in range(first, end)]


def _core() -> Feature:
    integers = tuple(_general(name, 64, _TYPES.get(name, "int64")) for name in _CORE64)
    narrow = tuple(_general(name, 32, _TYPES.get(name, "int32")) for name in _CORE32)
    stack = _bank(_numbered("st{}", 0, 8), 80, "i387_ext", 32, 16, "float")
    control = tuple(
        replace(_reg(name, 32, XSTATE, offset, "int", "float", op), gdb_group="float")
        for name, offset, op in _X87_CONTROL
    )
    return Feature("org.gnu.gdb.i386.core", integers + narrow + stack + control, (_EFLAGS,))


def _sse(registers: int) -> Feature:
    xmm = _bank(_numbered("xmm{}", 0, registers), 128, "vec128", 160, 16, "float")
    mxcsr = replace(_reg("mxcsr", 32, XSTATE, _MXCSR_OFFSET, "i386_mxcsr", "float"), gdb_group="vector")
    return Feature("org.gnu.gdb.i386.sse", (*xmm, mxcsr), (*_VEC128, _MXCSR))


def _avx(xsave: XsaveLayout, registers: int) -> Feature:
    offset, _ = xsave.components[AVX]
    return Feature("org.gnu.gdb.i386.avx", _bank(_numbered("ymm{}h", 0, registers), 128, "uint128", offset, 16))


def _avx512(xsave: XsaveLayout) -> Feature:
    """ZMM16 to ZMM31 are whole (64 bytes each) in one component, the upper halves of ZMM0 to ZMM15 in another."""
    opmask, zmm_high, zmm16 = (xsave.components[number][0] for number in _AVX512)
    types: tuple[RegisterType, ...] = (*_VEC128, _VEC256)
    regs = (
        _bank(_numbered("xmm{}", 16, 32), 128, "vec128", zmm16, 64)
        + _bank(_numbered("ymm{}h", 16, 32), 128, "uint128", zmm16 + 16, 64)
        + _bank(_numbered("k{}", 0, 8), 64, "uint64", opmask, 8)
        + _bank(_numbered("zmm{}h", 0, 16), 256, "v2ui128", zmm_high, 32)
        + _bank(_numbered("zmm{}h", 16, 32), 256, "v2ui128", zmm16 + 32, 64)
    )
    return Feature("org.gnu.gdb.i386.avx512", regs, types)


def _features(xsave: XsaveLayout) -> Iterable[Feature]:
    """In gdbserver's order; names and order are what gdb checks a description against."""
    yield _core()
    yield _sse(16)
    yield Feature("org.gnu.gdb.i386.linux", (_general("orig_rax", 64, "int"),))
    yield Feature("org.gnu.gdb.i386.segments", (_general("fs_base", 64, "int"), _general("gs_base", 64, "int")))
    if xsave.has(AVX):
        yield _avx(xsave, 16)
    if xsave.has(*_AVX512):
        yield _avx512(xsave)
    if xsave.has(PKRU):
        yield Feature("org.gnu.gdb.i386.pkeys", _bank(("pkru",), 32, "uint32", xsave.components[PKRU][0], 4, "general"))


def _numbering(features: Iterable[Feature]) -> tuple[Feature, ...]:
    numbers = count()
    return tuple(
        replace(feature, regs=tuple(replace(register, number=next(numbers)) for register in feature.regs))
        for feature in features
    )


def _xstate(xsave: XsaveLayout) -> RegSet:
    """MXCSR counts when SSE or AVX is in use (Intel SDM vol. 1, 13.7); setting SSE is enough to have it loaded."""
    sse = 1 << SSE
    components = [
        Component(1 << X87, 1 << X87, ((0, _MXCSR_OFFSET), (32, 128))),
        Component(sse | 1 << AVX, sse, ((_MXCSR_OFFSET, 4),)),
        Component(sse, sse, ((160, 256),)),
    ]
    components += (Component(1 << number, 1 << number, (span,)) for number, span in xsave.components.items())
    initial = bytearray(xsave.size)
    initial[0:2] = _FCW_INITIAL.to_bytes(2, "little")
    initial[_MXCSR_OFFSET : _MXCSR_OFFSET + 4] = _MXCSR_INITIAL.to_bytes(4, "little")
    return RegSet(XSTATE, NT_X86_XSTATE, xsave.size, _XSTATE_BV_OFFSET, tuple(components), bytes(initial))


def amd64(xsave: XsaveLayout) -> Arch:
    """x86-64 with the vector registers that `xsave` has."""
    features = _numbering(_features(xsave))
    by_name = {register.name: register for feature in features for register in feature.regs}
    return Arch(
        name="amd64",
        gdb_architecture="i386:x86-64",
        llvm_arch="x86_64",
        pointer_size=8,
        regsets=(RegSet(GENERAL, NT_PRSTATUS, 8 * len(_USER_REGS)), _xstate(xsave)),
        features=features,
        pc=by_name["rip"],
        sp=by_name["rsp"],
        fp=by_name["rbp"],
        flags=by_name["eflags"],
        expedited=tuple(by_name[name] for name in ("rbp", "rsp", "rip")),
        general=tuple(by_name[name] for name in (*_CORE64, *_CORE32, "fs_base", "gs_base")),
        trap=TrapInstruction(b"\xcc", 1),
        hardware_debug=HardwareDebugInfo(slots=4, lengths=(1, 2, 4, 8)),
        syscall_instruction=b"\x0f\x05",
        syscalls={"mmap": 9, "munmap": 11},
        views=views(by_name, len(by_name)),
    )
