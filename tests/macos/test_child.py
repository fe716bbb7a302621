"""The Mach tracer on real children: launch, traps, steps, watchpoints, signals, threads, exec, attach, detach, kill."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.macos.mach_calls import CONTINUE, SECONDS, STEP, STOP, MachCalls, Stop
from tests.programs import Programs

pytestmark = pytest.mark.usefixtures("no_leak")
THREAD_STATE, DEBUG_STATE = 4, 11
RIP, RSP = 128, 56
DARWIN_USR1, DARWIN_USR2, DARWIN_STOP = 30, 31, 17
SOFT_SIGNAL = 0x10003
INT3 = b"\xcc"

Launch = Callable[..., int]


@pytest.fixture
def launch(calls: MachCalls, program: Programs, no_leak: None) -> Iterator[Launch]:
    """Launch a test program with no output; what is still there at the end is killed."""
    started: list[int] = []

    def start(name: str, *arguments: str, execs: int = 0, **paths: str) -> int:
        paths.setdefault("stdout_path", "/dev/null")
        pid = calls.launch(str(program(name)), *arguments, execs=execs, **paths)
        started.append(pid)
        return pid

    yield start
    for pid in started:
        calls.lib.mach_kill(pid)


def symbol(path: Path, name: str) -> int:
    """The file's address of the symbol."""
    listed = subprocess.run(["nm", str(path)], capture_output=True, text=True, check=True).stdout
    return next(int(line.split()[0], 16) for line in listed.splitlines() if line.split()[-1] == name)


def base(calls: MachCalls, pid: int, path: Path) -> int:
    """Where the file is mapped."""
    buffer = calls.ffi.new("char[]", 1024)
    region = calls.ffi.new("mach_region *")
    address = 0
    while calls.check(calls.lib.mach_region_at(pid, address, 0, region)) >= 0:
        length = calls.lib.mach_region_path(pid, region.start, buffer, 1024)
        if length > 0 and calls.ffi.string(buffer).decode() == str(path.resolve()):
            start: int = region.start
            return start
        address = region.start + region.size
    raise AssertionError("not mapped")


def plant(calls: MachCalls, pid: int, path: Path, name: str) -> int:
    address = base(calls, pid, path) + symbol(path, name)
    calls.check(calls.lib.mach_insert_trap(pid, address, INT3, 1, 1))
    return address


def only(stops: list[Stop]) -> Stop:
    assert len(stops) == 1, stops
    return stops[0]


def test_an_exit_status_arrives(calls: MachCalls, launch: Launch) -> None:
    pid = launch("exit_code", "5")
    assert calls.threads(pid) == [pid]
    stop = only(calls.run())
    assert (stop.pid, stop.kind, stop.value) == (pid, calls.lib.MACH_STOP_EXITED, 5)


def test_a_trap_in_text_is_planted_by_a_copy(
    calls: MachCalls, launch: Launch, program: Programs, tmp_path: Path
) -> None:
    pid = launch("loop", "2")
    path = program("loop")
    start = base(calls, pid, path) + symbol(path, "tick")
    before = calls.region(pid, start).protection
    with calls.logged(tmp_path / "log"):
        address = plant(calls, pid, path, "tick")
    lines = (tmp_path / "log").read_text().splitlines()
    protects = [(line.split(")")[0].rsplit(" ", 1)[1], line.split(" = ")[1]) for line in lines if "vm_protect" in line]
    assert protects == [("0x3", "2 KERN_PROTECTION_FAILURE"), ("0x13", "0 KERN_SUCCESS"), ("0x5", "0 KERN_SUCCESS")]
    assert calls.region(pid, start).protection == before == 5
    for _ in range(2):
        stop = only(calls.run())
        assert (stop.kind, stop.pc, stop.exception, stop.codes) == (
            calls.lib.MACH_STOP_BREAKPOINT, address, 6, (2, 0),
        )  # fmt: skip
    assert only(calls.run()).kind == calls.lib.MACH_STOP_EXITED
    assert path.read_bytes().count(INT3) == program("loop").read_bytes().count(INT3)


