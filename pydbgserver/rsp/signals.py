"""Signal numbers: each system's own, and the ones gdb's protocol uses for all of them.

gdb numbers are those of its header signals.def, in the order in which ``info signals`` lists them. Linux numbers
are those of x86, ARM and RISC-V (asm-generic/signal.h); real-time signals are kernel numbers, 32 to 64. Darwin's
are those of <sys/signal.h>.
"""

from __future__ import annotations

from collections.abc import Iterable

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

DARWIN_SIGNALS = (
    # name, Darwin, gdb
    ("SIGHUP", 1, 1),
    ("SIGINT", 2, 2),
    ("SIGQUIT", 3, 3),
    ("SIGILL", 4, 4),
    ("SIGTRAP", 5, 5),
    ("SIGABRT", 6, 6),
    ("SIGEMT", 7, 7),
    ("SIGFPE", 8, 8),
    ("SIGKILL", 9, 9),
    ("SIGBUS", 10, 10),
    ("SIGSEGV", 11, 11),
    ("SIGSYS", 12, 12),
    ("SIGPIPE", 13, 13),
    ("SIGALRM", 14, 14),
    ("SIGTERM", 15, 15),
    ("SIGURG", 16, 16),
    ("SIGSTOP", 17, 17),
    ("SIGTSTP", 18, 18),
    ("SIGCONT", 19, 19),
    ("SIGCHLD", 20, 20),
    ("SIGTTIN", 21, 21),
    ("SIGTTOU", 22, 22),
    ("SIGIO", 23, 23),
    ("SIGXCPU", 24, 24),
    ("SIGXFSZ", 25, 25),
    ("SIGVTALRM", 26, 26),
    ("SIGPROF", 27, 27),
    ("SIGWINCH", 28, 28),
    ("SIGINFO", 29, 142),
    ("SIGUSR1", 30, 30),
    ("SIGUSR2", 31, 31),
)


class Numbering:
    """One system's signals. `names`: by its own numbers."""

    def __init__(self, rows: Iterable[tuple[str, int, int | None]], *, poll: int) -> None:
        """`rows`: name, own number, gdb's number (None: it has none). `poll`: what gdb's SIGPOLL is here."""
        listed = tuple(rows)
        self.names: dict[int, str] = {number: name for name, number, _ in listed}
        self._numbers: dict[str, int] = {name: number for name, number, _ in listed}
        self._to_gdb: dict[int, int] = {number: gdb for _, number, gdb in listed if gdb is not None}
        self._from_gdb: dict[int, int] = {gdb: number for number, gdb in self._to_gdb.items()}
        self._from_gdb[GDB_POLL] = poll

    def to_gdb(self, number: int) -> int:
        """gdb's number of a signal; 0 stays 0, and what gdb has no number for is `GDB_UNKNOWN`."""
        return self._to_gdb.get(number, GDB_UNKNOWN) if number else 0

    def from_gdb(self, gdb: int) -> int | None:
        """The number of gdb's signal; 0 stays 0, None for a signal that the system does not have."""
        return self._from_gdb.get(gdb) if gdb else 0

    def number_of(self, name: str) -> int | None:
        """The number of "SIGSEGV" or "SEGV", None for a name that is none."""
        return self._numbers.get(name if name.startswith("SIG") else "SIG" + name)


GDB_POLL = 33
"""gdb has two numbers for what is one signal: SIGPOLL is SIGIO."""

LINUX = Numbering(SIGNALS, poll=29)
DARWIN = Numbering(DARWIN_SIGNALS, poll=23)
NUMBERINGS = {"linux": LINUX, "darwin": DARWIN}
"""By what `Backend.signal_numbering` says."""
