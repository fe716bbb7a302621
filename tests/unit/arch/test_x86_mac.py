from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from pydbgserver.arch.tdesc import target_xml
from pydbgserver.arch.x86 import XsaveLayout, amd64
from pydbgserver.arch.x86_mac import LEVELS, x86_64_mac

every_level = pytest.mark.parametrize("level", LEVELS)


def test_sizes_are_those_of_the_thread_states() -> None:
    # Counts of <mach/i386/thread_status.h>: THREAD 42, FLOAT 131, AVX 211, AVX512 611, EXCEPTION 4 words of 4 bytes.
    sizes = {one.nt_type: one.size // 4 for level in LEVELS for one in x86_64_mac(level).regsets}
    assert sizes == {4: 42, 5: 131, 17: 211, 20: 611, 6: 4, 0: 3}


@pytest.mark.parametrize(
    ("name", "regset", "offset"),
    [
        ("rax", "general", 0),
        ("rdi", "general", 32),
        ("rsp", "general", 56),
        ("r15", "general", 120),
        ("rip", "general", 128),
        ("eflags", "general", 136),
        ("cs", "general", 144),
        ("gs", "general", 160),
        ("fctrl", "float", 8),
        ("ftag", "float", 12),
        ("mxcsr", "float", 32),
        ("st0", "float", 40),
        ("xmm0", "float", 168),
        ("ymm0h", "float", 588),
        ("k0", "float", 844),
        ("zmm0h", "float", 908),
        ("xmm16", "float", 1420),
        ("zmm31h", "float", 1420 + 15 * 64 + 32),
        ("faultvaddr", "exception", 8),
        ("ss", "fixed", 0),
        ("es", "fixed", 8),
    ],
)
def test_places(name: str, regset: str, offset: int) -> None:
    register = x86_64_mac("avx512").by_name[name]
    assert (register.regset, register.offset) == (regset, offset)


@every_level
def test_every_register_lies_in_its_set(level: str) -> None:
    arch = x86_64_mac(level)
    for register in arch.registers:
        assert 0 <= register.offset <= arch.regsets_by_name[register.regset].size - register.stored, register


@every_level
def test_values_come_from_and_go_to_their_places(level: str) -> None:
    arch = x86_64_mac(level)
    sets = {one.name: bytes(one.size) for one in arch.regsets}
    for register in arch.registers:
        if register.name.startswith(("f", "st")) and register.regset == "float":
            continue  # The x87 forms have tests of their own.
        name, data = arch.write(register, b"\x5a" * register.width, sets)
        assert data.count(0x5A) == register.width
        assert arch.read(register, {**sets, name: data}) == b"\x5a" * register.width


@every_level
def test_what_gdb_wants_of_an_x86_64_is_there_in_its_order(level: str) -> None:
    linux = amd64(XsaveLayout(0b111, 832, {2: (576, 256)}))
    core, sse = linux.features[:2]
    names = [register.name for register in x86_64_mac(level).registers]
    assert names[: len(core.regs) + len(sse.regs)] == [one.name for one in (*core.regs, *sse.regs)]


def test_nothing_of_linux_is_in_the_description() -> None:
    root = ElementTree.fromstring(target_xml(x86_64_mac("avx512")))
    names = [feature.get("name") for feature in root.iter("feature")]
    prefix = "org.gnu.gdb.i386."
    assert names == [prefix + "core", prefix + "sse", prefix + "avx", prefix + "avx512",
                     "com.apple.debugserver.exception"]  # fmt: skip
    assert root.findtext("osabi") == "Darwin"
    registers = {row.get("name") for row in root.iter("reg")}
    assert not registers & {"orig_rax", "fs_base", "gs_base", "pkru"}


def test_x87_registers_are_read_behind_the_reserved_words() -> None:
    arch = x86_64_mac("sse")
    image = bytearray(524)
    image[8:10] = b"\x7f\x03"
    image[12] = 0x80  # Abridged tag: physical register 7 is in use.
    sets = {one.name: bytes(one.size) for one in arch.regsets} | {"float": bytes(image)}
    assert arch.read(arch.by_name["fctrl"], sets) == b"\x7f\x03\0\0"
    assert arch.read(arch.by_name["ftag"], sets)[:2] != b"\xff\xff"


def test_an_arch_is_made_once() -> None:
    assert x86_64_mac("avx") is x86_64_mac("avx")