def test_a_step_from_a_trap_runs_the_instruction_below(calls: MachCalls, launch: Launch, program: Programs) -> None:
    pid = launch("loop", "1")
    address = plant(calls, pid, program("loop"), "tick")
    calls.run()
    stop = only(calls.run((STEP, -1, 0)))
    assert stop.kind == calls.lib.MACH_STOP_STEP
    assert stop.pc > address
    state = calls.state(pid, THREAD_STATE, 168)
    assert struct.unpack_from("<Q", state, RIP)[0] == stop.pc
    assert calls.read(pid, address, 1) != INT3


def test_a_range_step_ends_outside(calls: MachCalls, launch: Launch, program: Programs) -> None:
    pid = launch("loop", "1")
    address = plant(calls, pid, program("loop"), "tick")
    calls.run()
    calls.step_range(address, address + 8)
    stop = only(calls.wait())
    assert stop.kind == calls.lib.MACH_STOP_STEP
    assert address + 8 <= stop.pc < address + 32


def test_a_watchpoint_tells_its_slot(calls: MachCalls, launch: Launch, program: Programs) -> None:
    pid = launch("watch")
    path = program("watch")
    address = base(calls, pid, path) + symbol(path, "counter")
    assert calls.lib.mach_set_hardware(pid, 2, calls.lib.MACH_WATCH_WRITE, address, 8) == 0
    values = []
    for _ in range(3):
        stop = only(calls.run())
        assert (stop.kind, stop.value & 0xFF, stop.codes) == (calls.lib.MACH_STOP_HARDWARE, 2, (1, 0))
        values.append(struct.unpack("<q", calls.read(pid, address, 8))[0])
    assert values == [10, 20, 30]
    assert calls.lib.mach_clear_hardware(pid, 2, calls.lib.MACH_WATCH_WRITE) == 0
    assert only(calls.run()).kind == calls.lib.MACH_STOP_EXITED


def test_a_hardware_breakpoint_lets_its_thread_pass(calls: MachCalls, launch: Launch, program: Programs) -> None:
    pid = launch("loop", "3")
    path = program("loop")
    address = base(calls, pid, path) + symbol(path, "tick")
    assert calls.lib.mach_set_hardware(pid, 0, calls.lib.MACH_WATCH_EXECUTE, address, 1) == 0
    for _ in range(3):
        stop = only(calls.run())
        assert (stop.kind, stop.value & 0xFF, stop.pc) == (calls.lib.MACH_STOP_HARDWARE, 0, address)
    assert only(calls.run()).kind == calls.lib.MACH_STOP_EXITED


@pytest.mark.parametrize(
    ("slot", "kind", "address", "size"), [(4, 1, 0x1000, 8), (0, 1, 0x1001, 8), (0, 2, 0x1000, 8), (-1, 1, 0x1000, 1)]
)
def test_what_no_slot_can_hold_is_refused(
    calls: MachCalls, launch: Launch, slot: int, kind: int, address: int, size: int
) -> None:
    pid = launch("exit_code")
    result = calls.lib.mach_set_hardware(pid, slot, kind, address, size)
    assert calls.words(result) == "Invalid argument"


def test_a_shared_slot_is_not_taken_twice(calls: MachCalls, launch: Launch) -> None:
    pid = launch("exit_code")
    assert calls.lib.mach_set_hardware(pid, 1, calls.lib.MACH_WATCH_WRITE, 0x1000, 8) == 0
    result = calls.lib.mach_set_hardware(pid, 1, calls.lib.MACH_WATCH_EXECUTE, 0x1000, 1)
    assert calls.words(result) == "Device or resource busy"


@pytest.mark.parametrize(("passed", "handled"), [(True, "got 10\ngot 12\nhandled 2\n"), (False, "handled 0\n")])
def test_soft_signals_stop_and_are_delivered_or_not(
    calls: MachCalls, launch: Launch, tmp_path: Path, passed: bool, handled: str
) -> None:
    output = tmp_path / "out"
    launch("signals", "self", stdout_path=str(output))
    signals = []
    stop = only(calls.run())
    while stop.kind == calls.lib.MACH_STOP_SIGNAL:
        signals.append(stop.signal)
        assert (stop.exception, stop.codes) == (5, (SOFT_SIGNAL, stop.signal))
        stop = only(calls.run((CONTINUE, -1, stop.signal if passed else 0)))
    assert signals == [DARWIN_USR1, DARWIN_USR2]
    assert stop.kind == calls.lib.MACH_STOP_EXITED
    assert output.read_text() == "ready\n" + handled


