"""Rows and features that the register files of x86 share, without numbers and roles; `described` adds those.

Sources: ``struct user_regs_struct`` of <sys/user.h>; Intel SDM vol. 1, table
10-2 (FXSAVE image); gdb manual, "i386 Features".

The general set is the 64-bit structure for 32-bit programs too: what
PTRACE_GETREGS gives a 64-bit tracer does not depend on the mode in which the
thread runs (arch/x86/kernel/ptrace.c, arch_ptrace), while PTRACE_GETREGSET
goes by the code segment of the moment, which a program may change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count

from pydbgserver.arch.fields import Op
from pydbgserver.arch.model import Feature, FlagsType, HardwareDebugInfo, Reg, TrapInstruction, UnionType, VectorType
from pydbgserver.arch.regset import RegSet
from pydbgserver.arch.xsave import AVX, MXCSR_OFFSET, PKRU, XSTATE, XsaveLayout

GENERAL = "general"
NT_PRSTATUS = 1


def names(words: str) -> tuple[str, ...]:
    """The words."""
    return tuple(words.split())


USER_REGS = names(
    "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss "
    "fs_base gs_base ds es fs gs"
)
USER_OFFSETS = {name: 8 * index for index, name in enumerate(USER_REGS)}
SEGMENT_NAMES = names("eflags cs ss ds es fs gs")

# (name, offset in the FXSAVE image, op), in gdb's order.
X87_CONTROL = (
    ("fctrl", 0, Op.ZX),
    ("fstat", 2, Op.ZX),
    ("ftag", 4, Op.FTAG),
    ("fiseg", 12, Op.ZX),
    ("fioff", 8, Op.COPY),
    ("foseg", 20, Op.ZX),
    ("fooff", 16, Op.COPY),
    ("fop", 6, Op.MASK11),
)

EFLAGS = FlagsType(
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
MXCSR = FlagsType(
    "i386_mxcsr",
    4,
    (*zip(names("IE DE ZE OE UE PE DAZ IM DM ZM OM UM PM"), count(), strict=False), ("FZ", 15)),
)
VEC128 = (
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
VEC256 = VectorType("v2ui128", "uint128", 2)


@dataclass(frozen=True, slots=True)
class Roles:
    """What a register's name means to lldb: `generic` roles, `dwarf` numbers, the same in .eh_frame, other names."""

    generic: Mapping[str, str]
    dwarf: Mapping[str, int]
    altnames: Mapping[str, str] = field(default_factory=dict)


def dwarf_numbers(rows: Iterable[tuple[int, str]]) -> dict[str, int]:
    """(first number, names in sequence) -> number by name."""
    return {name: first + index for first, words in rows for index, name in enumerate(names(words))}


def described(features: Iterable[Feature], roles: Roles) -> tuple[Feature, ...]:
    """The features with their registers numbered in sequence and given their roles."""
    numbers = count()

    def finish(register: Reg) -> Reg:
        name = register.name
        dwarf = roles.dwarf.get(name)
        return register._replace(
            number=next(numbers),
            generic=roles.generic.get(name),
            dwarf=dwarf,
            ehframe=dwarf,
            altname=roles.altnames.get(name),
        )

    return tuple(feature._replace(regs=tuple(map(finish, feature.regs))) for feature in features)


def general(name: str, bits: int, type: str, stored: str = "") -> Reg:
    """A general register, stored where ``user_regs_struct`` has `stored` (its own name unless given)."""
    return Reg(name, bits, GENERAL, USER_OFFSETS[stored or name], type)


def bank(
    registers: Iterable[str], bits: int, type: str, offset: int, stride: int, group: str = "vector"
) -> tuple[Reg, ...]:
    """Registers at equal distances of `stride` bytes in the XSAVE area."""
    return tuple(Reg(name, bits, XSTATE, offset + index * stride, type, group) for index, name in enumerate(registers))


def numbered(form: str, first: int, end: int) -> list[str]:
    """`form` with each number from `first` to before `end`."""
    return [form.format(number) for number in range(first, end)]


def core(integers: tuple[Reg, ...]) -> Feature:
    """The integer registers, and the x87 ones, which are the same everywhere."""
    stack = bank(numbered("st{}", 0, 8), 80, "i387_ext", 32, 16, "float")
    control = tuple(
        Reg(name, 32, XSTATE, offset, "int", "float", op, gdb_group="float") for name, offset, op in X87_CONTROL
    )
    return Feature("org.gnu.gdb.i386.core", integers + stack + control, (EFLAGS,))


def sse(registers: int) -> Feature:
    """XMM registers from 0 on, and MXCSR."""
    xmm = bank(numbered("xmm{}", 0, registers), 128, "vec128", 160, 16, "float")
    mxcsr = Reg("mxcsr", 32, XSTATE, MXCSR_OFFSET, "i386_mxcsr", "float", gdb_group="vector")
    return Feature("org.gnu.gdb.i386.sse", (*xmm, mxcsr), (*VEC128, MXCSR))


def avx(xsave: XsaveLayout, registers: int) -> Iterable[Feature]:
    """The upper halves of YMM registers, where the CPU has them."""
    if xsave.has(AVX):
        offset, _ = xsave.components[AVX]
        yield Feature("org.gnu.gdb.i386.avx", bank(numbered("ymm{}h", 0, registers), 128, "uint128", offset, 16))


def pkeys(xsave: XsaveLayout) -> Iterable[Feature]:
    """PKRU, where the CPU has it."""
    if xsave.has(PKRU):
        yield Feature("org.gnu.gdb.i386.pkeys", bank(("pkru",), 32, "uint32", xsave.components[PKRU][0], 4, "general"))


def general_set() -> RegSet:
    """The general registers as the kernel transfers them."""
    return RegSet(GENERAL, NT_PRSTATUS, 8 * len(USER_REGS))


INT3 = TrapInstruction(b"\xcc", 1)
DEBUG_REGISTERS = HardwareDebugInfo(slots=4, lengths=(1, 2, 4, 8))
