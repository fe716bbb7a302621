"""The `g` block against register-by-register reads, which know nothing of pieces and steps."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pydbgserver.arch.fields import Op
from pydbgserver.arch.model import Arch
from pydbgserver.errors import MalformedPacket
from tests.unit.arch.machines import ARCHES, LAYOUTS, initial_sets, with_presence

arches = st.sampled_from(ARCHES)


def random_sets(arch: Arch, seed: int, presence: int) -> dict[str, bytes]:
    source = random.Random(seed)
    return with_presence({regset.name: source.randbytes(regset.size) for regset in arch.regsets}, presence)


@given(arches, st.integers(0, 2**32), st.integers(0, 2**10 - 1))
def test_the_block_is_every_register_in_order(arch: Arch, seed: int, presence: int) -> None:
    sets = random_sets(arch, seed, presence)
    assert arch.pack_block(sets) == b"".join(arch.read(register, sets) for register in arch.registers)


@given(arches, st.integers(0, 2**32), st.integers(0, 2**10 - 1))
def test_writing_back_what_was_read_changes_nothing(arch: Arch, seed: int, presence: int) -> None:
    sets = random_sets(arch, seed, presence)
    assert arch.unpack_block(arch.pack_block(sets), sets) == {}
    for register in arch.registers:
        name, data = arch.write(register, arch.read(register, sets), sets)
        assert data == sets[name]


@given(arches, st.integers(0, 2**32), st.integers(0, 2**10 - 1), st.integers(0, 2**32))
def test_a_block_that_was_unpacked_packs_to_the_same(arch: Arch, seed: int, presence: int, other: int) -> None:
    block = arch.pack_block(random_sets(arch, other, 2**10 - 1))
    sets = random_sets(arch, seed, presence)
    changed = arch.unpack_block(block, sets)
    assert arch.pack_block({**sets, **changed}) == block


@given(arches, st.integers(0, 2**32), st.integers(0, 2**10 - 1), st.data())
def test_a_written_register_reads_back_and_no_other_one_changes(
    arch: Arch, seed: int, presence: int, data: st.DataObject
) -> None:
    sets = random_sets(arch, seed, presence)
    plain = [register for register in arch.registers if register.op is Op.COPY]
    register = data.draw(st.sampled_from(plain))
    value = data.draw(st.binary(min_size=register.width, max_size=register.width))
    name, new = arch.write(register, value, sets)
    after = {**sets, name: new}
    assert arch.read(register, after) == value
    for other in arch.registers:
        if other is not register and other.name != "ftag":
            assert arch.read(other, after) == arch.read(other, sets), other.name


@pytest.mark.parametrize("arch", ARCHES, ids=[hex(layout.xcr0) for layout in LAYOUTS])
def test_pieces_cover_the_block_without_gap_or_overlap(arch: Arch) -> None:
    position = 0
    for piece in arch.pieces:
        assert piece.target == position
        position += piece.size if piece.op is Op.COPY else 4
        assert piece.source + piece.size <= arch.regsets[piece.regset].size
    assert position == arch.block_size


def test_neighbouring_copies_are_one_piece() -> None:
    arch = ARCHES[0]
    vectors = [piece for piece in arch.pieces if (piece.regset, piece.source) == (1, 160)]
    assert [piece.size for piece in vectors] == [256]


def test_an_inner_piece_never_crosses_a_component() -> None:
    # On AMD the opmask registers end where the upper halves of ZMM0 to ZMM15 begin, and both follow in `g`.
    arch = ARCHES[2]
    assert [(piece.source, piece.size) for piece in arch.pieces if piece.source in (832, 896)] == [
        (832, 64),
        (896, 512),
    ]


@pytest.mark.parametrize("length", [0, -1, 1])
def test_a_block_of_the_wrong_size_is_refused(length: int) -> None:
    arch = ARCHES[1]
    block = bytes(arch.block_size + length) if length else b""
    with pytest.raises(MalformedPacket, match=f"{arch.block_size} bytes"):
        arch.unpack_block(block, initial_sets(arch))


def test_only_the_register_sets_that_change_come_back() -> None:
    arch = ARCHES[1]
    sets = initial_sets(arch)
    block = bytearray(arch.pack_block(sets))
    block[arch.block_offsets[arch.pc.number]] = 0x40
    changed = arch.unpack_block(bytes(block), sets)
    assert list(changed) == ["general"]
    assert arch.read(arch.pc, changed) == (0x40).to_bytes(8, "little")


def test_many_presence_words_do_not_fill_the_memory() -> None:
    arch = ARCHES[3]
    for presence in range(2**10):
        sets = with_presence(initial_sets(arch), presence)
        assert len(arch.pack_block(sets)) == arch.block_size
    assert len(arch._plan._steps) <= 64