def test_passed_signals_stop_nothing(calls: MachCalls, launch: Launch, tmp_path: Path) -> None:
    output = tmp_path / "out"
    options = calls.ffi.new("mach_options *")
    options.pass_signals = 1 << (DARWIN_USR1 - 1) | 1 << (DARWIN_USR2 - 1)
    options.program_signals = (1 << 64) - 1
    calls.lib.mach_configure(options)
    launch("signals", "self", stdout_path=str(output))
    assert only(calls.run()).kind == calls.lib.MACH_STOP_EXITED
    options.pass_signals = 0
    options.report_execs = 1
    calls.lib.mach_configure(options)
    assert output.read_text() == "ready\ngot 10\ngot 12\nhandled 2\n"


def test_a_signal_from_the_client_is_not_told_again(calls: MachCalls, launch: Launch, program: Programs) -> None:
    launch("loop", "1")
    stop = only(calls.run((CONTINUE, -1, 15)))
    assert (stop.kind, stop.signal) == (calls.lib.MACH_STOP_KILLED, 15)


def test_a_fault_can_be_retried_or_handed_on(calls: MachCalls, launch: Launch) -> None:
    launch("segfault", "0x10")
    stop = only(calls.run())
    assert (stop.kind, stop.signal, stop.exception, stop.codes) == (
        calls.lib.MACH_STOP_EXCEPTION, 11, 1, (1, 0x10),
    )  # fmt: skip
    again = only(calls.run())
    assert (again.pc, again.codes) == (stop.pc, stop.codes)
    end = only(calls.run((CONTINUE, -1, 11)))
    assert (end.kind, end.signal) == (calls.lib.MACH_STOP_KILLED, 11)


def test_a_protected_page_is_a_bus_error(calls: MachCalls, launch: Launch) -> None:
    launch("segfault", "write")
    stop = only(calls.run())
    assert (stop.signal, stop.exception, stop.codes[0]) == (10, 1, 2)


def test_a_trap_on_the_stack_is_a_breakpoint(calls: MachCalls, launch: Launch) -> None:
    """gdb lets functions that it calls return there."""
    pid = launch("exit_code")
    state = bytearray(calls.state(pid, THREAD_STATE, 168))
    (stack,) = struct.unpack_from("<Q", state, RSP)
    address = stack - 64
    calls.check(calls.lib.mach_insert_trap(pid, address, INT3, 1, 1))
    struct.pack_into("<Q", state, RIP, address)
    assert calls.lib.mach_write_state(pid, THREAD_STATE, bytes(state), len(state)) == len(state)
    stop = only(calls.run())
    assert (stop.kind, stop.signal, stop.pc, stop.exception) == (calls.lib.MACH_STOP_BREAKPOINT, 5, address, 1)


def test_threads_are_listed_held_and_stepped_alone(calls: MachCalls, launch: Launch, program: Programs) -> None:
    pid = launch("threads", stdin_path="/dev/null")
    plant(calls, pid, program("threads"), "all_here")
    stop = only(calls.run())
    assert stop.tid == pid
    tids = calls.threads(pid)
    assert (len(tids), tids[0]) == (6, pid)
    buffer = calls.ffi.new("char[64]")
    names = set()
    for tid in tids[1:]:
        calls.check(calls.lib.mach_thread_name(tid, buffer, 64))
        names.add(calls.ffi.string(buffer).decode())
    assert names == {f"worker-{i}" for i in range(5)}
    before = [calls.state(tid, THREAD_STATE, 168) for tid in tids[1:]]
    stop = only(calls.run((STEP, pid, 0), (STOP, -1, 0)))
    assert (stop.tid, stop.kind) == (pid, calls.lib.MACH_STOP_STEP)
    assert [calls.state(tid, THREAD_STATE, 168) for tid in tids[1:]] == before
    assert only(calls.run()).kind == calls.lib.MACH_STOP_EXITED


def test_watchpoints_reach_threads_to_come(calls: MachCalls, launch: Launch, program: Programs) -> None:
    pid = launch("threads", stdin_path="/dev/null")
    path = program("threads")
    assert calls.lib.mach_set_hardware(pid, 0, calls.lib.MACH_WATCH_WRITE, 0x12345678, 8) == 0
    plant(calls, pid, path, "all_here")
    calls.run()
    states = [calls.state(tid, DEBUG_STATE, 64) for tid in calls.threads(pid)]
    assert [struct.unpack_from("<Q", state)[0] for state in states] == [0x12345678] * 6


