"""CPU descriptions with which the tests of this folder work: XSAVE layouts as real CPUs have them."""

from __future__ import annotations

from collections.abc import Mapping

from pydbgserver.arch.model import Arch
from pydbgserver.arch.x86 import XsaveLayout, amd64

SSE_ONLY = XsaveLayout(xcr0=0b11)
AVX = XsaveLayout(xcr0=0b111, size=832, components={2: (576, 256)})
# AMD Zen 4 packs the components, Intel Skylake-X leaves room for MPX and has PKRU.
AMD_AVX512 = XsaveLayout(xcr0=0xE7, size=2432, components={2: (576, 256), 5: (832, 64), 6: (896, 512), 7: (1408, 1024)})
INTEL_AVX512 = XsaveLayout(
    xcr0=0x2E7,
    size=2696,
    components={2: (576, 256), 5: (1088, 64), 6: (1152, 512), 7: (1664, 1024), 9: (2688, 8)},
)
LAYOUTS = (SSE_ONLY, AVX, AMD_AVX512, INTEL_AVX512)
ARCHES = tuple(amd64(layout) for layout in LAYOUTS)


def initial_sets(arch: Arch) -> dict[str, bytes]:
    """Register sets of a process that has not used anything yet: all zero, no component present."""
    return {regset.name: bytes(regset.size) for regset in arch.regsets}


def with_presence(sets: Mapping[str, bytes], presence: int) -> dict[str, bytes]:
    """The same sets with another XSTATE_BV."""
    area = bytearray(sets["xstate"])
    area[512:520] = presence.to_bytes(8, "little")
    return {**sets, "xstate": bytes(area)}
