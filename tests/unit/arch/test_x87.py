from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pydbgserver.arch import x87


def extended(sign_exponent: int, significand: int) -> bytes:
    return struct.pack("<QH", significand, sign_exponent)


ONE = extended(0x3FFF, 1 << 63)
NEGATIVE_ZERO = extended(0x8000, 0)
INFINITY = extended(0x7FFF, 1 << 63)
DENORMAL = extended(0, 1)
UNNORMAL = extended(0x3FFF, 1 << 62)


@pytest.mark.parametrize(
    ("value", "tag"),
    [
        (ONE, x87.VALID),
        (NEGATIVE_ZERO, x87.ZERO),
        (INFINITY, x87.SPECIAL),
        (DENORMAL, x87.SPECIAL),
        (UNNORMAL, x87.SPECIAL),
    ],
)
def test_classify(value: bytes, tag: int) -> None:
    assert x87.classify(value) == tag


def image(top: int, abridged: int, stack: list[bytes]) -> bytes:
    data = bytearray(x87.IMAGE_SIZE)
    data[2:4] = (top << 11).to_bytes(2, "little")
    data[4] = abridged
    for index, value in enumerate(stack):
        data[32 + 16 * index : 42 + 16 * index] = value
    return bytes(data)


def test_an_empty_stack_has_all_tags_empty() -> None:
    assert x87.full_tag(image(0, 0, [])) == 0xFFFF


def test_tags_are_of_physical_registers_and_values_are_relative_to_top() -> None:
    # After fld1, fldz: TOP is 6; ST(0) = 0.0 is physical register 6, ST(1) = 1.0 is 7.
    data = image(6, 0b1100_0000, [extended(0, 0), ONE])
    assert x87.full_tag(data) == x87.VALID << 14 | x87.ZERO << 12 | 0x0FFF


def test_the_image_may_start_anywhere() -> None:
    data = image(6, 0b1100_0000, [extended(0, 0), ONE])
    assert x87.full_tag(b"\xff" * 7 + data, 7) == x87.full_tag(data)


@given(st.integers(0, 7), st.integers(0, 255), st.lists(st.binary(min_size=10, max_size=10), min_size=8, max_size=8))
def test_abridging_the_full_tag_gives_the_stored_byte(top: int, abridged: int, stack: list[bytes]) -> None:
    assert x87.abridged_tag(x87.full_tag(image(top, abridged, stack))) == abridged