def test_an_interrupt_stops_without_a_signal(calls: MachCalls, launch: Launch) -> None:
    pid = launch("spinner")
    calls.resume()
    assert calls.wait(1000) == []
    assert calls.lib.mach_running() >= 1
    calls.lib.mach_interrupt(pid)
    stop = only(calls.wait())
    assert (stop.kind, stop.signal, stop.exception) == (calls.lib.MACH_STOP_INTERRUPT, 0, 0)
    assert calls.lib.mach_running() == 0


def test_an_exec_makes_another_task_of_the_same_process(calls: MachCalls, launch: Launch, program: Programs) -> None:
    pid = launch("exec", str(program("exit_code")), "9")
    plant(calls, pid, program("exec"), "main")
    assert only(calls.run()).kind == calls.lib.MACH_STOP_BREAKPOINT
    stop = only(calls.run())
    assert (stop.pid, stop.kind, stop.codes) == (pid, calls.lib.MACH_STOP_EXEC, (SOFT_SIGNAL, 5))
    plant(calls, pid, program("exit_code"), "main")
    assert only(calls.run()).kind == calls.lib.MACH_STOP_BREAKPOINT
    stop = only(calls.run())
    assert (stop.kind, stop.value) == (calls.lib.MACH_STOP_EXITED, 9)


def test_a_shell_is_followed_to_the_program(calls: MachCalls, program: Programs, no_leak: None) -> None:
    path = program("exit_code")
    spec = calls.launch_spec("/bin/sh", "-c", f"exec {path} 3", execs=1, stdout_path="/dev/null")
    pid = calls.check(calls.lib.mach_launch(spec))
    assert base(calls, pid, path)
    stop = only(calls.run())
    assert (stop.kind, stop.value) == (calls.lib.MACH_STOP_EXITED, 3)


def test_what_cannot_be_started_is_told(calls: MachCalls, tmp_path: Path) -> None:
    spec = calls.launch_spec(str(tmp_path / "nothing"))
    result = calls.lib.mach_launch(spec)
    assert (calls.words(result), spec.stage) == ("No such file or directory", calls.lib.MACH_STAGE_SPAWN)


def test_a_process_that_ends_before_its_program_is_told(calls: MachCalls) -> None:
    spec = calls.launch_spec("/bin/sh", "-c", "exit 3", execs=1)
    assert calls.lib.mach_launch(spec) < 0
    assert (spec.stage, spec.exit_status) == (calls.lib.MACH_STAGE_EXITED, 3 << 8)


def test_memory_is_allocated_and_freed(calls: MachCalls, launch: Launch) -> None:
    pid = launch("exit_code")
    address = calls.check(calls.lib.mach_allocate_memory(pid, 8192, 5))
    assert calls.region(pid, address).protection == 5
    assert calls.write(pid, address + 4090, b"0123456789")[0] == 10
    assert calls.read(pid, address + 4090, 10) == b"0123456789"
    assert calls.lib.mach_free_memory(pid, address, 8192) == 0
    report = calls.write(pid, address, b"x")[1]
    assert calls.words(report.error) == "KERN_INVALID_ADDRESS (1)"


def test_written_pages_are_dirty(calls: MachCalls, launch: Launch, program: Programs) -> None:
    pid = launch("loop", "1")
    start = base(calls, pid, program("loop"))
    pages = calls.ffi.new("int32_t[3]")
    assert calls.lib.mach_page_dispositions(pid, start, 3 * 4096, pages, 3) == 3
    before = [page & 8 for page in pages]
    calls.write(pid, start + 4096, calls.read(pid, start + 4096, 1))
    calls.lib.mach_page_dispositions(pid, start, 3 * 4096, pages, 3)
    assert (before, [page & 8 for page in pages]) == ([0, 0, 0], [0, 8, 0])


# --- attach, detach, kill -----------------------------------------------------------


