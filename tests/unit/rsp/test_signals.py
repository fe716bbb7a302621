from __future__ import annotations

import shutil
import signal
import subprocess

import pytest

from pydbgserver.rsp.signals import GDB_UNKNOWN, LINUX

DIFFERENT = [
    (7, 10, "SIGBUS"),
    (10, 30, "SIGUSR1"),
    (12, 31, "SIGUSR2"),
    (17, 20, "SIGCHLD"),
    (18, 19, "SIGCONT"),
    (19, 17, "SIGSTOP"),
    (20, 18, "SIGTSTP"),
    (23, 16, "SIGURG"),
    (29, 23, "SIGIO"),
    (30, 32, "SIGPWR"),
    (31, 12, "SIGSYS"),
    (32, 77, "SIG32"),
    (33, 45, "SIG33"),
    (34, 46, "SIG34"),
    (63, 75, "SIG63"),
    (64, 78, "SIG64"),
]


@pytest.mark.parametrize(("linux", "gdb", "name"), DIFFERENT)
def test_numbers_that_differ(linux: int, gdb: int, name: str) -> None:
    assert (LINUX.to_gdb(linux), LINUX.from_gdb(gdb), LINUX.names[linux]) == (gdb, linux, name)


def test_every_linux_signal_has_a_name_and_comes_back() -> None:
    assert sorted(LINUX.names) == list(range(1, 65))
    for linux in LINUX.names:
        if linux != 16:
            assert LINUX.from_gdb(LINUX.to_gdb(linux)) == linux
        assert LINUX.number_of(LINUX.names[linux]) == linux


def test_signals_that_one_side_does_not_have() -> None:
    assert LINUX.to_gdb(16) == LINUX.to_gdb(65) == GDB_UNKNOWN
    assert LINUX.from_gdb(7) is LINUX.from_gdb(29) is LINUX.from_gdb(79) is LINUX.from_gdb(GDB_UNKNOWN) is None
    assert LINUX.from_gdb(33) == signal.SIGPOLL
    assert LINUX.to_gdb(0) == LINUX.from_gdb(0) == 0


def test_names() -> None:
    assert LINUX.number_of("SEGV") == LINUX.number_of("SIGSEGV") == 11
    assert LINUX.number_of("SIGNONE") is None


def test_names_are_those_of_the_system() -> None:
    for number, name in LINUX.names.items():
        if number < 32:
            assert getattr(signal, name) == number


@pytest.mark.skipif(shutil.which("gdb") is None, reason="gdb, the authority on its own numbers, is not installed")
def test_gdb_agrees() -> None:
    """``info signals`` lists them in the order of their numbers, from 1 on, with the unknown one left out."""
    done = subprocess.run(
        ["gdb", "-nx", "-q", "-batch", "-ex", "info signals"],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        check=True,
    )
    listed = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("SIG")]
    for linux, name in LINUX.names.items():
        if linux != 16:
            assert listed[LINUX.to_gdb(linux) - 1] == name
