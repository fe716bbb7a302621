"""arm64 under macOS: general, NEON, exception and debug thread states.

Sources: <mach/arm/_structs.h> (ARM_THREAD_STATE64, ARM_NEON_STATE64, ARM_EXCEPTION_STATE64, ARM_DEBUG_STATE64);
gdb manual, "AArch64 Features"; "DWARF for the Arm 64-bit Architecture" (numbers 0 to 31 x0 to sp, 32 pc, 33 mode,
64 to 95 v0 to v31). lldb's names are altnames: fp, lr, q0 to q31; its d and s registers, and w0 to w28, are views.

Where the CPU has pointer authentication, a saved PC, LR, FP or SP may carry a signature above the address.
`strip_pointers` is the one place that takes it away; a backend applies it to each general set that it reads.
"""

from __future__ import annotations

from pydbgserver.arch.mach import DEBUG, EXCEPTION, FLOAT, GENERAL, numbered, numbered_views
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
from pydbgserver.arch.regset import RegSet

# Flavors of <mach/arm/thread_status.h>.
ARM_THREAD_STATE64 = 6
ARM_EXCEPTION_STATE64 = 7
ARM_DEBUG_STATE64 = 15
ARM_NEON_STATE64 = 17

GENERAL_SET = RegSet(GENERAL, ARM_THREAD_STATE64, 272)
NEON_SET = RegSet(FLOAT, ARM_NEON_STATE64, 528)
EXCEPTION_SET = RegSet(EXCEPTION, ARM_EXCEPTION_STATE64, 16, writable=False)
DEBUG_SET = RegSet(DEBUG, ARM_DEBUG_STATE64, 520)
"""For hardware breakpoints; no client sees it."""

BRK = b"\x00\x00\x20\xd4"
"""brk #0; the PC stays on it."""

WATCH_LENGTHS = (1, 2, 4, 8)

_FP, _LR, _SP, _PC, _CPSR = 232, 240, 248, 256, 264
POINTER_OFFSETS = (_FP, _LR, _SP, _PC)
"""Of FP, LR, SP and PC in ARM_THREAD_STATE64: what the CPU or the kernel may have signed."""

SIGN_BIT = 55
"""Which half of the address space a signed pointer is of (Arm ARM, D8.10, AddPAC): it says what is put in its place."""

_CPSR_FLAGS = FlagsType(
    "cpsr_flags",
    4,
    (("SP", 0), ("nRW", 4), ("F", 6), ("I", 7), ("A", 8), ("D", 9), ("SSBS", 12), ("IL", 20), ("SS", 21), ("PAN", 22),
     ("UAO", 23), ("DIT", 24), ("TCO", 25), ("V", 28), ("C", 29), ("Z", 30), ("N", 31)),
)  # fmt: skip

# By width of an element: vectors of v0 to v31 as gdb's aarch64v shows them.
_ELEMENTS = (
    ("vnd", (("f", "v2d", "ieee_double", 2), ("u", "v2u", "uint64", 2), ("s", "v2i", "int64", 2))),
    ("vns", (("f", "v4f", "ieee_single", 4), ("u", "v4u", "uint32", 4), ("s", "v4i", "int32", 4))),
    (
        "vnh",
        (("bf", "v8bf16", "bfloat16", 8), ("f", "v8f", "ieee_half", 8), ("u", "v8u", "uint16", 8),
         ("s", "v8i", "int16", 8)),
    ),
    ("vnb", (("u", "v16u", "uint8", 16), ("s", "v16i", "int8", 16))),
    ("vnq", (("u", "v1u", "uint128", 1), ("s", "v1i", "int128", 1))),
)  # fmt: skip


def _vector_types() -> tuple[RegisterType, ...]:
    vectors = tuple(VectorType(id, element, number) for _, rows in _ELEMENTS for _, id, element, number in rows)
    unions = tuple(UnionType(id, tuple((field, vector) for field, vector, *_ in rows)) for id, rows in _ELEMENTS)
    whole = UnionType("aarch64v", tuple((id[-1], id) for id, _ in _ELEMENTS))
    return (*vectors, *unions, whole)


def _x(number: int) -> Reg:
    argument = f"arg{number + 1}" if number < 8 else None
    return Reg(f"x{number}", 64, GENERAL, 8 * number, generic=argument, dwarf=number, ehframe=number)


