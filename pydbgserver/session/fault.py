"""A signal's siginfo in words, as lldb shows it beside the stop: "signal SIGSEGV: address not mapped to object ...".

The numbers are Linux's (include/uapi/asm-generic/siginfo.h), the words those of lldb-server on Linux.
"""

from __future__ import annotations

import struct
from signal import Signals

_HEADERS = {8: struct.Struct("<iii4xQ"), 4: struct.Struct("<iiiI")}
"""si_signo, si_errno, si_code, si_addr of a little-endian siginfo_t, by the size of a pointer."""

_WITH_ADDRESS = frozenset({Signals.SIGSEGV, Signals.SIGBUS})

SI_KERNEL = 0x80

CODES = {
    (Signals.SIGILL, 1): "illegal opcode",
    (Signals.SIGILL, 2): "illegal operand",
    (Signals.SIGILL, 3): "illegal addressing mode",
    (Signals.SIGILL, 4): "illegal trap",
    (Signals.SIGILL, 5): "privileged opcode",
    (Signals.SIGILL, 6): "privileged register",
    (Signals.SIGILL, 7): "coprocessor error",
    (Signals.SIGILL, 8): "internal stack error",
    (Signals.SIGFPE, 1): "integer divide by zero",
    (Signals.SIGFPE, 2): "integer overflow",
    (Signals.SIGFPE, 3): "floating point divide by zero",
    (Signals.SIGFPE, 4): "floating point overflow",
    (Signals.SIGFPE, 5): "floating point underflow",
    (Signals.SIGFPE, 6): "floating point inexact result",
    (Signals.SIGFPE, 7): "floating point invalid operation",
    (Signals.SIGFPE, 8): "subscript out of range",
    (Signals.SIGBUS, 1): "illegal alignment",
    (Signals.SIGBUS, 2): "illegal address",
    (Signals.SIGBUS, 3): "hardware error",
    (Signals.SIGSEGV, 1): "address not mapped to object",
    (Signals.SIGSEGV, 2): "invalid permissions for mapped object",
    (Signals.SIGSEGV, 3): "failed address bounds checks",
    (Signals.SIGSEGV, SI_KERNEL): "invalid address",
}


def describe(siginfo: bytes, pointer_size: int = 8) -> str:
    """Words for a siginfo_t as the program has it; "" if signal and code say nothing beyond the signal's name."""
    header = _HEADERS[pointer_size]
    if len(siginfo) < header.size:
        return ""
    number, _, code, address = header.unpack_from(siginfo)
    words = CODES.get((number, code))
    if words is None:
        return ""
    number = Signals(number)
    where = f" (fault address: {address:#x})" if number in _WITH_ADDRESS else ""
    return f"signal {number.name}: {words}{where}"
