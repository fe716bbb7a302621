from __future__ import annotations

import struct

import pytest

from pydbgserver.arch.model import Arch
from pydbgserver.arch.x86 import XsaveLayout, amd64
from pydbgserver.errors import MalformedPacket, NoSuchRegister
from tests.unit.arch.machines import AMD_AVX512, ARCHES, INTEL_AVX512, LAYOUTS, SSE_ONLY, initial_sets, with_presence

# user_regs_struct of <sys/user.h>, x86-64.
USER_REGS = [
    *("r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi"),
    *("orig_rax", "rip", "cs", "eflags", "rsp", "ss", "fs_base", "gs_base", "ds", "es", "fs", "gs"),
]

every_arch = pytest.mark.parametrize("arch", ARCHES, ids=[hex(layout.xcr0) for layout in LAYOUTS])
SSE_ARCH, AVX_ARCH, AMD_ARCH, INTEL_ARCH = ARCHES


def integer(arch: Arch, name: str, sets: dict[str, bytes]) -> int:
    return int.from_bytes(arch.read(arch.by_name[name], sets), "little")


def write(arch: Arch, name: str, value: int, sets: dict[str, bytes]) -> dict[str, bytes]:
    register = arch.by_name[name]
    changed, data = arch.write(register, value.to_bytes(register.width, "little"), sets)
    return {**sets, changed: data}


def presence(sets: dict[str, bytes]) -> int:
    return int.from_bytes(sets["xstate"][512:520], "little")


@every_arch
def test_numbers_are_indices(arch: Arch) -> None:
    assert [register.number for register in arch.registers] == list(range(len(arch.registers)))
    assert len(arch.by_name) == len(arch.registers)


@pytest.mark.parametrize(("arch", "size"), [(SSE_ARCH, 560), (AVX_ARCH, 816), (AMD_ARCH, 2416), (INTEL_ARCH, 2420)])
def test_block_sizes(arch: Arch, size: int) -> None:
    assert arch.block_size == size


@every_arch
def test_general_registers_lie_where_the_kernel_puts_them(arch: Arch) -> None:
    values = {name: 0x1000 + index for index, name in enumerate(USER_REGS)}
    sets = {**initial_sets(arch), "general": struct.pack("<27Q", *values.values())}
    assert {name: integer(arch, name, sets) for name in USER_REGS} == values


def test_numbers_of_expedited_registers() -> None:
    assert [register.number for register in AMD_ARCH.expedited] == [6, 7, 16]
    assert [register.number for register in AMD_ARCH.general] == [*range(24), 58, 59]


def test_unknown_numbers() -> None:
    for number in (-1, len(AMD_ARCH.registers) + len(AMD_ARCH.views)):
        with pytest.raises(NoSuchRegister):
            AMD_ARCH.register(number)
    assert AMD_ARCH.register(16) is AMD_ARCH.pc


def test_a_value_of_the_wrong_width_is_refused() -> None:
    with pytest.raises(MalformedPacket, match="rax has 8 bytes, not 4"):
        AMD_ARCH.write(AMD_ARCH.by_name["rax"], bytes(4), initial_sets(AMD_ARCH))


def test_an_absent_component_reads_as_its_initial_state_whatever_its_bytes_say() -> None:
    garbage = with_presence({"general": bytes(216), "xstate": b"\xa5" * AMD_AVX512.size}, 0)
    names = ["fctrl", "fstat", "ftag", "fop", "st0", "xmm0", "mxcsr", "ymm3h", "k1", "zmm0h", "xmm16", "zmm31h"]
    values = {name: integer(AMD_ARCH, name, garbage) for name in names}
    assert values == {**dict.fromkeys(names, 0), "fctrl": 0x37F, "ftag": 0xFFFF, "mxcsr": 0x1F80}


def test_mxcsr_counts_when_sse_or_avx_is_in_use() -> None:
    sets = {"general": bytes(216), "xstate": b"\x11" * AVX_ARCH.regsets[1].size}
    assert [integer(AVX_ARCH, "mxcsr", with_presence(sets, bits)) for bits in (1, 2, 4)] == [
        0x1F80,
        0x11111111,
        0x11111111,
    ]


