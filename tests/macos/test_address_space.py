"""The rules of XNU's vm_map that the simulated address space keeps: one row, one rule."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.macos.address_space import (
    COPY,
    EXECUTE,
    INVALID_ADDRESS,
    INVALID_ARGUMENT,
    PROTECTION_FAILURE,
    READ,
    SM_COW,
    SM_PRIVATE,
    SM_SHARED,
    SUCCESS,
    WRITE,
    AddressSpace,
)

PAGE = 16 * 1024
BASE = 0x1_0000_0000
RX, RW, RWX = READ | EXECUTE, READ | WRITE, READ | WRITE | EXECUTE


def space(arch: str = "arm64") -> AddressSpace:
    """text (r-x, maximum r-x), data (rw-), a hole of a page, one page without access."""
    made = AddressSpace(PAGE, arch)
    made.map(BASE, 4, RX, RX)
    made.map(BASE + 4 * PAGE, 2, RW)
    made.map(BASE + 7 * PAGE, 1, 0)
    return made


def protect(address: int, size: int, protection: int, result: int, arch: str = "arm64") -> Callable[[], None]:
    def check() -> None:
        made = space(arch)
        before = made.protections()
        assert made.protect(address, size, protection) == result
        assert (made.protections() == before) is (result != SUCCESS or size == 0)

    return check


def rounded_outward() -> None:
    made = space()
    assert made.protect(BASE + PAGE + 5, 1, READ) == SUCCESS
    assert made.protections()[:3] == [
        (BASE, BASE + PAGE, RX), (BASE + PAGE, BASE + 2 * PAGE, READ), (BASE + 2 * PAGE, BASE + 4 * PAGE, RX),
    ]  # fmt: skip


def copy_adds_write_and_keeps_execute() -> None:
    made = space()
    assert made.protect(BASE, PAGE, RW | COPY) == SUCCESS
    assert made.protect(BASE, PAGE, RX) == SUCCESS
    assert made.entries[0].maximum == RWX
    assert made.entries[1].maximum == RX


def copy_of_shared_memory_is_private() -> None:
    made = AddressSpace(PAGE)
    file = bytearray(b"file" + bytes(PAGE - 4))
    made.map(BASE, 1, READ, READ, shared=True, memory=file)
    assert made.protect(BASE, PAGE, RW | COPY) == SUCCESS
    assert made.write(BASE, b"mine") == SUCCESS
    assert (bytes(file[:4]), made.peek(BASE, 4)) == (b"file", b"mine")
    assert not made.entries[0].shared


def jit_is_left_alone() -> None:
    made = AddressSpace(PAGE)
    made.map(BASE, 1, RX, RWX, jit=True)
    assert made.protect(BASE, PAGE, RW) == PROTECTION_FAILURE
    assert made.protect(BASE, PAGE, RW | COPY) == PROTECTION_FAILURE


def permanent_data_is_not_copied() -> None:
    made = AddressSpace(PAGE)
    made.map(BASE, 1, READ, READ, permanent=True)
    made.map(BASE + PAGE, 1, RX, RX, permanent=True)
    assert made.protect(BASE, PAGE, RW | COPY) == PROTECTION_FAILURE
    assert made.protect(BASE + PAGE, PAGE, RW | COPY) == SUCCESS


def write(address: int, size: int, result: int, arch: str = "arm64") -> Callable[[], None]:
    def check() -> None:
        made = space(arch)
        before = made.protections()
        assert made.write(address, bytes(size)) == result
        assert made.protections() == before

    return check


def read(address: int, size: int, result: int) -> Callable[[], None]:
    def check() -> None:
        got = space().read(address, size)
        assert got == (result if result else bytes(size))

    return check


def region(address: int, start: int, size: int) -> Callable[[], None]:
    def check() -> None:
        found = space().region(address, 1024, 12)
        assert isinstance(found, tuple)
        assert found[:2] == (start, size)
        assert len(found[3]) == 48

    return check


def no_region_above() -> None:
    assert space().region(BASE + 8 * PAGE, 1024, 12) == INVALID_ADDRESS


def short_count_is_refused() -> None:
    assert space().region(BASE, 1024, 11) == INVALID_ARGUMENT
    full = space().region(BASE, 1024, 21)
    assert isinstance(full, tuple) and len(full[3]) == 64


def submaps_are_entered_to_the_depth_asked_for() -> None:
    made = AddressSpace(PAGE)
    made.map(BASE, 1, RX, RX, depth=1)
    assert [found[2] for depth in (0, 1, 1024) if isinstance(found := made.region(BASE, depth, 12), tuple)] == [0, 1, 1]


def share_modes() -> None:
    made = AddressSpace(PAGE)
    made.map(BASE, 1, RX, RX)
    made.map(BASE + PAGE, 1, READ, READ, shared=True)
    made.map(BASE + 2 * PAGE, 1, RX, RX, depth=1)
    made.protect(BASE + PAGE, PAGE, RW | COPY)
    made.map(BASE + 3 * PAGE, 1, READ, READ, shared=True)
    found = [made.region(BASE + i * PAGE, 1024, 12) for i in range(4)]
    assert [one[3][31] for one in found if isinstance(one, tuple)] == [SM_PRIVATE, SM_COW, SM_COW, SM_SHARED]


def copied_pages_stay_apart() -> None:
    made = space()
    made.protect(BASE + PAGE, PAGE, RW | COPY)
    made.protect(BASE + PAGE, PAGE, RX)
    assert [(entry.start, entry.end) for entry in made.entries[:3]] == [
        (BASE, BASE + PAGE), (BASE + PAGE, BASE + 2 * PAGE), (BASE + 2 * PAGE, BASE + 4 * PAGE),
    ]  # fmt: skip


def a_page_of_a_hole_has_no_disposition() -> None:
    made = space()
    made.protect(BASE + 3 * PAGE, PAGE, RW | COPY)
    assert made.pages(BASE + 2 * PAGE, 6) == [1, 9, 1, 1, 0, 1]


HOLE = BASE + 6 * PAGE
RULES: dict[str, Callable[[], None]] = {
    "protect: no size is a success": protect(BASE, 0, RW, SUCCESS),
    "protect: the range is rounded outward to pages": rounded_outward,
    "protect: the first address is not mapped": protect(HOLE, PAGE, READ, INVALID_ADDRESS),
    "protect: a hole inside": protect(BASE + 5 * PAGE, 3 * PAGE, READ, INVALID_ADDRESS),
    "protect: more than the maximum changes nothing": protect(BASE, 6 * PAGE, RW, PROTECTION_FAILURE),
    "protect: write with execute is refused on arm64": protect(BASE + 4 * PAGE, PAGE, RWX, PROTECTION_FAILURE),
    "protect: write with execute on x86_64": protect(BASE + 4 * PAGE, PAGE, RWX, SUCCESS, "x86_64"),
    "protect: MAP_JIT memory is refused on arm64": jit_is_left_alone,
    "copy: write joins the maximum, execute stays": copy_adds_write_and_keeps_execute,
    "copy: a hole": protect(BASE + 5 * PAGE, 3 * PAGE, RW | COPY, INVALID_ADDRESS),
    "copy: shared memory becomes private": copy_of_shared_memory_is_private,
    "copy: permanent memory only if executable": permanent_data_is_not_copied,
    "copy: the page is never merged back": copied_pages_stay_apart,
    "write: a small one where it is not allowed": write(BASE, 8, INVALID_ADDRESS),
    "write: a large one where it is not allowed": write(BASE, 3 * PAGE, PROTECTION_FAILURE),
    "write: the limit is lower on x86_64": write(BASE, 32 * 1024, PROTECTION_FAILURE, "x86_64"),
    "write: a small one into a hole": write(HOLE, 8, INVALID_ADDRESS),
    "write: a large one into a hole": write(BASE + 4 * PAGE, 3 * PAGE, INVALID_ADDRESS),
    "write: across two pages": write(BASE + 5 * PAGE - 4, 8, SUCCESS),
    "read: all of it": read(BASE, 2 * PAGE, SUCCESS),
    "read: nothing of it if the end is bad": read(BASE + 6 * PAGE - 4, 8, INVALID_ADDRESS),
    "read: a small one without access": read(BASE + 7 * PAGE, 8, INVALID_ADDRESS),
    "region: the one that holds the address": region(BASE + 5, BASE, 4 * PAGE),
    "region: else the next one": region(0, BASE, 4 * PAGE),
    "region: from a hole": region(HOLE, BASE + 7 * PAGE, PAGE),
    "region: none above": no_region_above,
    "region: fewer words than the short form": short_count_is_refused,
    "region: submaps": submaps_are_entered_to_the_depth_asked_for,
    "region: share modes": share_modes,
    "pages: one number each, 0 in holes": a_page_of_a_hole_has_no_disposition,
}


@pytest.mark.parametrize("rule", RULES)
def test_rule(rule: str) -> None:
    RULES[rule]()
