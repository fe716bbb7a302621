"""The write path of native/mach_write.c over simulated address spaces with pages of 16 KiB."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.macos.address_space import (
    COPY,
    EXECUTE,
    INVALID_ADDRESS,
    PROTECTION_FAILURE,
    READ,
    SUCCESS,
    WRITE,
    AddressSpace,
)
from tests.macos.mach_calls import MachCalls, MappedProcesses

pytestmark = pytest.mark.usefixtures("no_leak")
PAGE = 16 * 1024
BASE = 0x1_0000_0000
RX, RW, RWX = READ | EXECUTE, READ | WRITE, READ | WRITE | EXECUTE

Attach = Callable[[AddressSpace], int]


@pytest.fixture
def attach(calls: MachCalls, mapped: MappedProcesses, request: pytest.FixtureRequest) -> Attach:
    """Start a process with the address space and attach to it; it is killed at the end of the test."""

    def start(space: AddressSpace) -> int:
        pid = mapped.start(space)
        request.addfinalizer(lambda: calls.lib.mach_kill(pid))
        assert calls.attach(pid) == (1, 0)
        space.trace.clear()
        return pid

    return start


@pytest.fixture(autouse=True)
def end_before_counting(no_leak: None, attach: Attach) -> None:
    """`attach` ends its processes before the port rights are counted."""


def text_and_data() -> AddressSpace:
    made = AddressSpace(PAGE)
    made.map(BASE, 4, RX, RX)
    made.map(BASE + 4 * PAGE, 2, RW)
    made.map(BASE + 7 * PAGE, 1, READ, READ)
    return made


def test_text_is_copied_written_and_closed_again(calls: MachCalls, attach: Attach) -> None:
    space = text_and_data()
    pid = attach(space)
    before = space.protections()
    done, report = calls.write(pid, BASE + PAGE + 0x123, b"\x00\x00\x20\xd4")
    assert (done, report.error, report.restore_error) == (4, 0, 0)
    assert space.trace == [
        ("protect", BASE + PAGE, PAGE, RW, PROTECTION_FAILURE),
        ("protect", BASE + PAGE, PAGE, RW | COPY, SUCCESS),
        ("write", BASE + PAGE + 0x123, 4, SUCCESS),
        ("protect", BASE + PAGE, PAGE, RX, SUCCESS),
    ]
    assert space.protections() == before
    assert space.peek(BASE + PAGE + 0x123, 4) == b"\x00\x00\x20\xd4"


def test_the_second_write_needs_no_copy(calls: MachCalls, attach: Attach) -> None:
    space = text_and_data()
    pid = attach(space)
    calls.write(pid, BASE, b"1")
    space.trace.clear()
    assert calls.write(pid, BASE, b"2")[0] == 1
    assert [step[3] for step in space.trace if step[0] == "protect"] == [RW, RX]


@pytest.mark.parametrize("protection", [RW, RWX])
def test_writable_memory_keeps_its_protection(calls: MachCalls, attach: Attach, protection: int) -> None:
    space = AddressSpace(PAGE, "x86_64")
    space.map(BASE, 1, protection)
    pid = attach(space)
    assert calls.write(pid, BASE + 8, b"data")[0] == 4
    assert [step[0] for step in space.trace] == ["write"]


def test_writable_jit_memory_is_written(calls: MachCalls, attach: Attach) -> None:
    space = AddressSpace(PAGE)
    space.map(BASE, 1, RWX, RWX, jit=True)
    pid = attach(space)
    assert calls.write(pid, BASE, b"code")[0] == 4
    assert space.peek(BASE, 4) == b"code"


def test_closed_jit_memory_is_refused_in_words(calls: MachCalls, attach: Attach) -> None:
    space = AddressSpace(PAGE)
    space.map(BASE, 1, RX, RWX, jit=True)
    pid = attach(space)
    done, report = calls.write(pid, BASE, b"code")
    assert done == report.error < 0
    assert calls.words(done) == "KERN_PROTECTION_FAILURE (2)"
    assert space.protections() == [(BASE, BASE + PAGE, RX)]


def test_a_write_goes_page_by_page_through_regions(calls: MachCalls, attach: Attach) -> None:
    space = text_and_data()
    pid = attach(space)
    before = space.protections()
    start, data = BASE + 4 * PAGE - 100, bytes(range(256)) * 66
    assert calls.write(pid, start, data)[0] == len(data)
    assert [step[1:3] for step in space.trace if step[0] == "write"] == [
        (start, 100), (BASE + 4 * PAGE, PAGE), (BASE + 5 * PAGE, len(data) - PAGE - 100),
    ]  # fmt: skip
    assert space.protections() == before
    assert space.peek(start, 100) + space.peek(BASE + 4 * PAGE, len(data) - 100) == data


def test_a_hole_ends_the_write_after_the_bytes_before_it(calls: MachCalls, attach: Attach) -> None:
    space = text_and_data()
    pid = attach(space)
    before = space.protections()
    done, report = calls.write(pid, BASE + 6 * PAGE - 6, b"0123456789")
    assert done == 6
    assert calls.words(report.error) == "KERN_INVALID_ADDRESS (1)"
    assert space.peek(BASE + 6 * PAGE - 6, 6) == b"012345"
    assert space.protections() == before


def test_a_write_into_a_hole_writes_nothing(calls: MachCalls, attach: Attach) -> None:
    space = text_and_data()
    pid = attach(space)
    done, report = calls.write(pid, BASE + 6 * PAGE, b"0123")
    assert calls.words(done) == calls.words(report.error) == "KERN_INVALID_ADDRESS (1)"
    assert space.trace == []


def test_shared_memory_is_copied(calls: MachCalls, attach: Attach) -> None:
    space = AddressSpace(PAGE)
    file = bytearray(PAGE)
    space.map(BASE, 1, READ, READ, shared=True, memory=file)
    pid = attach(space)
    assert calls.write(pid, BASE, b"mine")[0] == 4
    assert (bytes(file[:4]), space.peek(BASE, 4)) == (bytes(4), b"mine")


def test_a_failed_write_is_not_counted_and_closed_again(calls: MachCalls, attach: Attach) -> None:
    space = text_and_data()
    pid = attach(space)
    before = space.protections()
    space.before_write = lambda address: INVALID_ADDRESS if address >= BASE + PAGE else None
    done, report = calls.write(pid, BASE + PAGE - 3, b"012345")
    assert (done, calls.words(report.error)) == (3, "KERN_INVALID_ADDRESS (1)")
    assert space.protections() == before


def test_a_protection_that_cannot_be_put_back_is_told(calls: MachCalls, attach: Attach) -> None:
    space = text_and_data()
    pid = attach(space)
    space.before_protect = lambda address, protection: PROTECTION_FAILURE if protection == RX else None
    done, report = calls.write(pid, BASE + PAGE, b"0123")
    assert (done, report.error) == (4, 0)
    assert calls.words(report.restore_error) == "KERN_PROTECTION_FAILURE (2)"
    assert (report.unrestored_start, report.unrestored_size) == (BASE + PAGE, PAGE)


def test_a_trap_that_leaves_its_page_open_is_an_error(calls: MachCalls, attach: Attach) -> None:
    space = text_and_data()
    pid = attach(space)
    space.before_protect = lambda address, protection: PROTECTION_FAILURE if protection == RX else None
    result = calls.lib.mach_insert_trap(pid, BASE, b"\xcc", 1, 1)
    assert calls.words(result) == "KERN_PROTECTION_FAILURE (2)"
    assert space.peek(BASE, 1) == b"\0"


def test_the_target_dies_during_a_write(calls: MachCalls, mapped: MappedProcesses) -> None:
    space = text_and_data()
    pid = mapped.start(space)
    assert calls.attach(pid) == (1, 0)

    def die(address: int) -> int | None:
        if address < BASE + PAGE:
            return None
        calls.lib.sim_end_process(pid, 9)
        return 0x10000003  # MACH_SEND_INVALID_DEST

    space.before_write = die
    done, report = calls.write(pid, BASE + PAGE - 3, b"012345")
    assert done == 3
    assert "10000003" in calls.words(report.error)
    assert "10000003" in calls.words(report.restore_error)
    (stop,) = calls.wait()
    assert (stop.kind, stop.signal) == (calls.lib.MACH_STOP_KILLED, 9)


def test_reads_stop_at_the_first_bad_page(calls: MachCalls, attach: Attach) -> None:
    space = text_and_data()
    pid = attach(space)
    assert calls.read(pid, BASE + 6 * PAGE - 5, 10) == bytes(5)
    buffer = calls.ffi.new("uint8_t[4]")
    assert calls.words(calls.lib.mach_read_memory(pid, BASE + 6 * PAGE, buffer, 4)) == "KERN_INVALID_ADDRESS (1)"


def test_traps_are_hidden_and_kept(calls: MachCalls, attach: Attach) -> None:
    space = text_and_data()
    pid = attach(space)
    calls.write(pid, BASE, b"abcdefgh")
    calls.check(calls.lib.mach_insert_trap(pid, BASE + 2, b"\x00\x00\x20\xd4", 4, 0))
    assert calls.read(pid, BASE, 8) == b"abcdefgh"
    assert space.peek(BASE, 8) == b"ab\x00\x00\x20\xd4gh"
    assert calls.write(pid, BASE + 4, b"EFGH")[0] == 4
    assert calls.read(pid, BASE, 8) == b"abcdEFGH"
    assert space.peek(BASE, 8) == b"ab\x00\x00\x20\xd4GH"
    assert calls.lib.mach_remove_trap(pid, BASE + 2) == 1
    assert space.peek(BASE, 8) == b"abcdEFGH"


def test_dispositions_count_pages_of_the_target(calls: MachCalls, attach: Attach) -> None:
    space = text_and_data()
    pid = attach(space)
    calls.write(pid, BASE + 3 * PAGE, b"x")
    pages = calls.ffi.new("int32_t[8]")
    assert calls.lib.mach_page_dispositions(pid, BASE, 8 * PAGE - 5, pages, 8) == 8
    assert list(pages) == [1, 1, 1, 9, 1, 1, 0, 1]
    assert calls.lib.mach_page_dispositions(pid, BASE, 8 * PAGE, pages, 3) == 3


def test_the_page_size_is_the_targets(calls: MachCalls, attach: Attach) -> None:
    assert calls.lib.mach_page_size_of(attach(text_and_data())) == PAGE
    small = AddressSpace(4096, "x86_64")
    small.map(BASE, 4, RX, RX)
    pid = attach(small)
    assert calls.lib.mach_page_size_of(pid) == 4096
    calls.write(pid, BASE + 4096 - 1, b"xy")
    assert [step[1:3] for step in small.trace if step[0] == "protect"] == [(BASE, 8192)] * 3
