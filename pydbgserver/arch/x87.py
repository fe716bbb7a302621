"""The x87 tag word in its two forms (Intel SDM vol. 1, 8.1.7 and 10.5.1.1).

FSTENV and gdb's ``ftag`` use the full form: two bits for each *physical*
register, 0 valid, 1 zero, 2 special, 3 empty. FXSAVE and XSAVE store the
abridged form: one bit for each physical register, set when it is not empty.
The data registers of the image are ST(0) to ST(7), relative to the TOP field
of the status word.
"""

from __future__ import annotations

STATUS_OFFSET = 2
TAG_OFFSET = 4
STACK_OFFSET = 32
STACK_STRIDE = 16
IMAGE_SIZE = STACK_OFFSET + 8 * STACK_STRIDE

VALID, ZERO, SPECIAL, EMPTY = range(4)
ALL_EMPTY = 0xFFFF

_EXPONENT = 0x7FFF
_INTEGER_BIT = 1 << 63


def classify(value: bytes) -> int:
    """The tag of one 10-byte extended real."""
    exponent = int.from_bytes(value[8:10], "little") & _EXPONENT
    significand = int.from_bytes(value[:8], "little")
    if exponent == 0 and significand == 0:
        return ZERO
    if exponent in (0, _EXPONENT) or not significand & _INTEGER_BIT:
        return SPECIAL
    return VALID


def full_tag(image: bytes, base: int = 0) -> int:
    """The full tag word of the FXSAVE image that starts at `base` in `image`."""
    abridged = image[base + TAG_OFFSET]
    if abridged == 0:
        return ALL_EMPTY
    top = image[base + STATUS_OFFSET + 1] >> 3 & 7
    tags = 0
    for physical in range(8):
        tag = EMPTY
        if abridged >> physical & 1:
            start = base + STACK_OFFSET + (physical - top) % 8 * STACK_STRIDE
            tag = classify(image[start : start + 10])
        tags |= tag << 2 * physical
    return tags


def abridged_tag(full: int) -> int:
    """The one-byte form of a full tag word."""
    return sum(1 << physical for physical in range(8) if full >> 2 * physical & 3 != EMPTY)
