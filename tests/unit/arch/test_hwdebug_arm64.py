from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pydbgserver.arch.debug_slots import Chunk, SlotTable
from pydbgserver.arch.hwdebug_arm64 import split_range, split_request
from pydbgserver.errors import NoDebugRegister
from pydbgserver.target.events import WatchKind


@pytest.mark.parametrize(
    ("address", "length", "chunks"),
    [
        (0x1000, 8, [(0x1000, 8)]),
        (0x1001, 3, [(0x1001, 3)]),
        (0x1005, 8, [(0x1005, 3), (0x1008, 5)]),
        (0x1000, 12, [(0x1000, 8), (0x1008, 4)]),
        (0x1000, 16, [(0x1000, 16)]),
        (0x1008, 16, [(0x1008, 8), (0x1010, 8)]),
        (0x4000, 0x1000, [(0x4000, 0x1000)]),
        (0x4000, 0x1800, [(0x4000, 0x1000), (0x5000, 0x800)]),
    ],
)
def test_split(address: int, length: int, chunks: list[tuple[int, int]]) -> None:
    assert split_range(address, length) == chunks


@given(st.integers(0, 2**47), st.integers(1, 2**31))
def test_split_covers_the_range_with_pieces_that_a_register_can_hold(address: int, length: int) -> None:
    position = address
    for start, size in split_range(address, length):
        assert start == position
        within_a_word = start // 8 == (start + size - 1) // 8
        assert within_a_word or (size.bit_count() == 1 and start % size == 0 and size <= 2**31)
        position += size
    assert position == address + length


@pytest.mark.parametrize(
    ("kind", "address", "length", "words"),
    [("execute", 0x1002, 4, "aligned"), ("write", 0x1000, 0, "0 bytes"), ("write", 0, 2**31 + 1, "bytes")],
)
def test_what_can_never_fit(kind: str, address: int, length: int, words: str) -> None:
    with pytest.raises(NoDebugRegister, match=words):
        split_request(kind, address, length)


def test_slots_are_taken_shared_and_freed() -> None:
    table: SlotTable[WatchKind] = SlotTable(2, split_request)
    assert table.insert(WatchKind.WRITE, 0x1005, 8)
    assert table.slots == [Chunk("write", 0x1005, 3), Chunk("write", 0x1008, 5)]
    assert not table.insert(WatchKind.WRITE, 0x1008, 5)
    with pytest.raises(NoDebugRegister, match="1 debug registers are needed, 0 of 2 are free"):
        table.insert(WatchKind.READ, 0x2000, 1)
    assert table.remove(WatchKind.WRITE, 0x1005, 8)
    assert table.slots == [None, Chunk("write", 0x1008, 5)]
    watch = table.watch_at(1)
    assert watch is not None and (watch.kind, watch.address, watch.length) == (WatchKind.WRITE, 0x1008, 5)
    assert table.watch_at(0) is None
