"""The 32-bit description, against what gdbserver 13.1 and lldb-server 19 say of the same programs."""

from __future__ import annotations

import struct
import xml.etree.ElementTree as ElementTree

import pytest

from pydbgserver.arch.i386 import i386
from pydbgserver.arch.model import Arch
from pydbgserver.arch.tdesc import lldb_target_xml, register_info, target_xml
from pydbgserver.arch.x86 import amd64, x32
from tests.unit.arch.machines import INTEL_AVX512, LAYOUTS, initial_sets

NARROW = tuple(map(i386, LAYOUTS))
every_arch = pytest.mark.parametrize("arch", NARROW, ids=[hex(layout.xcr0) for layout in LAYOUTS])
SSE_ARCH, AVX_ARCH, AMD_ARCH, INTEL_ARCH = NARROW

# user_regs_struct of <sys/user.h>, x86-64.
USER_REGS = [
    *("r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi"),
    *("orig_rax", "rip", "cs", "eflags", "rsp", "ss", "fs_base", "gs_base", "ds", "es", "fs", "gs"),
]


def parse(arch: Arch) -> ElementTree.Element:
    return ElementTree.fromstring(target_xml(arch))


def names(arch: Arch) -> list[str]:
    return [register.name for register in arch.registers]


@every_arch
def test_numbers_are_indices(arch: Arch) -> None:
    assert [register.number for register in arch.registers] == list(range(len(arch.registers)))
    assert len(arch.by_name) == len(arch.registers)


def test_registers_in_gdbservers_order() -> None:
    assert names(INTEL_ARCH) == [
        *("eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eip", "eflags"),
        *("cs", "ss", "ds", "es", "fs", "gs"),
        *(f"st{index}" for index in range(8)),
        *("fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop"),
        *(f"xmm{index}" for index in range(8)),
        *("mxcsr", "orig_eax"),
        *(f"ymm{index}h" for index in range(8)),
        *(f"k{index}" for index in range(8)),
        *(f"zmm{index}h" for index in range(8)),
        "pkru",
    ]


@pytest.mark.parametrize(("arch", "size"), [(SSE_ARCH, 312), (AVX_ARCH, 440), (AMD_ARCH, 760), (INTEL_ARCH, 764)])
def test_block_sizes(arch: Arch, size: int) -> None:
    assert arch.block_size == size


@every_arch
def test_general_registers_are_the_low_halves_of_the_64_bit_ones(arch: Arch) -> None:
    values = {name: 0xDEAD_0000_0000_1000 + index for index, name in enumerate(USER_REGS)}
    sets = {**initial_sets(arch), "general": struct.pack("<27Q", *values.values())}
    seen = {register.name: int.from_bytes(arch.read(register, sets), "little") for register in arch.general}
    wide = {name: values["r" + name[1:] if name[0] == "e" and name not in ("es", "eflags") else name] for name in seen}
    assert seen == {name: value & 0xFFFFFFFF for name, value in wide.items()}
    assert int.from_bytes(arch.read(arch.by_name["orig_eax"], sets), "little") == values["orig_rax"] & 0xFFFFFFFF


def test_a_write_changes_the_low_half_alone() -> None:
    sets = {**initial_sets(SSE_ARCH), "general": b"\xa5" * 216}
    name, data = SSE_ARCH.write(SSE_ARCH.by_name["ebx"], b"\1\2\3\4", sets)
    assert (name, data) == ("general", b"\xa5" * 40 + b"\1\2\3\4" + b"\xa5" * 172)


def test_features_architecture_and_osabi() -> None:
    prefix = "org.gnu.gdb.i386."
    root = parse(INTEL_ARCH)
    assert (root.findtext("architecture"), root.findtext("osabi")) == ("i386", "GNU/Linux")
    features = [feature.get("name") for feature in root.iter("feature")]
    assert features == [prefix + name for name in ("core", "sse", "linux", "avx", "avx512", "pkeys")]
    assert [feature.get("name") for feature in parse(SSE_ARCH).iter("feature")] == features[:3]


@every_arch
def test_every_type_is_declared_in_its_feature(arch: Arch) -> None:
    known = {"int", "int32", "uint32", "uint64", "uint128", "data_ptr", "code_ptr", "i387_ext"}
    for feature in parse(arch).iter("feature"):
        declared = {element.get("id") for element in feature if element.get("id")}
        assert {row.get("type") for row in feature.iter("reg")} <= declared | known


