"""The siginfo of a 32-bit program, from and to the 64-bit structure that the kernel exchanges with a 64-bit tracer.

Both begin with si_signo, si_errno and si_code; what follows depends on them. Sources:
include/uapi/asm-generic/siginfo.h, include/linux/compat.h (compat_siginfo), arch/x86/include/asm/compat.h, and
siginfo_layout() of kernel/signal.c.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

SIZE = 128
SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV, SIGCHLD, SIGPOLL, SIGSYS = 4, 5, 7, 8, 11, 17, 29, 31
SI_KERNEL, SI_TIMER, SI_SIGIO, TRAP_PERF = 0x80, -2, -5, 6

_HEADER = struct.Struct("<iii")


class Field(NamedTuple):
    """One value: offset and size in the 64-bit structure, offset and size in the 32-bit one."""

    wide: int
    wide_size: int
    narrow: int
    narrow_size: int
    signed: bool = False


_SENDER = (Field(16, 4, 12, 4), Field(20, 4, 16, 4))
_KILL = _SENDER
_QUEUED = (*_SENDER, Field(24, 8, 20, 4))
_TIMER = _QUEUED
_FAULT = (Field(16, 8, 12, 4), Field(24, 2, 16, 2), Field(32, 8, 20, 4), Field(40, 8, 24, 4))
"""Address, its least significant bit, and either bounds or a protection key in the place of the lower bound."""
_PERF = (Field(16, 8, 12, 4), Field(24, 8, 16, 4), Field(32, 4, 20, 4), Field(36, 4, 24, 4))
_CHILD = (*_SENDER, Field(24, 4, 20, 4), Field(32, 8, 24, 4, True), Field(40, 8, 28, 4, True))
_CHILD_X32 = (*_SENDER, Field(24, 4, 20, 4), Field(32, 8, 24, 8), Field(40, 8, 32, 8))
"""Times have 64 bits there."""
_POLL = (Field(16, 8, 12, 4, True), Field(24, 4, 16, 4))
_CALL = (Field(16, 8, 12, 4), Field(24, 4, 16, 4), Field(28, 4, 20, 4))

_BY_SIGNAL = {
    **dict.fromkeys((SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV), _FAULT),
    SIGPOLL: _POLL,
    SIGSYS: _CALL,
}
_BY_CODE = {SI_TIMER: _TIMER, SI_SIGIO: _POLL, 0: _KILL, SI_KERNEL: _KILL}


def _fields(signal: int, code: int, *, x32: bool) -> Iterable[Field]:
    if not 0 < code < SI_KERNEL:
        return _BY_CODE.get(code, _QUEUED)
    if (signal, code) == (SIGTRAP, TRAP_PERF):
        return _PERF
    if signal == SIGCHLD:
        return _CHILD_X32 if x32 else _CHILD
    return _BY_SIGNAL.get(signal, _QUEUED)


def narrowed(wide: bytes, *, x32: bool = False) -> bytes:
    """The 128 bytes that a 32-bit program would see, of the 128 that the kernel gave."""
    result = bytearray(SIZE)
    number, error, code = _HEADER.unpack_from(wide)
    _HEADER.pack_into(result, 0, number, error, code)
    for field in _fields(number, code, x32=x32):
        value = wide[field.wide : field.wide + field.wide_size]
        result[field.narrow : field.narrow + field.narrow_size] = value[: field.narrow_size]
    return bytes(result)


def widened(narrow: bytes, *, x32: bool = False) -> bytes:
    """What the kernel takes, of the 128 bytes as a 32-bit program sees them."""
    result = bytearray(SIZE)
    number, error, code = _HEADER.unpack_from(narrow)
    _HEADER.pack_into(result, 0, number, error, code)
    for field in _fields(number, code, x32=x32):
        data = narrow[field.narrow : field.narrow + field.narrow_size]
        value = int.from_bytes(data, "little", signed=field.signed)
        result[field.wide : field.wide + field.wide_size] = value.to_bytes(
            field.wide_size, "little", signed=field.signed
        )
    return bytes(result)
