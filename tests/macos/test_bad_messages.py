"""What comes to an exception port and should not, and ports that die: told or put aside, nothing leaks."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.macos.address_space import AddressSpace
from tests.macos.mach_calls import MachCalls, MappedProcesses

pytestmark = pytest.mark.usefixtures("no_leak")
ROOT = Path(__file__).resolve().parents[2]
BASE = 0x1_0000_0000
COMPLEX = 0x80000000


def header(size: int, number: int, bits: int = 0) -> bytes:
    """mach_msg_header_t without ports."""
    return struct.pack("<IIIIIi", bits, size, 0, 0, 0, number)


def raise_message(descriptors: int = 2, codes: int = 2, kinds: tuple[int, int] = (0, 0), size: int = 84) -> bytes:
    """mach_exception_raise as the kernel lays it out, with no rights in it."""
    ports = b"".join(struct.pack("<IIHBB", 0, 0, 0, 17, kind) for kind in kinds)
    body = struct.pack("<I", descriptors) + ports + bytes(8) + struct.pack("<iI", 1, codes) + bytes(16)
    return (header(size, 2405, COMPLEX) + body)[:size]


MESSAGES = {
    "nothing but a header": header(24, 0),
    "another number": raise_message()[:20] + struct.pack("<i", 2401) + raise_message()[24:],
    "the notification of a dead name": header(36, 72) + bytes(12),
    "cut short": raise_message(size=60),
    "not complex": struct.pack("<I", 0) + raise_message()[4:],
    "one descriptor": raise_message(descriptors=1),
    "a descriptor that is no port": raise_message(kinds=(0, 1)),
    "more codes than there is room for": raise_message(codes=3),
    "codes that are not there": raise_message(codes=2, size=76),
    "a task that is not debugged": raise_message(),
}


@pytest.fixture
def process(calls: MachCalls, mapped: MappedProcesses, request: pytest.FixtureRequest, no_leak: None) -> int:
    space = AddressSpace()
    space.map(BASE, 1, 3)
    pid = mapped.start(space)
    request.addfinalizer(lambda: calls.lib.mach_kill(pid))
    assert calls.attach(pid) == (1, 0)
    calls.resume()
    return pid


@pytest.mark.parametrize("what", MESSAGES)
def test_a_message_that_is_none_of_ours_is_put_aside(calls: MachCalls, process: int, what: str) -> None:
    message = MESSAGES[what]
    assert calls.lib.sim_post_message(process, message, len(message)) == 0
    assert calls.wait(1000) == []
    assert calls.lib.sim_raise_exception(process, 1, 1, 0x1234) == 0
    (stop,) = calls.wait()
    assert (stop.kind, stop.exception, stop.codes) == (calls.lib.MACH_STOP_EXCEPTION, 1, (1, 0x1234))


@pytest.mark.parametrize(
    ("exception", "code", "signal"),
    [(1, 1, 11), (1, 2, 10), (2, 1, 4), (3, 1, 8), (5, 0x999, 5), (7, 1, 12), (12, 1, 9), (11, 1, 9), (4, 1, 5)],
)
def test_the_signal_of_an_exception(calls: MachCalls, process: int, exception: int, code: int, signal: int) -> None:
    calls.lib.sim_raise_exception(process, exception, code, 0)
    (stop,) = calls.wait()
    assert (stop.kind, stop.exception, stop.signal) == (calls.lib.MACH_STOP_EXCEPTION, exception, signal)


def test_the_process_ends_with_a_message_unread(calls: MachCalls, process: int) -> None:
    calls.lib.sim_raise_exception(process, 1, 1, 0)
    calls.lib.sim_end_process(process, 3 << 8)
    kinds = [stop.kind for stop in calls.wait()]
    assert kinds == [calls.lib.MACH_STOP_EXITED]


def test_a_second_attach_is_refused(calls: MachCalls, process: int) -> None:
    result, stage = calls.attach(process)
    assert (calls.words(result), stage) == ("Device or resource busy", calls.lib.MACH_STAGE_TASK)


def test_a_dead_port_set_is_an_error_each_time(macos_sim: Path) -> None:
    """In a process of its own: the tracer has no other set."""
    script = """
from tests.macos.address_space import AddressSpace
from tests.macos.mach_calls import MachCalls, MappedProcesses
calls = MachCalls()
space = AddressSpace()
space.map(0x100000000, 1, 3)
pid = MappedProcesses(calls).start(space)
assert calls.attach(pid) == (1, 0)
calls.lib.sim_kill_port_set()
for _ in range(2):
    calls.resume()
    result = calls.lib.mach_wait(calls._stops, 16, 1000, 0)
    print(result < 0, calls.words(result))
print(calls.read(pid, 0x100000000, 2))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    words = "True error 0x10004002 (268451842)"
    assert done.stdout.splitlines() == [words, words, "b'\\x00\\x00'"], done.stderr
