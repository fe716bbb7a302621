"""What the kernel tells beside the program's state: details of threads, protection keys, terminals."""

from __future__ import annotations

import os
import sys
import termios

from pydbgserver.backends.linux import procfs, spawn, tracer
from pydbgserver.target.api import LaunchSpec
from pydbgserver.target.capabilities import StandardStreams, ThreadDetails
from tests.live.debuggee import Debuggees

SMAPS = """\
555555554000-555555555000 r-xp 00000000 fe:00 4711       /bin/program
Size:                  4 kB
ProtectionKey:         3
VmFlags: rd ex mr mw me
7ffff7ff0000-7ffff7ff1000 rw-p 00000000 00:00 0
Size:                  4 kB
VmFlags: rd wr mt
"""


def test_details_of_a_thread(debuggees: Debuggees) -> None:
    target = debuggees.launch("exit_code")
    details = target.process.capability(ThreadDetails)
    assert details is not None
    found = details.details(target.pid)
    assert found["state"] == "t"
    assert found["policy"] == "SCHED_OTHER"
    assert found["nice"] == os.nice(0)
    assert found["core"] in range(os.cpu_count() or 1)
    assert isinstance(found["user_time"], float) and found["user_time"] >= 0


def test_protection_keys_and_flags_of_mappings() -> None:
    details = procfs.parse_details(SMAPS)
    assert details["ProtectionKey"] == {0x555555554000: ("3",)}
    assert details["VmFlags"][0x7FFFF7FF0000] == ("rd", "wr", "mt")


def test_the_size_of_the_programs_terminal(debuggees: Debuggees) -> None:
    """As the server's end has it before the program runs: both ends are one terminal."""
    process = debuggees.backend.launch(LaunchSpec(sys.executable, pty=True, window_size=(33, 111)))
    streams = process.capability(StandardStreams)
    assert streams is not None
    assert termios.tcgetwinsize(streams.terminal) == (33, 111)
    process.kill()


def test_a_terminal_without_a_size(debuggees: Debuggees) -> None:
    started = spawn.launch(LaunchSpec(sys.executable, pty=True))
    assert termios.tcgetwinsize(started.terminal) == (0, 0)
    tracer.kill(started.pid)
    os.close(started.terminal)
