"""The siginfo of 32-bit programs: each kind, from a 64-bit structure laid out as <asm-generic/siginfo.h> has it."""

from __future__ import annotations

import struct
from signal import SIGALRM, SIGCHLD, SIGIO, SIGSEGV, SIGSYS, SIGTRAP, SIGUSR1

import pytest

from pydbgserver.backends.linux.siginfo import SIZE, narrowed, widened

SI_USER, SI_KERNEL, SI_QUEUE, SI_TIMER, SI_TKILL = 0, 0x80, -1, -2, -6
SEGV_MAPERR, SEGV_BNDERR, SEGV_PKUERR, CLD_EXITED, POLL_IN, SYS_SECCOMP = 1, 3, 4, 1, 1, 1
TRAP_HWBKPT, TRAP_PERF = 4, 6

# signal, code, the rest of the 64-bit structure from byte 16 on, the rest of the 32-bit one from byte 12 on
KINDS = [
    (SIGUSR1, SI_USER, struct.pack("<iI", 1234, 1000), struct.pack("<iI", 1234, 1000)),
    (SIGUSR1, SI_TKILL, struct.pack("<iI", 1234, 1000), struct.pack("<iI", 1234, 1000)),
    (SIGUSR1, SI_QUEUE, struct.pack("<iIQ", 1234, 1000, 0xDEADBEEF), struct.pack("<iII", 1234, 1000, 0xDEADBEEF)),
    (SIGALRM, SI_TIMER, struct.pack("<iiQ", 7, 2, 0x8000), struct.pack("<iiI", 7, 2, 0x8000)),
    (SIGTRAP, SI_KERNEL, bytes(8), bytes(8)),
    (SIGTRAP, TRAP_HWBKPT, struct.pack("<Q", 0xF7FC1000), struct.pack("<I", 0xF7FC1000)),
    (SIGTRAP, TRAP_PERF, struct.pack("<QQII", 16, 9, 1, 1), struct.pack("<IIII", 16, 9, 1, 1)),
    (SIGSEGV, SEGV_MAPERR, struct.pack("<Q", 0x40), struct.pack("<I", 0x40)),
    (SIGSEGV, SEGV_BNDERR, struct.pack("<QQQQ", 0x40, 0, 16, 32), struct.pack("<IIII", 0x40, 0, 16, 32)),
    (SIGSEGV, SEGV_PKUERR, struct.pack("<QQI", 0x40, 0, 5), struct.pack("<III", 0x40, 0, 5)),
    (
        SIGCHLD,
        CLD_EXITED,
        struct.pack("<iIi4xqq", 99, 1000, 42, 3, -1),
        struct.pack("<iIiii", 99, 1000, 42, 3, -1),
    ),
    (SIGIO, POLL_IN, struct.pack("<qi", -5, 3), struct.pack("<ii", -5, 3)),
    (SIGSYS, SYS_SECCOMP, struct.pack("<QiI", 0x8048000, 20, 3), struct.pack("<IiI", 0x8048000, 20, 3)),
]
every_kind = pytest.mark.parametrize(
    ("signal", "code", "wide", "narrow"), KINDS, ids=[f"{kind[0].name}:{kind[1]}" for kind in KINDS]
)


def structure(signal: int, code: int, start: int, rest: bytes) -> bytes:
    return (struct.pack("<iii", signal, 0, code).ljust(start, b"\0") + rest).ljust(SIZE, b"\0")


@every_kind
def test_kinds_in_both_directions(signal: int, code: int, wide: bytes, narrow: bytes) -> None:
    kernels, programs = structure(signal, code, 16, wide), structure(signal, code, 12, narrow)
    assert narrowed(kernels) == programs
    assert widened(programs) == kernels


def test_x32_has_64_bit_times_of_a_child() -> None:
    kernels = structure(SIGCHLD, CLD_EXITED, 16, struct.pack("<iIi4xQQ", 99, 1000, 42, 1 << 40, 5))
    programs = structure(SIGCHLD, CLD_EXITED, 12, struct.pack("<iIiQQ", 99, 1000, 42, 1 << 40, 5))
    assert narrowed(kernels, x32=True) == programs
    assert widened(programs, x32=True) == kernels
    assert narrowed(kernels) != programs


@pytest.mark.parametrize("filler", [b"\0", b"\xff", b"\x7f"])
def test_any_bytes_make_some_structure(filler: bytes) -> None:
    for signal in (0, 11, 17, 29, 31, 64, -1):
        for code in (-9, -6, -1, 0, 1, 6, 0x7F, 0x80, 0x10000):
            whole = structure(signal & 0x7F, code, 12, filler * (SIZE - 12))
            assert len(narrowed(whole)) == len(widened(whole)) == SIZE
