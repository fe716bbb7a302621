"""The arm64 machine code that is shipped: write path, traps, steps, watchpoints, exception messages."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.macos.address_space import (
    COPY,
    EXECUTE,
    INVALID_ADDRESS,
    PROTECTION_FAILURE,
    READ,
    SUCCESS,
    WRITE,
    AddressSpace,
)

pytest.importorskip("unicorn", reason="unicorn and lief run the arm64 code: pip install '.[macos-test]'")
pytest.importorskip("lief", reason="unicorn and lief run the arm64 code: pip install '.[macos-test]'")

from tests.macos.arm64_kernel import DEBUG_STATE, PID, TASK, THREAD, Kernel, raise_message

pytestmark = pytest.mark.timeout(600)  # the first build fills zig's cache
PAGE = 16 * 1024
BASE = 0x1_0000_0000
RX, RW = READ | EXECUTE, READ | WRITE
BRK, DEBUGTRAP, NOP = b"\x00\x00\x20\xd4", b"\x00\x00\x3e\xd4", b"\x1f\x20\x03\xd5"
SIGNAL, BREAKPOINT, HARDWARE, STEP, EXCEPTION = 1, 2, 3, 4, 6
EXECUTE_SLOT, WRITE_SLOT, READ_SLOT, ACCESS_SLOT = range(4)
EXC_BREAKPOINT = 6
BVR, BCR, WVR, WCR, MDSCR = 0, 128, 256, 384, 512

Boot = Callable[[], Kernel]


@pytest.fixture
def kernel(mac_extensions: dict[str, Path]) -> Kernel:
    """A process of an r-x text of NOPs and rw- data, attached to."""
    space = AddressSpace(PAGE)
    text = space.map(BASE, 4, RX, RX)
    text.memory[:] = NOP * (len(text.memory) // 4)
    space.map(BASE + 4 * PAGE, 2, RW)
    made = Kernel(mac_extensions["arm64"], space)
    made.pc = BASE
    assert made.attach() == 1
    assert made.suspended == {TASK: 1, THREAD: 0}
    space.trace.clear()
    return made


def write(kernel: Kernel, address: int, data: bytes) -> tuple[int, int, int]:
    """The result, and the report's error and restore_error."""
    report = kernel.machine.allocate(24)
    done = kernel.machine.call("mach_write_memory", PID, address, kernel.machine.place(data), len(data), report)
    error, restore_error = struct.unpack("<ii", kernel.machine.read(report, 8))
    return done, error, restore_error


def debug(kernel: Kernel, offset: int, slot: int = 0) -> int:
    at = offset + 8 * slot
    return int.from_bytes(kernel.states[DEBUG_STATE][at : at + 8], "little")


def test_text_is_copied_written_flushed_and_closed(kernel: Kernel) -> None:
    before = kernel.space.protections()
    assert write(kernel, BASE + PAGE - 2, b"0123") == (4, 0, 0)
    assert kernel.space.trace == [
        ("protect", BASE, 2 * PAGE, RW, PROTECTION_FAILURE),
        ("protect", BASE, 2 * PAGE, RW | COPY, SUCCESS),
        ("write", BASE + PAGE - 2, 2, SUCCESS),
        ("write", BASE + PAGE, 2, SUCCESS),
        ("protect", BASE, 2 * PAGE, RX, SUCCESS),
    ]
    assert kernel.flushed == [(BASE + PAGE - 2, 2), (BASE + PAGE, 2)]
    assert kernel.space.protections() == before


def test_a_flush_does_not_hide_a_failed_write(kernel: Kernel) -> None:
    kernel.space.before_write = lambda address: INVALID_ADDRESS
    assert write(kernel, BASE, b"0123") == (-0x10001, -0x10001, 0)
    assert kernel.flushed == []


def test_a_failed_flush_is_told_and_the_bytes_count(kernel: Kernel) -> None:
    kernel.flush_result = 5
    assert write(kernel, BASE, b"0123") == (4, -0x10005, 0)
    assert kernel.space.protections() == [(BASE, BASE + 4 * PAGE, RX), (BASE + 4 * PAGE, BASE + 6 * PAGE, RW)]


def test_a_hole_ends_the_write(kernel: Kernel) -> None:
    assert write(kernel, BASE + 6 * PAGE - 3, b"012345") == (3, -0x10001, 0)


# --- traps and steps ------------------------------------------------------------------


def plant(kernel: Kernel, address: int) -> None:
    code = kernel.machine.place(BRK)
    assert kernel.machine.call_int("mach_insert_trap", PID, address, code, 4, 0) == 0


