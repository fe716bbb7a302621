"""What happens at bad moments: ends that nobody tells of, signals during steps, execs while all is being stopped."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.macos.mach_calls import CONTINUE, STEP, MachCalls
from tests.macos.test_child import DARWIN_USR1, Launch, Running, launch, only, plant, running  # noqa: F401 - fixtures
from tests.programs import Programs

pytestmark = pytest.mark.usefixtures("no_leak")
TEN_MS = 10_000


@pytest.fixture
def passing_usr1(calls: MachCalls) -> Iterator[None]:
    """SIGUSR1 goes to the program without a stop."""
    options = calls.ffi.new("mach_options *")
    options.program_signals = (1 << 64) - 1
    options.pass_signals = 1 << (DARWIN_USR1 - 1)
    calls.lib.mach_configure(options)
    yield
    options.pass_signals = 0
    options.report_execs = 1
    calls.lib.mach_configure(options)


def test_a_passed_signal_ends_a_step(calls: MachCalls, launch: Launch, passing_usr1: None) -> None:  # noqa: F811
    """The step would end behind the handler (XNU clears the trace flag for it); the client steps over it instead."""
    pid = launch("spinner")
    os.kill(pid, signal.SIGUSR1)
    stop = only(calls.run((STEP, -1, 0)))
    assert (stop.kind, stop.signal) == (calls.lib.MACH_STOP_SIGNAL, DARWIN_USR1)
    assert only(calls.run((CONTINUE, -1, DARWIN_USR1))).signal == DARWIN_USR1


def test_a_passed_signal_stops_nothing_else(calls: MachCalls, launch: Launch, passing_usr1: None) -> None:  # noqa: F811
    pid = launch("spinner")
    os.kill(pid, signal.SIGUSR1)
    stop = only(calls.run())
    assert (stop.kind, stop.signal) == (calls.lib.MACH_STOP_KILLED, DARWIN_USR1)


def test_the_main_thread_may_end_before_the_others(
    calls: MachCalls,
    launch: Launch,  # noqa: F811
    program: Programs,
) -> None:
    pid = launch("leader_exit", stdin_path="/dev/null")
    plant(calls, pid, program("leader_exit"), "leader_gone")
    stop = only(calls.run())
    assert stop.tid != pid
    assert calls.threads(pid) == [stop.tid]
    assert only(calls.run((STEP, stop.tid, 0))).tid == stop.tid
    stop = only(calls.run())
    assert (stop.kind, stop.value) == (calls.lib.MACH_STOP_EXITED, 3)


def test_a_process_without_its_main_thread_is_stopped_and_killed(
    calls: MachCalls,
    launch: Launch,  # noqa: F811
    tmp_path: Path,
) -> None:
    output = tmp_path / "output"
    os.mkfifo(tmp_path / "input")
    keeper = os.open(tmp_path / "input", os.O_RDWR)
    try:
        pid = launch("leader_exit", stdin_path=str(tmp_path / "input"), stdout_path=str(output))
        calls.resume()
        deadline = time.monotonic() + 20
        while not output.read_text() and time.monotonic() < deadline:
            assert calls.wait(TEN_MS) == []
        calls.lib.mach_interrupt(pid)
        stop = only(calls.wait())
        assert (stop.kind, len(calls.threads(pid))) == (calls.lib.MACH_STOP_INTERRUPT, 1)
        assert pid not in calls.threads(pid)
        assert calls.lib.mach_kill(pid) == 0
    finally:
        os.close(keeper)


def test_a_process_is_opened_after_its_main_thread_has_ended(
    calls: MachCalls,
    running: Running,  # noqa: F811
) -> None:
    process = running("leader_exit")
    assert calls.attach(process.pid) == (1, 0)
    region = calls.ffi.new("mach_region *")
    assert calls.lib.mach_region_at(process.pid, 0, 0, region) == 0
    assert calls.read(process.pid, region.start, 4) == b"\x7fELF"
    calls.resume()
    assert calls.wait(TEN_MS) == []
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    stop = only(calls.wait())
    assert (stop.kind, stop.value) == (calls.lib.MACH_STOP_EXITED, 3)


def test_a_kill_while_threads_are_made(calls: MachCalls, launch: Launch) -> None:  # noqa: F811
    """A thread that nobody has told of yet does not keep the process's end back."""
    for _ in range(10):
        pid = launch("churn", "3")
        calls.resume()
        assert calls.wait(TEN_MS) == []
        assert calls.lib.mach_kill(pid) == 0


def test_interrupts_around_an_exec(calls: MachCalls, launch: Launch, program: Programs) -> None:  # noqa: F811
    """Whatever the stop meets: the old program, the exec itself, or the new program."""
    kinds = {calls.lib.MACH_STOP_INTERRUPT, calls.lib.MACH_STOP_EXEC, calls.lib.MACH_STOP_EXITED}
    for wait_us in range(0, 1500, 50):
        pid = launch("exec_thread", str(program("exit_code")), "9")
        stops, last = [], 0
        calls.resume()
        while last != calls.lib.MACH_STOP_EXITED:
            found = calls.wait(wait_us)
            if not found:
                calls.lib.mach_interrupt(pid)
                found = calls.wait()
            stops += [stop.kind for stop in found]
            last = found[-1].kind
            if last != calls.lib.MACH_STOP_EXITED:
                calls.resume()
                wait_us = 10_000_000
        assert stops.count(calls.lib.MACH_STOP_EXEC) == 1 and set(stops) <= kinds
        assert found[-1].value == 9
