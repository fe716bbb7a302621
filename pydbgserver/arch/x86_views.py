"""Views of x86 registers: EAX in RAX, MM0 in ST0, YMM0 in XMM0 and the register of its upper half.

gdb makes them itself from what a target description has. lldb does so only when it knows the CPU before it reads the
description (ABIX86::AugmentRegisterInfo), which it does not when it attaches without a program; lldb-server lists them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count

from pydbgserver.arch.model import Reg

_WITH_HIGH_BYTE = "abcd"
_POINTERS = ("bp", "sp", "si", "di")
_FIRST_MM_DWARF = {True: 41, False: 29}
"""System V psABI for x86-64, table 3.36, and for Intel386, table 2.14."""

_Row = tuple[str, int, int, tuple[str, ...]]
"""Name, bits, offset in bytes, the registers in which it lies from the lowest byte up."""


def views(registers: Mapping[str, Reg], first: int) -> tuple[Reg, ...]:
    """The views of those of `registers` (by name) that have some, widest first, numbered from `first` on."""
    wide = "rax" in registers
    rows = (row for row in (*_general(wide=wide), *_vectors(), *_mmx()) if registers.keys() >= {*row[3]})
    numbers = count(first)
    first_mm = _FIRST_MM_DWARF[wide]
    return tuple(_view(registers, row, next(numbers), first_mm) for row in sorted(rows, key=lambda row: -row[1]))


def _view(registers: Mapping[str, Reg], row: _Row, number: int, first_mm: int) -> Reg:
    name, bits, offset, places = row
    whole = registers[places[0]]
    dwarf = first_mm + int(name[2:]) if name.startswith("mm") else None
    return Reg(
        name,
        bits,
        whole.regset,
        whole.offset + offset,
        f"int{bits}" if bits <= 64 else "v2ui128",
        "vector" if len(places) > 1 else whole.group,
        dwarf=dwarf,
        ehframe=dwarf,
        number=number,
        container=whole.name,
        joined=places if len(places) > 1 else (),
    )


def _general(*, wide: bool) -> Iterator[_Row]:
    """Intel SDM vol. 1, 3.4.1 and table 3-2, whose names of the lowest bytes of R8 to R15 lldb uses."""
    for letter in _WITH_HIGH_BYTE:
        whole = (f"{'r' if wide else 'e'}{letter}x",)
        yield f"e{letter}x", 32, 0, whole if wide else ("",)
        yield f"{letter}x", 16, 0, whole
        yield f"{letter}h", 8, 1, whole
        yield f"{letter}l", 8, 0, whole
    for name in _POINTERS:
        whole = (f"{'r' if wide else 'e'}{name}",)
        yield f"e{name}", 32, 0, whole if wide else ("",)
        yield name, 16, 0, whole
        yield f"{name}l", 8, 0, whole if wide else ("",)
    for number in range(8, 16):
        for suffix, bits in (("d", 32), ("w", 16), ("l", 8)):
            yield f"r{number}{suffix}", bits, 0, (f"r{number}",)


def _vectors() -> Iterator[_Row]:
    for number in range(32):
        halves = (f"xmm{number}", f"ymm{number}h")
        yield f"ymm{number}", 256, 0, halves
        yield f"zmm{number}", 512, 0, (*halves, f"zmm{number}h")


def _mmx() -> Iterator[_Row]:
    for number in range(8):
        yield f"mm{number}", 64, 0, (f"st{number}",)