@pytest.fixture
def running(calls: MachCalls, program: Programs, no_leak: None) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a test program by itself; it has said "ready"."""
    started: list[subprocess.Popen[str]] = []

    def start(name: str, *arguments: str) -> subprocess.Popen[str]:
        command = [str(program(name)), *arguments]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ready")
        return process

    yield start
    for process in started:
        calls.lib.mach_kill(process.pid)  # one that a failed test has left attached
        process.kill()
        process.communicate()


Running = Callable[..., "subprocess.Popen[str]"]


def test_attach_stops_and_detach_lets_go(calls: MachCalls, running: Running, program: Programs) -> None:
    process = running("threads")
    assert calls.attach(process.pid) == (6, 0)
    assert calls.wait(1000) == []
    address = plant(calls, process.pid, program("threads"), "all_here")
    calls.lib.mach_set_hardware(process.pid, 0, calls.lib.MACH_WATCH_WRITE, 0x1000, 8)
    assert calls.lib.mach_detach(process.pid, 0) == 0
    with open(f"/proc/{process.pid}/mem", "rb") as memory:
        memory.seek(address)
        assert memory.read(1) != INT3
    output, _ = process.communicate("\n", timeout=20)
    assert (process.returncode, output) == (0, "")


def test_a_process_that_job_control_has_stopped(calls: MachCalls, running: Running) -> None:
    process = running("threads")
    process.send_signal(signal.SIGSTOP)
    assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])
    assert calls.attach(process.pid) == (6, 0)
    assert calls.lib.mach_detach(process.pid, 0) == 0
    process.communicate("\n", timeout=20)
    assert process.returncode == 0


def test_detach_while_running(calls: MachCalls, running: Running) -> None:
    process = running("threads")
    calls.attach(process.pid)
    calls.resume()
    assert calls.wait(1000) == []
    assert calls.lib.mach_detach(process.pid, 0) == 0
    process.communicate("\n", timeout=20)
    assert process.returncode == 0


def test_detach_stopped_leaves_it_to_job_control(calls: MachCalls, running: Running) -> None:
    process = running("threads")
    calls.attach(process.pid)
    assert calls.lib.mach_detach(process.pid, 1) == 0
    pid, status = os.waitpid(process.pid, os.WUNTRACED)
    assert (pid, os.WSTOPSIG(status)) == (process.pid, signal.SIGSTOP)
    process.send_signal(signal.SIGCONT)
    process.communicate("\n", timeout=20)


def test_kill_ends_it_without_an_event(calls: MachCalls, launch: Launch) -> None:
    pid = launch("spinner")
    calls.resume()
    assert calls.lib.mach_kill(pid) == 0
    assert calls.wait(1000) == []
    assert not os.path.exists(f"/proc/{pid}")


def test_what_cannot_be_opened_is_told(calls: MachCalls) -> None:
    result, stage = calls.attach(0x3FFFFFFF)
    assert (calls.words(result), stage) == ("KERN_FAILURE (5)", calls.lib.MACH_STAGE_TASK)


def test_a_target_that_is_killed_from_outside(calls: MachCalls, launch: Launch) -> None:
    pid = launch("spinner")
    os.kill(pid, signal.SIGKILL)
    stop = only(calls.run())
    assert (stop.kind, stop.signal) == (calls.lib.MACH_STOP_KILLED, 9)
    assert calls.lib.mach_threads(pid, calls.ffi.NULL, 0) < 0


def test_a_signal_during_the_wait(calls: MachCalls, launch: Launch) -> None:
    pid = launch("spinner")
    calls.resume()
    os.kill(pid, signal.SIGUSR1)
    stop = only(calls.wait(10 * SECONDS))
    assert (stop.kind, stop.signal) == (calls.lib.MACH_STOP_SIGNAL, DARWIN_USR1)


def test_processes_are_described(calls: MachCalls, launch: Launch, program: Programs) -> None:
    pid = launch("exit_code", "7")
    described = calls.ffi.new("mach_process_description *")
    assert calls.lib.mach_describe_process(pid, described) == 0
    assert (described.pid, described.parent_pid, described.uid) == (pid, os.getpid(), os.getuid())
    assert calls.ffi.string(described.path).decode() == str(program("exit_code").resolve())
    block = calls.ffi.new("uint8_t[]", 65536)
    size = calls.check(calls.lib.mach_process_arguments(pid, block, 65536))
    raw = bytes(calls.ffi.buffer(block, size))
    assert raw[:4] == b"\x02\0\0\0"
    assert raw[4:].lstrip(b"\0").split(b"\0")[-0:][0].decode() == str(program("exit_code").resolve())
    pids = calls.ffi.new("int32_t[]", 65536)
    count = calls.lib.mach_list_processes(pids, 65536)
    assert pid in list(pids[0:count])
