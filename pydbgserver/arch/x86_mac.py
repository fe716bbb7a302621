"""x86-64 under macOS: the same registers as elsewhere, in the places that Mach thread states give them.

Source: <mach/i386/_structs.h>. x86_THREAD_STATE64 is 21 words of 8 bytes. The float state is an FXSAVE image behind
8 reserved bytes; the AVX state goes on with the upper halves of YMM0 to YMM15, the AVX-512 state with the mask
registers, the upper halves of ZMM0 to ZMM15 and ZMM16 to ZMM31. All of it is always there: no part is marked unused.

The rows are those of ``x86.py``, moved: where a Linux register set has no counterpart, the register goes. ss, ds and es
are in no state that every thread has, but gdb wants them; 64-bit code does not look at them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from pydbgserver.arch.mach import DEBUG, EXCEPTION, FIXED, FLOAT, GENERAL, fixed_set, numbered
from pydbgserver.arch.model import Arch, Feature, Reg
from pydbgserver.arch.regset import RegSet
from pydbgserver.arch.x86 import amd64
from pydbgserver.arch.x86_views import views
from pydbgserver.arch.xsave import AVX, OPMASK, SSE, X87, XSTATE, ZMM16_31, ZMM_HIGH, XsaveLayout

# Flavors of <mach/i386/thread_status.h>.
X86_THREAD_STATE64 = 4
X86_FLOAT_STATE64 = 5
X86_EXCEPTION_STATE64 = 6
X86_DEBUG_STATE64 = 11
X86_AVX_STATE64 = 17
X86_AVX512_STATE64 = 20

LEVELS = {
    "sse": (X86_FLOAT_STATE64, 524),
    "avx": (X86_AVX_STATE64, 844),
    "avx512": (X86_AVX512_STATE64, 2444),
}
"""What the CPU and the kernel have (sysctl hw.optional.avx1_0 and avx512f): flavor and size of the float state."""

GENERAL_SET = RegSet(GENERAL, X86_THREAD_STATE64, 168)
EXCEPTION_SET = RegSet(EXCEPTION, X86_EXCEPTION_STATE64, 16, writable=False)
DEBUG_SET = RegSet(DEBUG, X86_DEBUG_STATE64, 64)
"""DR0 to DR7, for hardware breakpoints; no client sees it."""

_GENERAL_NAMES = (
    *("rax", "rbx", "rcx", "rdx", "rdi", "rsi", "rbp", "rsp"),
    *(f"r{number}" for number in range(8, 16)),
    *("rip", "eflags", "cs", "fs", "gs"),
)
_GENERAL_OFFSETS = {name: 8 * index for index, name in enumerate(_GENERAL_NAMES)}
_FIXED_NAMES = ("ss", "ds", "es")

_FXSAVE = 8
"""Where the FXSAVE image begins in each float state."""

# The same places counted from the FXSAVE image, as an XSAVE layout has them.
_COMPONENTS = {
    AVX: (588 - _FXSAVE, 256),
    OPMASK: (844 - _FXSAVE, 64),
    ZMM_HIGH: (908 - _FXSAVE, 512),
    ZMM16_31: (1420 - _FXSAVE, 1024),
}
_LEVEL_COMPONENTS = {"sse": (), "avx": (AVX,), "avx512": tuple(_COMPONENTS)}

_EXCEPTION_ROWS = (("trapno", 32, 0), ("err", 32, 4), ("faultvaddr", 64, 8))
"""In debugserver's terms: trapno is 16 bits of it and the processor's number above."""


def _rows(level: str) -> Arch:
    components = _LEVEL_COMPONENTS[level]
    mask = sum(1 << number for number in (X87, SSE, *components))
    return amd64(XsaveLayout(mask, components={number: _COMPONENTS[number] for number in components}))


def _moved(register: Reg) -> Reg | None:
    if register.regset == XSTATE:
        return register._replace(regset=FLOAT, offset=register.offset + _FXSAVE)
    if register.name in _GENERAL_OFFSETS:
        return register._replace(regset=GENERAL, offset=_GENERAL_OFFSETS[register.name])
    if register.name in _FIXED_NAMES:
        return register._replace(regset=FIXED, offset=4 * _FIXED_NAMES.index(register.name))
    return None


def _features(level: str) -> Iterator[Feature]:
    for feature in _rows(level).features:
        moved = tuple(register for register in map(_moved, feature.regs) if register is not None)
        if moved:
            yield feature._replace(regs=moved)
    yield Feature(
        "com.apple.debugserver.exception",
        tuple(
            Reg(name, bits, EXCEPTION, offset, "int", EXCEPTION, gdb_group="system")
            for name, bits, offset in _EXCEPTION_ROWS
        ),
    )


@cache
def x86_64_mac(level: str) -> Arch:
    """x86-64 on a Mac; `level` is a key of `LEVELS`."""
    flavor, size = LEVELS[level]
    features = numbered(_features(level))
    by_name = {register.name: register for feature in features for register in feature.regs}
    base = _rows(level)
    return replace(
        base,
        regsets=(GENERAL_SET, RegSet(FLOAT, flavor, size), EXCEPTION_SET, fixed_set(4 * len(_FIXED_NAMES))),
        features=features,
        pc=by_name["rip"],
        sp=by_name["rsp"],
        fp=by_name["rbp"],
        flags=by_name["eflags"],
        expedited=tuple(by_name[register.name] for register in base.expedited),
        general=tuple(by_name[register.name] for register in base.general if register.name in _GENERAL_OFFSETS),
        syscall=None,
        thread_pointer=None,
        osabi="Darwin",
        views=views(by_name, len(by_name)),
    )