def test_a_brk_of_ours_stops_and_is_stepped_over(kernel: Kernel) -> None:
    address = BASE + 8
    plant(kernel, address)
    assert kernel.space.peek(address, 4) == BRK
    assert kernel.resume() == 1
    assert kernel.updates == [0], "the SIGSTOP of the attach is not delivered"
    kernel.pc = address
    kernel.messages.append(raise_message(EXC_BREAKPOINT, 1, address))
    assert kernel.wait() == [(BREAKPOINT, 5, (1, address), address, 0)]
    assert kernel.suspended[TASK] == 1
    kernel.resume()
    assert kernel.space.peek(address, 4) == NOP, "the trap is out"
    assert debug(kernel, MDSCR) == 1, "MDSCR_EL1.SS"
    assert kernel.answers == [(2505, 0), (2505, 0)]
    kernel.pc = address + 4
    kernel.messages.append(raise_message(EXC_BREAKPOINT, 1, 0))
    assert kernel.wait() == []
    assert kernel.space.peek(address, 4) == BRK, "and in again, the process running"
    assert debug(kernel, MDSCR) == 0
    assert kernel.suspended[TASK] == 0


def test_a_step_stops_and_the_bit_goes(kernel: Kernel) -> None:
    kernel.resume(kind=1)
    assert debug(kernel, MDSCR) == 1
    kernel.pc = BASE + 4
    kernel.messages.append(raise_message(EXC_BREAKPOINT, 1, 0))
    assert kernel.wait() == [(STEP, 5, (1, 0), BASE + 4, 0)]
    assert debug(kernel, MDSCR) == 0


def test_a_range_step_goes_on_inside(kernel: Kernel) -> None:
    kernel.resume(3, BASE, BASE + 8)
    kernel.pc = BASE + 4
    kernel.messages.append(raise_message(EXC_BREAKPOINT, 1, 0))
    assert kernel.wait() == []
    assert debug(kernel, MDSCR) == 1
    kernel.pc = BASE + 8
    kernel.messages.append(raise_message(EXC_BREAKPOINT, 1, 0))
    assert [stop[0] for stop in kernel.wait()] == [STEP]


@pytest.mark.parametrize(("code", "skipped"), [(DEBUGTRAP, 4), (BRK, 0), (b"\x20\x00\x20\xd4", 0)])
def test_a_brk_of_the_program_stops_once(kernel: Kernel, code: bytes, skipped: int) -> None:
    kernel.space.entries[0].memory[16:20] = code
    kernel.resume()
    kernel.pc = BASE + 16
    kernel.messages.append(raise_message(EXC_BREAKPOINT, 1, BASE + 16))
    assert kernel.wait() == [(EXCEPTION, 5, (1, BASE + 16), BASE + 16 + skipped, 0)]


def test_a_trap_removed_meanwhile_stops_nothing(kernel: Kernel) -> None:
    kernel.resume()
    kernel.pc = BASE + 16
    kernel.messages.append(raise_message(EXC_BREAKPOINT, 1, BASE + 16))
    assert kernel.wait() == []
    assert (kernel.pc, kernel.answers[-1]) == (BASE + 16, (2505, 0))


# --- debug registers ---------------------------------------------------------------------

WATCH = {
    "a byte": (WRITE_SLOT, 0x1003, 1, 0x1000, 0x08 << 5 | 16 | 4 | 1),
    "four bytes": (WRITE_SLOT, 0x1004, 4, 0x1000, 0xF0 << 5 | 16 | 4 | 1),
    "eight bytes read": (READ_SLOT, 0x1000, 8, 0x1000, 0xFF << 5 | 8 | 4 | 1),
    "any access": (ACCESS_SLOT, 0x1008, 8, 0x1008, 0xFF << 5 | 24 | 4 | 1),
    "three bytes": (ACCESS_SLOT, 0x1001, 3, 0x1000, 0x0E << 5 | 24 | 4 | 1),
    "a power of two": (WRITE_SLOT, 0x10000, 0x1000, 0x10000, 12 << 24 | 0xFF << 5 | 16 | 4 | 1),
    "sixteen bytes": (WRITE_SLOT, 0x1010, 16, 0x1010, 4 << 24 | 0xFF << 5 | 16 | 4 | 1),
}


