"""Agent expressions: values against Python's own arithmetic, printf, and refusals in words."""

from __future__ import annotations

import string
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pydbgserver.errors import BadAddress, NoSuchRegister
from pydbgserver.target.agent_expr import BadExpression, BreakpointProgram, run

MASK = (1 << 64) - 1
END = b"\x27"
SIZES = bytes([8, 4, 2, 1, 0])
MEMORY = bytes(range(200)) + b"hello, world\0"
START = 0x1000
Words = st.integers(0, MASK)


def const(value: int) -> bytes:
    return b"\x25" + value.to_bytes(8, "big")


def read_register(number: int) -> bytes:
    if number == 1:
        raise NoSuchRegister(number)
    return (0x8877665544332211).to_bytes(8, "little")[: SIZES[number]]


def read_memory(address: int, length: int) -> bytes:
    data = MEMORY[address - START :][:length] if START <= address < START + len(MEMORY) else b""
    if not data:
        raise BadAddress(address, length)
    return data


def value(code: bytes) -> int:
    BreakpointProgram((code,)).check(SIZES)
    return run(code, read_register, read_memory)[0]


def printed(code: bytes) -> str:
    BreakpointProgram((), (code,)).check(SIZES)
    return run(code, read_register, read_memory)[1].decode()


def signed(word: int) -> int:
    return word - (1 << 64) if word >> 63 else word


def truncated(left: int, right: int) -> int:
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


BINARY: dict[int, Callable[[int, int], int]] = {
    0x02: lambda a, b: a + b,
    0x03: lambda a, b: a - b,
    0x04: lambda a, b: a * b,
    0x05: lambda a, b: truncated(signed(a), signed(b)),
    0x06: lambda a, b: a // b,
    0x07: lambda a, b: signed(a) - truncated(signed(a), signed(b)) * signed(b),
    0x08: lambda a, b: a % b,
    0x09: lambda a, b: a << b if b < 64 else 0,
    0x0A: lambda a, b: signed(a) >> min(b, 63),
    0x0B: lambda a, b: a >> b if b < 64 else 0,
    0x0F: lambda a, b: a & b,
    0x10: lambda a, b: a | b,
    0x11: lambda a, b: a ^ b,
    0x13: lambda a, b: a == b,
    0x14: lambda a, b: signed(a) < signed(b),
    0x15: lambda a, b: a < b,
}


@pytest.mark.parametrize("opcode", BINARY)
@given(left=Words, right=Words | st.integers(0, 70) | st.just(MASK))
def test_two_operands(opcode: int, left: int, right: int) -> None:
    code = const(left) + const(right) + bytes([opcode]) + END
    if right == 0 and 0x05 <= opcode <= 0x08:
        with pytest.raises(BadExpression, match="division by zero"):
            value(code)
    else:
        assert value(code) == BINARY[opcode](left, right) & MASK


def test_the_division_that_overflows() -> None:
    assert value(const(1 << 63) + const(MASK) + b"\x05" + END) == 1 << 63
    assert value(const(1 << 63) + const(MASK) + b"\x07" + END) == 0


@given(word=Words, bits=st.integers(0, 255))
def test_extensions(word: int, bits: int) -> None:
    low = word & ((1 << bits) - 1)
    assert value(const(word) + bytes([0x2A, bits]) + END) == low & MASK
    negative = 0 < bits <= 64 and low >> (bits - 1) & 1
    extended = low - (1 << bits) if negative else low
    assert value(const(word) + bytes([0x16, bits]) + END) == extended & MASK


@given(word=Words)
def test_one_operand(word: int) -> None:
    assert value(const(word) + b"\x0e" + END) == (word == 0)
    assert value(const(word) + b"\x12" + END) == ~word & MASK


def test_the_order_on_the_stack() -> None:
    three = b"\x22\x01\x22\x02\x22\x03"
    minus = b"\x22\x64\x04\x02"  # * 100 +
    # a b c -> c a b
    assert value(three + b"\x33\x29" + END) == 1
    assert value(three + b"\x33" + minus + END) == 1 + 200
    assert value(three + b"\x2b" + minus + END) == 3 + 200
    assert value(three + b"\x32\x02" + END) == 1
    assert value(three + b"\x28\x02" + END) == 6


@given(size=st.integers(0, 3), offset=st.integers(0, 190))
def test_memory_is_little_endian(size: int, offset: int) -> None:
    expected = int.from_bytes(MEMORY[offset : offset + (1 << size)], "little")
    assert value(const(START + offset) + bytes([0x17 + size]) + END) == expected


