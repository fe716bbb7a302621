"""Views of x86 registers, as lldb is told of them."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from pydbgserver.arch.model import Arch, Reg
from pydbgserver.arch.tdesc import lldb_target_xml, register_info, target_xml
from pydbgserver.arch.x86 import amd64
from pydbgserver.arch.x86_views import views
from tests.unit.arch.machines import AVX, SSE_ONLY

AVX_ARCH = amd64(AVX)
every_arch = pytest.mark.parametrize("arch", [amd64(SSE_ONLY), AVX_ARCH], ids=["sse", "avx"])


def described(arch: Arch) -> dict[str, dict[str, str]]:
    root = ElementTree.fromstring(lldb_target_xml(arch))
    return {row.attrib["name"]: row.attrib for row in root.iter("reg")}


@every_arch
def test_numbers_go_on_after_the_whole_registers(arch: Arch) -> None:
    rows = described(arch)
    assert [int(row["regnum"]) for row in rows.values()] == list(range(len(arch.registers) + len(arch.views)))


@pytest.mark.parametrize(
    ("name", "bits", "offset", "whole"),
    [
        ("eax", 32, 0, "rax"),
        ("ah", 8, 1, "rax"),
        ("sil", 8, 32, "rsi"),
        ("r15w", 16, 120, "r15"),
        ("mm7", 64, 234, "st7"),
    ],
)
def test_a_view_says_where_it_lies(name: str, bits: int, offset: int, whole: str) -> None:
    row = described(AVX_ARCH)[name]
    assert (int(row["bitsize"]), int(row["offset"])) == (bits, offset)
    assert row["value_regnums"] == str(AVX_ARCH.by_name[whole].number)


def test_what_changes_with_a_view_is_named() -> None:
    rows = described(AVX_ARCH)
    by_number = {row["regnum"]: name for name, row in rows.items()}
    assert {by_number[one] for one in rows["bl"]["invalidate_regnums"].split(",")} == {"rbx", "ebx", "bx", "bh"}


def test_a_wide_vector_is_joined_of_its_halves() -> None:
    row = described(AVX_ARCH)["ymm3"]
    halves = [str(AVX_ARCH.by_name[name].number) for name in ("xmm3", "ymm3h")]
    assert row["value_regnums"].split(",") == halves
    assert (row["encoding"], row["bitsize"]) == ("vector", "256")


def test_what_the_cpu_lacks_is_not_there() -> None:
    assert "ymm0" not in described(amd64(SSE_ONLY))
    assert "zmm0" not in described(AVX_ARCH)


def test_gdb_makes_them_itself() -> None:
    assert b'"eax"' not in target_xml(AVX_ARCH)


def test_lists_are_hexadecimal_in_register_info() -> None:
    number = int(described(AVX_ARCH)["cl"]["regnum"])
    info = register_info(AVX_ARCH, number)
    assert info is not None
    pairs = dict(pair.split(":") for pair in info.rstrip(";").split(";"))
    assert pairs["container-regs"] == "2"
    assert f"{int(described(AVX_ARCH)['ch']['regnum']):x}" in pairs["invalidate-regs"].split(",")


def test_a_cpu_of_32_bits() -> None:
    registers = {name: Reg(name, 32, "general", 0) for name in ("eax", "esp")}
    made = {view.name: view for view in views(registers, 100)}
    assert made["ah"].container == "eax"
    assert made["sp"].container == "esp"
    assert {"spl", "eax", "r8d", "mm0"}.isdisjoint(made)
    assert [view.number for view in made.values()] == list(range(100, 100 + len(made)))
