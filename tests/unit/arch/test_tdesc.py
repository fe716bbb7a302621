from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from pydbgserver.arch.model import Arch
from pydbgserver.arch.tdesc import register_info, target_xml
from tests.unit.arch.machines import ARCHES, LAYOUTS

every_arch = pytest.mark.parametrize("arch", ARCHES, ids=[hex(layout.xcr0) for layout in LAYOUTS])
AMD_ARCH = ARCHES[2]


def parse(arch: Arch) -> ElementTree.Element:
    return ElementTree.fromstring(target_xml(arch))


@every_arch
def test_document(arch: Arch) -> None:
    root = parse(arch)
    assert (root.tag, root.get("version")) == ("target", "1.0")
    assert root.findtext("architecture") == "i386:x86-64"
    assert root.findtext("osabi") == "GNU/Linux"
    assert b"include" not in target_xml(arch)


@every_arch
def test_registers_come_in_block_order_with_the_blocks_size(arch: Arch) -> None:
    rows = list(parse(arch).iter("reg"))
    assert [row.get("regnum") for row in rows] == [str(number) for number in range(len(arch.registers))]
    assert sum(int(row.get("bitsize", "0")) for row in rows) == 8 * arch.block_size


@every_arch
def test_every_type_is_declared_in_its_feature(arch: Arch) -> None:
    known = {"int", "int32", "int64", "uint32", "uint64", "uint128", "data_ptr", "code_ptr", "i387_ext"}
    for feature in parse(arch).iter("feature"):
        declared = {element.get("id") for element in feature if element.get("id")}
        assert {row.get("type") for row in feature.iter("reg")} <= declared | known


def test_features_in_gdbservers_order() -> None:
    prefix = "org.gnu.gdb.i386."
    names = [feature.get("name") for feature in parse(ARCHES[3]).iter("feature")]
    assert names == [prefix + name for name in ("core", "sse", "linux", "segments", "avx", "avx512", "pkeys")]


def test_roles_for_lldb() -> None:
    roles = {row.get("generic"): row.get("name") for row in parse(AMD_ARCH).iter("reg") if row.get("generic")}
    assert roles == {
        "pc": "rip",
        "sp": "rsp",
        "fp": "rbp",
        "flags": "eflags",
        "arg1": "rdi",
        "arg2": "rsi",
        "arg3": "rdx",
        "arg4": "rcx",
        "arg5": "r8",
        "arg6": "r9",
        "tp": "fs_base",
    }


def test_gdb_groups_are_given_where_the_type_misleads() -> None:
    groups = {row.get("name"): row.get("group") for row in parse(AMD_ARCH).iter("reg") if row.get("group")}
    assert groups.pop("mxcsr") == "vector"
    assert set(groups) == {"fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop"}
    assert set(groups.values()) == {"float"}


@every_arch
def test_group_ids_are_declared(arch: Arch) -> None:
    root = parse(arch)
    assert {row.get("group_id") for row in root.iter("reg")} <= {group.get("id") for group in root.iter("group")}


def test_the_document_is_made_once() -> None:
    assert target_xml(AMD_ARCH) is target_xml(AMD_ARCH)


def test_register_info_of_the_pc() -> None:
    assert register_info(AMD_ARCH, 16) == (
        "name:rip;bitsize:64;offset:128;encoding:uint;format:hex;set:General Purpose Registers;"
        "ehframe:16;dwarf:16;generic:pc;"
    )


def test_register_info_of_a_vector() -> None:
    assert register_info(AMD_ARCH, AMD_ARCH.by_name["xmm1"].number) == (
        "name:xmm1;bitsize:128;offset:292;encoding:vector;format:vector-uint8;set:Floating Point Registers;"
        "ehframe:18;dwarf:18;"
    )


def test_register_info_ends() -> None:
    assert register_info(AMD_ARCH, 17) is not None
    assert register_info(AMD_ARCH, len(AMD_ARCH.registers) + len(AMD_ARCH.views)) is None
    assert register_info(AMD_ARCH, -1) is None
