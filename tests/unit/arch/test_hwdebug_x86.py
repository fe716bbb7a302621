from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pydbgserver.arch.hwdebug_x86 import Chunk, DebugRegisters, encode_control, split_range
from pydbgserver.errors import NoDebugRegister, Unsupported


class Kind(Enum):
    EXECUTE = "execute"
    WRITE = "write"
    READ = "read"
    ACCESS = "access"


def decoded(control: int, addresses: Sequence[int]) -> list[Chunk | None]:
    """What each slot holds, by DR7's table in the SDM; None where it is not enabled."""
    slots: list[Chunk | None] = []
    for slot, address in enumerate(addresses):
        code = control >> 16 + 4 * slot & 0xF
        kind, length = ("execute", "write", "", "access")[code & 3], (1, 2, 8, 4)[code >> 2]
        slots.append(Chunk(kind, address, length) if control >> 2 * slot & 3 else None)
    return slots


@pytest.mark.parametrize(
    ("address", "length", "chunks"),
    [
        (0x1000, 8, [(0x1000, 8)]),
        (0x1001, 1, [(0x1001, 1)]),
        (0x1004, 8, [(0x1004, 4), (0x1008, 4)]),
        (0x1001, 7, [(0x1001, 1), (0x1002, 2), (0x1004, 4)]),
        (0x1007, 10, [(0x1007, 1), (0x1008, 8), (0x1010, 1)]),
        (0x1000, 32, [(0x1000, 8), (0x1008, 8), (0x1010, 8), (0x1018, 8)]),
    ],
)
def test_split(address: int, length: int, chunks: list[tuple[int, int]]) -> None:
    assert split_range(address, length) == chunks


@given(st.integers(0, 2**48), st.integers(1, 64))
def test_split_covers_the_range_with_aligned_pieces(address: int, length: int) -> None:
    position = address
    for start, size in split_range(address, length):
        assert start == position
        assert size in (1, 2, 4, 8)
        assert start % size == 0
        position += size
    assert position == address + length


def test_control_of_one_write_watchpoint_of_four_bytes() -> None:
    # L0, RW0 = 01, LEN0 = 11.
    assert encode_control([Chunk("write", 0x1000, 4), None, None, None]) == 0xD0001


def test_control_of_the_last_slot() -> None:
    # L3, RW3 = 11, LEN3 = 10.
    assert encode_control([None, None, None, Chunk("access", 0x1000, 8)]) == 0xB000_0040


chunks = st.one_of(
    st.none(),
    st.builds(Chunk, st.sampled_from(["write", "access"]), st.integers(1, 2**47), st.sampled_from([1, 2, 4, 8])),
    st.builds(Chunk, st.just("execute"), st.integers(1, 2**47), st.just(1)),
)


@given(st.lists(chunks, min_size=4, max_size=4))
def test_decoding_gives_back_what_was_encoded(slots: list[Chunk | None]) -> None:
    addresses = [0 if chunk is None else chunk.address for chunk in slots]
    assert decoded(encode_control(slots), addresses) == slots


def test_insert_and_remove() -> None:
    registers: DebugRegisters[Kind] = DebugRegisters()
    assert registers.insert(Kind.WRITE, 0x1000, 4) is True
    assert registers.addresses == (0x1000, 0, 0, 0)
    assert registers.control == 0xD0001
    assert registers.remove(Kind.WRITE, 0x1000, 4) is True
    assert (registers.addresses, registers.control) == ((0, 0, 0, 0), 0)


def test_the_same_request_twice_is_once() -> None:
    registers: DebugRegisters[Kind] = DebugRegisters()
    registers.insert(Kind.EXECUTE, 0x1000, 1)
    assert registers.insert(Kind.EXECUTE, 0x1000, 1) is False
    assert registers.addresses == (0x1000, 0, 0, 0)
    registers.remove(Kind.EXECUTE, 0x1000, 1)
    assert registers.control == 0


def test_removing_what_is_not_there_is_no_error() -> None:
    assert DebugRegisters[Kind]().remove(Kind.WRITE, 0x1000, 4) is False


def test_overlapping_requests_share_a_slot_until_the_last_goes() -> None:
    registers: DebugRegisters[Kind] = DebugRegisters()
    registers.insert(Kind.WRITE, 0x1000, 16)
    assert registers.insert(Kind.WRITE, 0x1008, 8) is False
    registers.remove(Kind.WRITE, 0x1000, 16)
    assert registers.addresses == (0, 0x1008, 0, 0)
    assert registers.watch_at(1) == (Kind.WRITE, 0x1008, 8)


def test_all_or_nothing() -> None:
    registers: DebugRegisters[Kind] = DebugRegisters()
    for address in (0x1000, 0x2000, 0x3000):
        registers.insert(Kind.WRITE, address, 8)
    before = registers.addresses, registers.control
    with pytest.raises(NoDebugRegister, match="2 debug registers are needed, 1 of 4 are free"):
        registers.insert(Kind.ACCESS, 0x4004, 8)
    assert (registers.addresses, registers.control) == before
    registers.insert(Kind.ACCESS, 0x4000, 8)
    assert registers.addresses[3] == 0x4000


@pytest.mark.parametrize("length", [0, 33, 1 << 62])
def test_lengths_that_never_fit(length: int) -> None:
    with pytest.raises(NoDebugRegister):
        DebugRegisters[Kind]().insert(Kind.WRITE, 0x1000, length)


def test_reads_alone_cannot_be_watched() -> None:
    with pytest.raises(Unsupported, match="read"):
        DebugRegisters[Kind]().insert(Kind.READ, 0x1000, 4)


def test_a_slot_leads_to_the_request_as_it_was_made() -> None:
    registers: DebugRegisters[Kind] = DebugRegisters()
    registers.insert(Kind.ACCESS, 0x1006, 4)
    assert registers.watch_at(1) == (Kind.ACCESS, 0x1006, 4)
    assert registers.watch_at(2) is None


def test_clear() -> None:
    registers: DebugRegisters[Kind] = DebugRegisters()
    registers.insert(Kind.WRITE, 0x1000, 8)
    registers.clear()
    assert registers.control == 0
    assert registers.insert(Kind.WRITE, 0x1000, 8) is True


requests = st.tuples(st.sampled_from([Kind.WRITE, Kind.ACCESS]), st.integers(0x1000, 0x1020), st.integers(1, 12))


@given(st.lists(st.tuples(st.booleans(), requests), max_size=30))
def test_slots_are_exactly_what_live_requests_need(steps: list[tuple[bool, tuple[Kind, int, int]]]) -> None:
    registers: DebugRegisters[Kind] = DebugRegisters()
    live = set()
    for inserting, request in steps:
        if inserting:
            try:
                registers.insert(*request)
            except NoDebugRegister:
                continue
            live.add(request)
        else:
            registers.remove(*request)
            live.discard(request)
        needed = {Chunk(kind.value, *piece) for kind, start, length in live for piece in split_range(start, length)}
        slots = decoded(registers.control, registers.addresses)
        assert sorted(chunk for chunk in slots if chunk) == sorted(needed)