def _core() -> Feature:
    registers = (
        *(_x(number) for number in range(29)),
        Reg("x29", 64, GENERAL, _FP, generic="fp", dwarf=29, ehframe=29, altname="fp"),
        Reg("x30", 64, GENERAL, _LR, generic="ra", dwarf=30, ehframe=30, altname="lr"),
        Reg("sp", 64, GENERAL, _SP, "data_ptr", generic="sp", dwarf=31, ehframe=31, altname="xsp"),
        Reg("pc", 64, GENERAL, _PC, "code_ptr", generic="pc", dwarf=32, ehframe=32),
        Reg("cpsr", 32, GENERAL, _CPSR, "cpsr_flags", generic="flags", dwarf=33, ehframe=33, altname="flags"),
    )
    return Feature("org.gnu.gdb.aarch64.core", registers, (_CPSR_FLAGS,))


def _v(number: int) -> Reg:
    return Reg(f"v{number}", 128, FLOAT, 16 * number, "aarch64v", "float", dwarf=64 + number, altname=f"q{number}")


def _neon() -> Feature:
    status = (
        Reg("fpsr", 32, FLOAT, 512, "int", "float", gdb_group="float"),
        Reg("fpcr", 32, FLOAT, 516, "int", "float", gdb_group="float"),
    )
    return Feature("org.gnu.gdb.aarch64.fpu", (*(_v(number) for number in range(32)), *status), _vector_types())


def _exception() -> Feature:
    rows = (("far", 64, 0), ("esr", 32, 8), ("exception", 32, 12))
    return Feature(
        "com.apple.debugserver.exception",
        tuple(Reg(name, bits, EXCEPTION, offset, "int", EXCEPTION, gdb_group="system") for name, bits, offset in rows),
    )


def _view(form: str, number: int, bits: int, type: str) -> Reg:
    container = _v(number) if type.startswith("ieee") else _x(number)
    return Reg(
        form.format(number), bits, container.regset, container.offset, type, container.group, container=container.name
    )


def arm64_mac(hardware_slots: int = 4) -> Arch:
    """arm64 on a Mac whose CPU has `hardware_slots` watchpoint registers (sysctl hw.optional.watchpoint)."""
    features = numbered((_core(), _neon(), _exception()))
    by_name = {register.name: register for feature in features for register in feature.regs}
    core = features[0].regs
    views = (
        *(_view("w{}", number, 32, "int32") for number in range(29)),
        *(_view("s{}", number, 32, "ieee_single") for number in range(32)),
        *(_view("d{}", number, 64, "ieee_double") for number in range(32)),
    )
    return Arch(
        name="arm64",
        gdb_architecture="aarch64",
        llvm_arch="arm64",
        pointer_size=8,
        regsets=(GENERAL_SET, NEON_SET, EXCEPTION_SET),
        features=features,
        pc=by_name["pc"],
        sp=by_name["sp"],
        fp=by_name["x29"],
        flags=by_name["cpsr"],
        expedited=(by_name["x29"], by_name["sp"], by_name["pc"]),
        general=core,
        trap=TrapInstruction(BRK, 0),
        hardware_debug=HardwareDebugInfo(slots=hardware_slots, lengths=WATCH_LENGTHS),
        osabi="Darwin",
        views=numbered_views(features, views),
    )


def strip(pointer: int, addressing_bits: int) -> int:
    """`pointer` without its signature: the bits from `addressing_bits` on become copies of bit 55.

    0 addressing bits: the CPU signs nothing.
    """
    if not addressing_bits:
        return pointer
    low = (1 << addressing_bits) - 1
    return pointer | ~low & (1 << 64) - 1 if pointer >> SIGN_BIT & 1 else pointer & low


def strip_pointers(general: bytes, addressing_bits: int) -> bytes:
    """ARM_THREAD_STATE64 with plain addresses in FP, LR, SP and PC; the very bytes if they are plain."""
    image: bytearray | None = None
    for offset in POINTER_OFFSETS:
        pointer = int.from_bytes(general[offset : offset + 8], "little")
        plain = strip(pointer, addressing_bits)
        if plain != pointer:
            image = bytearray(general) if image is None else image
            image[offset : offset + 8] = plain.to_bytes(8, "little")
    return general if image is None else bytes(image)
