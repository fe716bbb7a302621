from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pydbgserver.arch.arm64 import arm64_mac, strip, strip_pointers
from pydbgserver.arch.tdesc import lldb_target_xml, register_info, target_xml
from pydbgserver.errors import NoSuchRegister

ARCH = arm64_mac()


def sets() -> dict[str, bytes]:
    """Each byte of each set is different from its neighbours."""
    return {one.name: bytes(index * 7 % 251 for index in range(one.size)) for one in ARCH.regsets}


def test_sizes_are_those_of_the_thread_states() -> None:
    # ARM_THREAD_STATE64_COUNT 68, ARM_NEON_STATE64_COUNT 132, ARM_EXCEPTION_STATE64_COUNT 4, all in words of 4 bytes.
    assert {one.nt_type: one.size // 4 for one in ARCH.regsets} == {6: 68, 17: 132, 7: 4}


@pytest.mark.parametrize(
    ("name", "regset", "offset", "bits"),
    [
        ("x0", "general", 0, 64),
        ("x28", "general", 224, 64),
        ("x29", "general", 232, 64),
        ("x30", "general", 240, 64),
        ("sp", "general", 248, 64),
        ("pc", "general", 256, 64),
        ("cpsr", "general", 264, 32),
        ("v0", "float", 0, 128),
        ("v31", "float", 496, 128),
        ("fpsr", "float", 512, 32),
        ("fpcr", "float", 516, 32),
        ("far", "exception", 0, 64),
        ("esr", "exception", 8, 32),
        ("exception", "exception", 12, 32),
    ],
)
def test_places(name: str, regset: str, offset: int, bits: int) -> None:
    register = ARCH.by_name[name]
    assert (register.regset, register.offset, register.bits) == (regset, offset, bits)


def test_gdbs_order_and_numbers() -> None:
    names = [register.name for register in ARCH.registers]
    assert names[:34] == [*(f"x{number}" for number in range(31)), "sp", "pc", "cpsr"]
    assert names[34:68] == [*(f"v{number}" for number in range(32)), "fpsr", "fpcr"]
    assert [register.number for register in ARCH.registers] == list(range(len(names)))


def test_the_block_and_back() -> None:
    block = ARCH.pack_block(sets())
    assert len(block) == ARCH.block_size == 34 * 8 - 4 + 32 * 16 + 8 + 16
    changed = ARCH.unpack_block(bytes(len(block)), sets())
    assert set(changed) == {"general", "float", "exception"}
    assert changed["float"][:520] == bytes(520)


def test_views_show_the_lowest_bytes_of_their_register() -> None:
    views = {view.name: view for view in ARCH.views}
    assert len(views) == 29 + 32 + 32
    for view, register in (("w3", "x3"), ("s7", "v7"), ("d31", "v31")):
        whole = ARCH.read(ARCH.by_name[register], sets())
        assert ARCH.read(views[view], sets()) == whole[: views[view].width]
    name, data = ARCH.write(views["d1"], b"ABCDEFGH", sets())
    assert (name, data[16:32]) == ("float", b"ABCDEFGH" + sets()["float"][24:32])


def test_views_are_numbered_after_the_registers() -> None:
    first = len(ARCH.registers)
    assert ARCH.register(first).name == "w0"
    assert ARCH.register(first + len(ARCH.views) - 1).name == "d31"
    with pytest.raises(NoSuchRegister):
        ARCH.register(first + len(ARCH.views))


def test_views_are_lldbs_only() -> None:
    gdb = ElementTree.fromstring(target_xml(ARCH))
    lldb = ElementTree.fromstring(lldb_target_xml(ARCH))
    assert "d0" not in {row.get("name") for row in gdb.iter("reg")}
    rows = {row.get("name"): row for row in lldb.iter("reg")}
    v0, s0, d0 = rows["v0"], rows["s0"], rows["d0"]
    assert d0.get("value_regnums") == v0.get("regnum")
    assert d0.get("invalidate_regnums") == f"{v0.get('regnum')},{s0.get('regnum')}"
    assert (d0.get("encoding"), d0.get("format"), v0.get("encoding")) == ("ieee754", "float", "vector")
    assert (v0.get("altname"), v0.get("value_regnums")) == ("q0", None)
    assert rows["x29"].get("altname") == "fp" and rows["x30"].get("generic") == "ra"


def test_register_information_of_a_view_is_hexadecimal() -> None:
    view = next(view for view in ARCH.views if view.name == "d5")
    text = register_info(ARCH, view.number)
    assert text is not None
    v5 = ARCH.by_name["v5"].number
    s5 = next(one.number for one in ARCH.views if one.name == "s5")
    assert f"offset:{ARCH.block_offsets[v5]};" in text
    assert text.endswith(f"container-regs:{v5:x};invalidate-regs:{v5:x},{s5:x};")
    assert register_info(ARCH, len(ARCH.registers) + len(ARCH.views)) is None


def test_description_for_gdb() -> None:
    root = ElementTree.fromstring(target_xml(ARCH))
    assert (root.findtext("architecture"), root.findtext("osabi")) == ("aarch64", "Darwin")
    names = [feature.get("name") for feature in root.iter("feature")]
    assert names[:2] == ["org.gnu.gdb.aarch64.core", "org.gnu.gdb.aarch64.fpu"]
    for feature in root.iter("feature"):
        declared = {element.get("id") for element in feature if element.get("id")}
        known = {"int", "data_ptr", "code_ptr"}
        assert {row.get("type") for row in feature.iter("reg")} <= declared | known
    assert {row.get("group_id") for row in root.iter("reg")} == {"1", "2", "4"}
    assert {group.get("id") for group in root.iter("group")} >= {"1", "2", "4"}


@pytest.mark.parametrize(
    ("pointer", "bits", "plain"),
    [
        (0x0000000100003F80, 47, 0x0000000100003F80),
        (0x7F00000100003F80, 47, 0x0000000100003F80),
        (0x007B800100003F80, 47, 0x0000000100003F80),
        (0xFF80FFFFF0001000, 47, 0xFFFFFFFFF0001000),
        (0x7F00000100003F80, 0, 0x7F00000100003F80),
    ],
)
def test_signatures_are_stripped(pointer: int, bits: int, plain: int) -> None:
    assert strip(pointer, bits) == plain


@given(st.integers(0, 2**64 - 1), st.integers(39, 55))
def test_stripping_is_done_after_the_first_time(pointer: int, bits: int) -> None:
    once = strip(pointer, bits)
    assert strip(once, bits) == once
    assert once & (1 << bits) - 1 == pointer & (1 << bits) - 1


def test_only_pointers_of_a_thread_state_are_stripped() -> None:
    signed = (0x2A00000100003F80).to_bytes(8, "little")
    state = signed * 34
    plain = strip_pointers(state, 47)
    address = (0x100003F80).to_bytes(8, "little")
    assert plain == signed * 29 + address * 4 + signed
    assert strip_pointers(plain, 47) is plain
    assert strip_pointers(state, 0) is state