def test_gdbservers_types() -> None:
    rows = {row.get("name"): row.get("type") for row in parse(INTEL_ARCH).iter("reg")}
    assert {name: rows[name] for name in ("eax", "esp", "ebp", "eip", "eflags", "orig_eax", "k0", "zmm0h")} == {
        "eax": "int32",
        "esp": "data_ptr",
        "ebp": "data_ptr",
        "eip": "code_ptr",
        "eflags": "i386_eflags",
        "orig_eax": "int",
        "k0": "uint64",
        "zmm0h": "v2ui128",
    }


def test_roles_and_dwarf_numbers_for_lldb() -> None:
    rows = list(ElementTree.fromstring(lldb_target_xml(INTEL_ARCH)).iter("reg"))
    assert {row.get("generic"): row.get("name") for row in rows if row.get("generic")} == {
        "pc": "eip",
        "sp": "esp",
        "fp": "ebp",
        "flags": "eflags",
        "tp": "gs_base",
    }
    numbers = {row.get("name"): row.get("dwarf_regnum") for row in rows}
    wanted = {"eax": 0, "ebx": 3, "esp": 4, "eip": 8, "eflags": 9, "st0": 11, "xmm0": 21, "fctrl": 37, "mxcsr": 39}
    wanted |= {"es": 40, "cs": 41, "ss": 42, "ds": 43, "fs": 44, "gs": 45}
    assert {name: numbers[name] for name in wanted} == {name: str(number) for name, number in wanted.items()}


def test_register_info_of_the_pc() -> None:
    assert register_info(INTEL_ARCH, 8) == (
        "name:eip;bitsize:32;offset:32;encoding:uint;format:hex;set:General Purpose Registers;"
        "ehframe:8;dwarf:8;generic:pc;"
    )


def test_expedited_registers() -> None:
    assert [register.name for register in INTEL_ARCH.expedited] == ["ebp", "esp", "eip"]
    assert [register.number for register in INTEL_ARCH.general] == list(range(16))


def test_the_thread_pointer_is_for_lldb_alone() -> None:
    register = INTEL_ARCH.thread_pointer
    assert register is not None
    assert (register.offset, register.width) == (8 * USER_REGS.index("gs_base"), 4)
    assert "gs_base" not in INTEL_ARCH.by_name and b"gs_base" not in target_xml(INTEL_ARCH)
    assert INTEL_ARCH.register(register.number) is register
    sets = {**initial_sets(INTEL_ARCH), "general": struct.pack("<27Q", *range(27))}
    assert INTEL_ARCH.read(register, sets) == USER_REGS.index("gs_base").to_bytes(4, "little")
    assert f"offset:{INTEL_ARCH.block_size + register.offset};" in (register_info(INTEL_ARCH, register.number) or "")
    assert register_info(INTEL_ARCH, register.number + 1) is None


def test_views_of_the_32_bit_registers() -> None:
    views = {view.name: view for view in INTEL_ARCH.views}
    assert {"ax", "ah", "al", "bp", "di", "mm7", "ymm0", "zmm7"} <= set(views)
    assert not {"eax", "bpl", "r8d", "ymm8"} & set(views)
    assert (views["mm0"].dwarf, views["mm0"].container, views["ah"].offset) == (29, "st0", 81)
    assert [view.number for view in INTEL_ARCH.views] == [
        len(INTEL_ARCH.registers) + index for index in range(len(INTEL_ARCH.views))
    ]


def test_how_system_calls_are_made() -> None:
    convention = INTEL_ARCH.syscall
    assert convention is not None
    places = [USER_REGS[offset // 8] for offset in (convention.number, convention.result, convention.restart)]
    assert places == ["rax", "rax", "orig_rax"]
    arguments = [USER_REGS[offset // 8] for offset in convention.arguments]
    assert arguments == ["rbx", "rcx", "rdx", "rsi", "rdi", "rbp"]
    assert (convention.instruction, convention.width) == (b"\xcd\x80", 4)


def test_x32_has_the_registers_of_x86_64_and_other_pointer_types() -> None:
    wide, narrow = amd64(INTEL_AVX512), x32(INTEL_AVX512)
    assert narrow.pointer_size == 4
    assert parse(narrow).findtext("architecture") == "i386:x64-32"
    assert names(narrow) == names(wide) and narrow.block_size == wide.block_size
    changed = {one.name: one.type for one, other in zip(narrow.registers, wide.registers, strict=True) if one != other}
    assert changed == {"rbp": "int64", "rsp": "int64", "rip": "uint64"}
    assert narrow.syscall is not None and narrow.syscall.numbers["mmap"] == 0x40000009
