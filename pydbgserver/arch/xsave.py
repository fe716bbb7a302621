"""The XSAVE area (NT_X86_XSTATE): where each state component lies in it, and the register set made of them.

Sources: Intel SDM vol. 1, chapter 13 (XSAVE area) and table 10-2 (FXSAVE image).

The place of a component in the XSAVE area is not the same on every CPU (AMD
packs the AVX-512 parts where Intel leaves room for MPX): it always comes from
CPUID leaf 0DH.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydbgserver.arch.regset import Component, RegSet

XSTATE = "xstate"
NT_X86_XSTATE = 0x202

# XCR0 and XSTATE_BV bit numbers (Intel SDM vol. 1, 13.1).
X87, SSE, AVX, OPMASK, ZMM_HIGH, ZMM16_31, PKRU = 0, 1, 2, 5, 6, 7, 9
AVX512 = (OPMASK, ZMM_HIGH, ZMM16_31)
_EXTENDED = (AVX, *AVX512, PKRU)

_XSTATE_BV_OFFSET = 512
_LEGACY_SIZE = 576
MXCSR_OFFSET = 24
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

    def plain(self) -> XsaveLayout:
        """The same area with x87 and SSE alone."""
        return replace(self, xcr0=self.xcr0 & (1 << X87 | 1 << SSE), components={})

    def has(self, *numbers: int) -> bool:
        """Whether all these components are enabled."""
        return all(self.xcr0 >> number & 1 for number in numbers)


def xstate_set(xsave: XsaveLayout) -> RegSet:
    """MXCSR counts when SSE or AVX is in use (Intel SDM vol. 1, 13.7); setting SSE is enough to have it loaded."""
    sse = 1 << SSE
    components = [
        Component(1 << X87, 1 << X87, ((0, MXCSR_OFFSET), (32, 128))),
        Component(sse | 1 << AVX, sse, ((MXCSR_OFFSET, 4),)),
        Component(sse, sse, ((160, 256),)),
    ]
    components += (Component(1 << number, 1 << number, (span,)) for number, span in xsave.components.items())
    initial = bytearray(xsave.size)
    initial[0:2] = _FCW_INITIAL.to_bytes(2, "little")
    initial[MXCSR_OFFSET : MXCSR_OFFSET + 4] = _MXCSR_INITIAL.to_bytes(4, "little")
    return RegSet(XSTATE, NT_X86_XSTATE, xsave.size, _XSTATE_BV_OFFSET, tuple(components), bytes(initial))
