"""A siginfo in lldb-server's words."""

from __future__ import annotations

import struct

import pytest

from pydbgserver.session.fault import describe


def siginfo(number: int, code: int, address: int) -> bytes:
    return struct.pack("<iiiiQ", number, 0, code, 0, address).ljust(128, b"\0")


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (siginfo(11, 1, 0), "signal SIGSEGV: address not mapped to object (fault address: 0x0)"),
        (siginfo(11, 2, 0x401000), "signal SIGSEGV: invalid permissions for mapped object (fault address: 0x401000)"),
        (siginfo(11, 0x80, 0), "signal SIGSEGV: invalid address (fault address: 0x0)"),
        (siginfo(7, 2, 0x10), "signal SIGBUS: illegal address (fault address: 0x10)"),
        (siginfo(8, 1, 0x401000), "signal SIGFPE: integer divide by zero"),
        (siginfo(11, 0, 0), ""),
        (siginfo(10, -6, 0), ""),
        (b"", ""),
    ],
)
def test_words(raw: bytes, words: str) -> None:
    assert describe(raw) == words


def test_a_32_bit_program_has_the_address_elsewhere() -> None:
    raw = struct.pack("<iiiI", 11, 0, 1, 0xF7FC1000).ljust(128, b"\0")
    assert describe(raw, 4) == "signal SIGSEGV: address not mapped to object (fault address: 0xf7fc1000)"