@pytest.mark.parametrize(
    ("name", "bit"),
    [
        ("st7", 0),
        ("fctrl", 0),
        ("ftag", 0),
        ("fop", 0),
        ("xmm15", 1),
        ("mxcsr", 1),
        ("ymm0h", 2),
        ("k7", 5),
        ("zmm0h", 6),
        ("xmm16", 7),
        ("zmm31h", 7),
        ("pkru", 9),
    ],
)
def test_a_write_brings_its_component_into_use_and_no_other(name: str, bit: int) -> None:
    before = with_presence({"general": bytes(216), "xstate": b"\xa5" * INTEL_AVX512.size}, 0)
    after = write(INTEL_ARCH, name, 1, before)
    assert presence(after) == 1 << bit
    for register in INTEL_ARCH.registers:
        if register.name not in (name, "ftag"):
            assert INTEL_ARCH.read(register, after) == INTEL_ARCH.read(register, before), register.name


def test_a_write_into_unused_state_leaves_defaults_in_the_image() -> None:
    before = with_presence({"general": bytes(216), "xstate": b"\xa5" * SSE_ONLY.size}, 0)
    area = write(SSE_ARCH, "xmm0", 7, before)["xstate"]
    assert struct.unpack_from("<H", area, 0) == (0x37F,)
    assert struct.unpack_from("<I", area, 24) == (0x1F80,)
    assert area[160:176] == (7).to_bytes(16, "little")


def test_writing_the_initial_value_does_not_bring_a_component_into_use() -> None:
    before = initial_sets(AMD_ARCH)
    assert write(AMD_ARCH, "mxcsr", 0x1F80, before) == before
    assert write(AMD_ARCH, "k3", 0, before) == before


def test_x87_control_registers_are_16_bits_seen_as_32() -> None:
    # FCW, FSW, FTW, FOP, FIP, FCS, FDP, FDS of an FXSAVE image (SDM vol. 1, table 10-2).
    image = struct.pack("<HHBxHIHxxIHxx", 0x27F, 0x3800, 0, 0xFFFF, 0x11223344, 0x33, 0x55667788, 0x2B)
    sets = {"general": bytes(216), "xstate": (image + bytes(SSE_ONLY.size))[: SSE_ONLY.size]}
    sets = with_presence(sets, 1)
    names = ["fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop"]
    assert [integer(SSE_ARCH, name, sets) for name in names] == [
        0x27F,
        0x3800,
        0xFFFF,
        0x33,
        0x11223344,
        0x2B,
        0x55667788,
        0x7FF,
    ]
    written = write(SSE_ARCH, "fop", 0xFFFF_F812, sets)
    assert integer(SSE_ARCH, "fop", written) == 0x012
    assert integer(SSE_ARCH, "fctrl", write(SSE_ARCH, "fctrl", 0x1_037F, sets)) == 0x37F


def test_a_tag_word_is_stored_abridged() -> None:
    sets = write(SSE_ARCH, "ftag", 0x3FFF, initial_sets(SSE_ARCH))
    assert sets["xstate"][4] == 0x80
    assert integer(SSE_ARCH, "ftag", sets) == 0x7FFF  # the value in the register is zero: tag 1


def test_zmm_parts_come_from_their_components() -> None:
    area = bytearray(AMD_AVX512.size)
    area[1408 + 64 : 1408 + 128] = bytes(range(64))  # ZMM17, whole
    area[896 + 32 : 896 + 64] = b"\x77" * 32  # upper half of ZMM1
    sets = with_presence({"general": bytes(216), "xstate": bytes(area)}, 0xE7)
    parts = [AMD_ARCH.read(AMD_ARCH.by_name[name], sets) for name in ("xmm17", "ymm17h", "zmm17h", "zmm1h")]
    assert parts == [bytes(range(16)), bytes(range(16, 32)), bytes(range(32, 64)), b"\x77" * 32]


def test_layout_from_cpuid() -> None:
    rows = {
        0: (0x2E7, 2696, 2696, 0),
        2: (256, 576, 0, 0),
        5: (64, 1088, 0, 0),
        6: (512, 1152, 0, 0),
        7: (1024, 1664, 0, 0),
        9: (8, 2688, 0, 0),
    }
    assert XsaveLayout.from_cpuid(lambda leaf, subleaf: rows[subleaf]) == INTEL_AVX512


def test_only_enabled_components_are_asked_for() -> None:
    rows = {0: (0x2E7, 832, 2696, 0), 2: (256, 576, 0, 0)}
    layout = XsaveLayout.from_cpuid(lambda leaf, subleaf: rows[subleaf], xcr0=7)
    assert layout == XsaveLayout(7, 832, {2: (576, 256)})
    assert "k0" not in amd64(layout).by_name