@pytest.mark.parametrize("what", WATCH)
def test_watchpoint_encoding(kernel: Kernel, what: str) -> None:
    kind, address, size, value, control = WATCH[what]
    assert kernel.machine.call_int("mach_set_hardware", PID, 3, kind, address, size) == 0
    assert (debug(kernel, WVR, 3), debug(kernel, WCR, 3)) == (value, control)
    assert kernel.task_states[DEBUG_STATE] == bytes(kernel.states[DEBUG_STATE]), "threads to come have it too"
    assert kernel.machine.call_int("mach_clear_hardware", PID, 3, kind) == 0
    assert (debug(kernel, WVR, 3), debug(kernel, WCR, 3)) == (0, 0)


@pytest.mark.parametrize(
    ("slot", "kind", "address", "size"),
    [
        (0, WRITE_SLOT, 0x1004, 8),
        (0, WRITE_SLOT, 0x1000, 12),
        (0, WRITE_SLOT, 0x1008, 16),
        (0, WRITE_SLOT, 0, 1 << 32),
        (4, WRITE_SLOT, 0x1000, 8),
        (0, EXECUTE_SLOT, 0x1002, 4),
    ],
)
def test_what_no_slot_can_hold_is_refused(kernel: Kernel, slot: int, kind: int, address: int, size: int) -> None:
    assert kernel.machine.call_int("mach_set_hardware", PID, slot, kind, address, size) == -22


def test_a_hardware_breakpoint_and_its_way_past(kernel: Kernel) -> None:
    address = BASE + 32
    assert kernel.machine.call_int("mach_set_hardware", PID, 1, EXECUTE_SLOT, address, 4) == 0
    assert (debug(kernel, BVR, 1), debug(kernel, BCR, 1)) == (address, 0xF << 5 | 7)
    kernel.resume()
    kernel.pc = address
    kernel.messages.append(raise_message(EXC_BREAKPOINT, 1, address))
    assert kernel.wait() == [(HARDWARE, 5, (1, address), address, 1)]
    kernel.resume()
    assert (debug(kernel, BCR, 1), debug(kernel, MDSCR)) == (0, 1)
    kernel.pc = address + 4
    kernel.messages.append(raise_message(EXC_BREAKPOINT, 1, 0))
    assert kernel.wait() == []
    assert (debug(kernel, BCR, 1), debug(kernel, MDSCR)) == (0xF << 5 | 7, 0)


def test_a_watchpoint_comes_before_the_access(kernel: Kernel) -> None:
    address = BASE + 4 * PAGE + 0x18
    kernel.machine.call_int("mach_set_hardware", PID, 2, WRITE_SLOT, address, 8)
    control = debug(kernel, WCR, 2)
    kernel.resume()
    kernel.pc = BASE + 64
    kernel.messages.append(raise_message(EXC_BREAKPOINT, 0x102, address + 4))
    assert kernel.wait() == [(HARDWARE, 5, (0x102, address + 4, 2), BASE + 64, 2)]
    kernel.resume()
    assert (debug(kernel, WCR, 2), debug(kernel, MDSCR)) == (0, 1), "out, for one step"
    kernel.pc = BASE + 68
    kernel.messages.append(raise_message(EXC_BREAKPOINT, 1, 0))
    assert kernel.wait() == []
    assert debug(kernel, WCR, 2) == control


# --- messages -------------------------------------------------------------------------------


def test_a_fault_is_decoded(kernel: Kernel) -> None:
    kernel.resume()
    kernel.messages.append(raise_message(1, 1, 0xFFFF_FFFF_1234))
    assert kernel.wait() == [(EXCEPTION, 11, (1, 0xFFFF_FFFF_1234), BASE, 0)]


def test_codes_are_signed_64_bit_numbers(kernel: Kernel) -> None:
    kernel.resume()
    kernel.messages.append(raise_message(1, 2, -8))
    assert kernel.wait()[0][:3] == (EXCEPTION, 10, (2, 0xFFFF_FFFF_FFFF_FFF8))


def test_a_soft_signal_is_told(kernel: Kernel) -> None:
    kernel.resume()
    kernel.messages.append(raise_message(5, 0x10003, 30))
    assert kernel.wait() == [(SIGNAL, 30, (0x10003, 30), BASE, 0)]


def test_a_short_message_is_put_aside(kernel: Kernel) -> None:
    kernel.resume()
    kernel.messages.append(raise_message(1, 1, 2)[:40])
    kernel.messages[-1] = kernel.messages[-1][:4] + struct.pack("<I", 40) + kernel.messages[-1][8:]
    answers = len(kernel.answers)
    assert kernel.wait() == []
    assert len(kernel.answers) == answers