def test_memory_that_cannot_be_read_whole() -> None:
    last = START + len(MEMORY) - 3
    with pytest.raises(BadExpression, match=f"cannot read memory at {last:#x}"):
        value(const(last) + b"\x19" + END)


def test_registers() -> None:
    assert value(b"\x26\x00\x00" + END) == 0x8877665544332211
    assert value(b"\x26\x00\x02" + END) == 0x2211
    with pytest.raises(BadExpression, match="the register of the instruction at 0 cannot be read"):
        value(b"\x26\x00\x01" + END)
    with pytest.raises(BadExpression, match="the register of the instruction at 0 cannot be had"):
        value(b"\x26\x00\x04" + END)


def test_jumps() -> None:
    # if (reg2 == 0x2211) 5 else 6
    code = b"\x26\x00\x02\x23\x22\x11\x13\x20\x00\x0f\x22\x06\x21\x00\x11\x22\x05" + END
    assert value(code) == 5
    assert value(code.replace(b"\x22\x11\x13", b"\x22\x12\x13")) == 6


def print_call(form: str, *arguments: int) -> bytes:
    text = form.encode() + b"\0"
    pushes = b"".join(map(const, reversed(arguments)))
    return pushes + b"\x22\0\x22\0\x34" + bytes([len(arguments)]) + len(text).to_bytes(2, "big") + text + END


def test_printf() -> None:
    assert printed(print_call("at %d, %s! 100%%\n", 0xFFFFFFFFFFFFFFFE, START + 200)) == "at -2, hello, world! 100%\n"
    assert printed(print_call("[%8.5s|%-14s|]", START + 200, START + 200)) == "[   hello|hello, world  |]"
    assert printed(print_call("%s", 0)) == "(null)"
    assert printed(print_call("%lx %x %hhu %c %p", MASK, MASK, MASK, 65, 4096)) == f"{MASK:x} ffffffff 255 A 0x1000"
    assert printed(print_call("%5d|%-5d|%05d|%+d", 7, 7, 7, 7)) == "    7|7    |00007|+7"


def test_escapes_are_the_servers_business() -> None:
    assert printed(print_call(r"\"%d\"\t\\\101\e\n%%\n", 5)) == '"5"\t\\A\x1b\n%\n'
    with pytest.raises(BadExpression, match="format of the printf at 4 does not fit it"):
        printed(print_call(r"\q"))
    with pytest.raises(BadExpression, match="format"):
        printed(print_call("end\\"))


def test_a_string_that_cannot_be_read() -> None:
    with pytest.raises(BadExpression, match="cannot read memory at 0x10"):
        printed(print_call("%s", 0x10))


@given(text=st.text(st.sampled_from(string.printable), max_size=60), arguments=st.lists(Words, max_size=3))
def test_any_format_is_printed_or_refused(text: str, arguments: list[int]) -> None:
    code = print_call(text, *arguments)
    try:
        output = printed(code)
    except BadExpression:
        return
    if "%" not in text and "\\" not in text:
        assert output == text


REFUSED = {
    b"": "cut short at 0",
    b"\x22": "cut short at 0",
    b"\x22\x01": "cut short at 0",
    b"\x22\x01\x01\x27": "instruction at 2 is unknown",
    b"\x22\x01\x21\x00\x50\x27": "jump at 2 leads out of it",
    b"\x22\x01\x21\x00\x01\x27": "jump at 2 leads into the middle",
    b"\x02\x27": "at 0 takes more from the stack",
    b"\x22\x01" * 101 + b"\x27": "at 200 overflows the stack",
    b"\x21\x00\x00\x27": "loop at 0 never ends",
    b"\x27": "ends at 0 without a value",
    b"\x2c\x00\x07\x27": "trace state variable of the instruction at 0 is not defined",
}


@pytest.mark.parametrize("code", REFUSED)
def test_refusals_in_words(code: bytes) -> None:
    with pytest.raises(BadExpression, match=REFUSED[code]):
        BreakpointProgram((code,)).check(SIZES)


@given(code=st.binary(max_size=40))
def test_whatever_is_sound_has_a_value(code: bytes) -> None:
    try:
        BreakpointProgram((code,)).check(SIZES)
    except BadExpression:
        return
    try:
        result, _ = run(code, read_register, read_memory)
    except BadExpression:
        return
    assert 0 <= result <= MASK
