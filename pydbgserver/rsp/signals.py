"""Signal numbers: Linux's own, and the ones gdb's protocol uses for every system.

gdb numbers are those of its header signals.def, in the order in which ``info signals`` lists them. Linux numbers
are those of x86, ARM and RISC-V (asm-generic/signal.h); real-time signals are kernel numbers, 32 to 64.
"""

from __future__ import annotations

GDB_UNKNOWN = 143
"""What gdb calls a signal that it has no number for."""

SIGNALS = (
    # name, Linux, gdb
    ("SIGHUP", 1, 1),
    ("SIGINT", 2, 2),
    ("SIGQUIT", 3, 3),
    ("SIGILL", 4, 4),
    ("SIGTRAP", 5, 5),
    ("SIGABRT", 6, 6),
    ("SIGBUS", 7, 10),
    ("SIGFPE", 8, 8),
    ("SIGKILL", 9, 9),
    ("SIGUSR1", 10, 30),
    ("SIGSEGV", 11, 11),
    ("SIGUSR2", 12, 31),
    ("SIGPIPE", 13, 13),
    ("SIGALRM", 14, 14),
    ("SIGTERM", 15, 15),
    ("SIGSTKFLT", 16, None),
    ("SIGCHLD", 17, 20),
    ("SIGCONT", 18, 19),
    ("SIGSTOP", 19, 17),
    ("SIGTSTP", 20, 18),
    ("SIGTTIN", 21, 21),
    ("SIGTTOU", 22, 22),
    ("SIGURG", 23, 16),
    ("SIGXCPU", 24, 24),
    ("SIGXFSZ", 25, 25),
    ("SIGVTALRM", 26, 26),
    ("SIGPROF", 27, 27),
    ("SIGWINCH", 28, 28),
    ("SIGIO", 29, 23),
    ("SIGPWR", 30, 32),
    ("SIGSYS", 31, 12),
    ("SIG32", 32, 77),
    *((f"SIG{number}", number, number + 12) for number in range(33, 64)),
    ("SIG64", 64, 78),
)

NAMES: dict[int, str] = {linux: name for name, linux, _ in SIGNALS}
"""By Linux number."""

_NUMBERS: dict[str, int] = {name: linux for name, linux, _ in SIGNALS}
_TO_GDB: dict[int, int] = {linux: gdb for _, linux, gdb in SIGNALS if gdb is not None}
_FROM_GDB: dict[int, int] = {gdb: linux for linux, gdb in _TO_GDB.items()}
# gdb has two numbers for what is one signal on Linux: SIGPOLL is SIGIO.
_FROM_GDB[33] = 29


def to_gdb(linux: int) -> int:
    """gdb's number of a Linux signal; 0 stays 0, and what gdb has no number for is `GDB_UNKNOWN`."""
    return _TO_GDB.get(linux, GDB_UNKNOWN) if linux else 0


def from_gdb(gdb: int) -> int | None:
    """The Linux number of gdb's signal; 0 stays 0, None for a signal that Linux does not have."""
    return _FROM_GDB.get(gdb) if gdb else 0


def name_of(linux: int) -> str:
    """ "SIGSEGV" for 11; "SIG65" for a number without a name."""
    return NAMES.get(linux) or f"SIG{linux}"


def number_of(name: str) -> int | None:
    """The Linux number of "SIGSEGV" or "SEGV", None for a name that is none."""
    return _NUMBERS.get(name if name.startswith("SIG") else "SIG" + name)
