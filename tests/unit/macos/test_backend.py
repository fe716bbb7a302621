"""The Mach backend over a made-up C core: memory, registers, breakpoints, stops and their ends."""

from __future__ import annotations

import errno

import pytest

from pydbgserver.backends.macos.backend import MacBackend
from pydbgserver.backends.macos.tracer import Tracer
from pydbgserver.errors import (
    AttachError,
    BadAddress,
    DebugError,
    LaunchError,
    NoDebugRegister,
    NoSuchProcess,
    NoSuchThread,
)
from pydbgserver.target.api import LaunchSpec, ResumeAction, ResumeKind, RunOptions
from pydbgserver.target.capabilities import (
    ExecFile,
    HardwareDebug,
    MachException,
    MachExceptions,
    MachThreads,
    MemoryAllocation,
    MemoryMap,
    RegisterSnapshots,
    SignalSending,
    StandardStreams,
    ThreadHandles,
)
from pydbgserver.target.events import (
    BreakpointHit,
    Execed,
    Interrupted,
    NoneResumed,
    ProcessExited,
    SignalStop,
    StepDone,
    WatchKind,
    WatchpointHit,
)
from pydbgserver.target.registers import pc, read_register, set_pc, write_register
from tests.unit.macos.fake_mach import (
    ARM64,
    CODE,
    DATA,
    FFI,
    INVALID_ADDRESS,
    INVALID_ARGUMENT,
    KERN,
    PAGE,
    PID,
    PROGRAM,
    PROTECTION_FAILURE,
    STACK,
    TID,
    X86_64,
    FakeMach,
    make,
)

ALL = [ResumeAction(ResumeKind.CONTINUE)]
both = pytest.mark.parametrize("cpu", [X86_64, ARM64], ids=["x86_64", "arm64"])


@both
def test_what_the_backend_lacks_its_processes_lack(cpu: int) -> None:
    _, backend, process = make(cpu)
    assert backend.lacking
    assert [kind for kind in backend.lacking if process.capability(kind) is not None] == []


@both
def test_the_cpu_is_that_of_the_program(cpu: int) -> None:
    _, _, process = make(cpu)
    assert process.arch.llvm_arch == {X86_64: "x86_64", ARM64: "arm64"}[cpu]
    assert process.arch.osabi == "Darwin"
    assert process.attached and list(process.threads()) == [TID]
    assert pc(process, TID) == CODE


def test_the_best_float_state_is_chosen_by_sysctl() -> None:
    sizes = {}
    for name in ("hw.optional.avx512f", "hw.optional.avx1_0", "hw.optional.nothing"):
        fake = FakeMach()
        fake.sysctls.pop("hw.optional.avx1_0")
        fake.sysctls[name] = b"\1\0\0\0"
        _, _, process = make(prepare=lambda one, new=fake: one.__dict__.update(new.__dict__))  # type: ignore[misc]
        sizes[name] = process.arch.regsets_by_name["float"].size
    assert list(sizes.values()) == [2444, 844, 524]


def test_a_float_state_that_a_thread_lacks_is_read_and_written_as_a_smaller_one() -> None:
    fake, _, process = make()
    fake.tasks[PID].threads[TID].pop(17)
    fake.tasks[PID].threads[TID][5] = b"\x11" * 524
    assert process.read_regset(TID, "float") == b"\x11" * 524 + bytes(320)
    process.write_regset(TID, "float", b"\x22" * 844)
    assert fake.log[-1] == ("write_state", TID, 5, 524)
    assert fake.tasks[PID].threads[TID][5] == b"\x22" * 524


def test_registers_that_the_kernel_does_not_give() -> None:
    _, _, process = make()
    ss = process.arch.by_name["ss"].number
    assert read_register(process, TID, ss) == bytes(4)
    write_register(process, TID, ss, bytes(4))
    with pytest.raises(DebugError, match="lets nobody set the registers of the fixed state"):
        write_register(process, TID, ss, b"\x2b\0\0\0")
    with pytest.raises(DebugError, match="exception state"):
        write_register(process, TID, process.arch.by_name["err"].number, b"\1\0\0\0")


@both
def test_registers_are_read_once_per_stop(cpu: int) -> None:
    fake, backend, process = make(cpu)
    set_pc(process, TID, CODE + 16)
    assert pc(process, TID) == CODE + 16
    fake.tasks[PID].set_pc(TID, CODE + 32)
    assert pc(process, TID) == CODE + 16
    fake.stops.append([fake.stop(5)])
    assert backend.resume(ALL) == [Interrupted(PID, TID)]
    assert pc(process, TID) == CODE + 32
    with pytest.raises(NoSuchThread):
        process.read_regset(7, "float")


def test_signed_pointers_are_plain_wherever_they_come_from() -> None:
    fake, backend, process = make(ARM64)
    fake.tasks[PID].set_pc(TID, 0x2A00000000000000 | CODE)
    assert pc(process, TID) == CODE
    fake.stops.append([fake.stop(5)])
    backend.resume(ALL)
    assert pc(process, TID) == CODE


def test_memory() -> None:
    _, _, process = make()
    assert process.read_memory(CODE + 1, 3) == b"\1\2\3"
    process.write_memory(DATA + PAGE - 4, b"tail")
    assert process.read_memory(DATA + PAGE - 4, 100) == b"tail"
    with pytest.raises(BadAddress):
        process.read_memory(0, 1)
    with pytest.raises(BadAddress, match=r"cannot write 2 bytes at 0x100005000: KERN_INVALID_ADDRESS \(1\)"):
        process.write_memory(DATA + PAGE - 2, b"abcd")
    assert process.read_memory(DATA + PAGE - 2, 2) == b"ab"
    process.write_memory(0, b"")
    assert process.read_memory(0, 0) == b""


def test_a_protection_that_stays_changed_is_an_error() -> None:
    fake, _, process = make()
    fake.fail["restore"] = PROTECTION_FAILURE
    with pytest.raises(
        DebugError, match=r"1 bytes were written at 0x100000000, but .*0x100001000 .*PROTECTION_FAILURE"
    ):
        process.write_memory(CODE, b"\xcc")


def test_a_process_that_is_gone() -> None:
    fake, _, process = make()
    fake.tasks.clear()
    with pytest.raises(NoSuchProcess):
        process.read_memory(CODE, 1)
    with pytest.raises(NoSuchProcess):
        process.write_memory(CODE, b"x")
    fake.fail["mach_insert_trap"] = -0x10000003
    with pytest.raises(NoSuchProcess):
        process.insert_breakpoint(CODE, 1)


@both
def test_breakpoints(cpu: int) -> None:
    fake, backend, process = make(cpu)
    process.insert_breakpoint(CODE + 8, 1)
    code = {X86_64: (b"\xcc", 1), ARM64: (b"\0\0\x20\xd4", 0)}[cpu]
    assert fake.log[-1] == ("insert", CODE + 8, *code)
    exception = {X86_64: (2, 0), ARM64: (1, CODE + 8)}[cpu]
    fake.stops.append([fake.stop(2, pc=CODE + 8, exception=6, codes=exception)])
    assert backend.resume(ALL) == [BreakpointHit(PID, TID, CODE + 8)]
    told = process.capability(MachExceptions)
    assert told is not None and told.exception(TID) == MachException(6, exception)
    process.remove_breakpoint(CODE + 8, 1)
    assert not fake.tasks[PID].traps
    with pytest.raises(BadAddress, match=r"cannot plant a breakpoint of . bytes at 0x10: KERN_INVALID_ADDRESS"):
        process.insert_breakpoint(0x10, 1)


def test_a_step_and_the_exception_of_the_stop_before_it() -> None:
    fake, backend, process = make()
    fake.stops.append([fake.stop(6, signal=11, exception=1, codes=(1, 0x10))])
    assert backend.resume(ALL) == [SignalStop(PID, TID, 11)]
    assert process.exceptions == {TID: MachException(1, (1, 0x10))}
    assert backend.resume([ResumeAction(ResumeKind.STEP, PID, TID)]) == [StepDone(PID, TID)]
    assert process.exceptions == {TID: MachException(6, (1, 0))}
    assert pc(process, TID) == CODE + 1


def test_stops_of_other_kinds() -> None:
    fake, backend, process = make()
    fake.stops.extend(
        [
            [fake.stop(1, signal=30, exception=5, codes=(0x10003, 30))],
            [fake.stop(16)],
            [fake.stop(11)],
            [fake.stop(14, value=7)],
        ]
    )
    assert backend.resume(ALL) == [SignalStop(PID, TID, 30)]
    assert process.exceptions == {}
    assert backend.resume(ALL) == [NoneResumed(PID, TID)]
    fake.tasks[PID].path = "/usr/local/bin/other"
    assert backend.resume(ALL) == [Execed(PID, TID, "/usr/local/bin/other")]
    assert backend.resume(ALL) == [ProcessExited(PID, exit_code=7)]
    assert not backend.processes


def test_a_death_by_signal() -> None:
    fake, backend, _ = make()
    fake.stops.append([fake.stop(15, signal=9)])
    assert backend.resume(ALL) == [ProcessExited(PID, signal=9)]


def test_an_exec_forgets_what_was_of_the_old_program() -> None:
    fake, backend, process = make()
    hardware = process.capability(HardwareDebug)
    assert hardware is not None
    hardware.insert(WatchKind.WRITE, DATA, 8)
    fake.stops.append([fake.stop(11)])
    backend.resume(ALL)
    again = process.capability(HardwareDebug)
    assert again is not None and again is not hardware
    for index in range(4):
        again.insert(WatchKind.WRITE, DATA + 8 * index, 8)


def test_an_exec_of_what_cannot_be_debugged_does_not_end_the_server(capfd: pytest.CaptureFixture[str]) -> None:
    fake, backend, process = make()
    fake.stops.append([fake.stop(11)])
    fake.fail["mach_describe_process"] = -errno.ESRCH
    assert backend.resume(ALL) == [Execed(PID, TID, "")]
    assert process.arch.llvm_arch == "x86_64"
    assert "after its exec" in capfd.readouterr().err


@both
def test_hardware_watchpoints(cpu: int) -> None:
    fake, backend, process = make(cpu)
    hardware = process.capability(HardwareDebug)
    assert hardware is not None and hardware.slots == 4
    hardware.insert(WatchKind.WRITE, DATA + 8, 8)
    hardware.insert(WatchKind.ACCESS, DATA + 16, 4)
    assert fake.tasks[PID].hardware == {(False, 0): (DATA + 8, 8), (False, 1): (DATA + 16, 4)}
    codes = {X86_64: (1, 0), ARM64: (0x102, DATA + 16)}[cpu]
    fake.stops.append([fake.stop(3, value=1, exception=6, codes=codes)])
    assert backend.resume(ALL) == [WatchpointHit(PID, TID, DATA + 16, WatchKind.ACCESS, 1)]
    hardware.remove(WatchKind.WRITE, DATA + 8, 8)
    hardware.remove(WatchKind.WRITE, DATA + 8, 8)
    assert fake.tasks[PID].hardware == {(False, 1): (DATA + 16, 4)}


def test_breakpoints_and_watchpoints_of_arm64_have_registers_of_their_own() -> None:
    fake, backend, process = make(ARM64)
    hardware = process.capability(HardwareDebug)
    assert hardware is not None
    for index in range(4):
        hardware.insert(WatchKind.WRITE, DATA + 64 * index, 16)
    for index in range(6):
        hardware.insert(WatchKind.EXECUTE, CODE + 4 * index, 4)
    with pytest.raises(NoDebugRegister, match="0 of 6"):
        hardware.insert(WatchKind.EXECUTE, CODE + 64, 4)
    with pytest.raises(NoDebugRegister, match="0 of 4"):
        hardware.insert(WatchKind.READ, DATA + 0x400, 1)
    fake.stops.append([fake.stop(3, value=2, pc=CODE + 8, exception=6, codes=(1, CODE + 8))])
    assert backend.resume(ALL) == [BreakpointHit(PID, TID, CODE + 8, hardware=True)]


def test_debug_registers_that_the_kernel_refuses_are_given_back() -> None:
    fake, _, process = make()
    hardware = process.capability(HardwareDebug)
    assert hardware is not None
    fake.fail["mach_set_hardware"] = INVALID_ARGUMENT
    with pytest.raises(NoDebugRegister, match="KERN_INVALID_ARGUMENT"):
        hardware.insert(WatchKind.WRITE, DATA, 8)
    del fake.fail["mach_set_hardware"]
    for index in range(4):
        hardware.insert(WatchKind.WRITE, DATA + 8 * index, 8)


def test_the_memory_map() -> None:
    _, _, process = make()
    memory_map = process.capability(MemoryMap)
    assert memory_map is not None and memory_map.page_size == PAGE and memory_map.always_dirty_pages
    code, data, guard, stack = memory_map.regions()
    assert (code.start, code.end, code.permissions, code.max_permissions) == (CODE, CODE + PAGE, "rx", "rx")
    assert (code.name, code.share_mode, code.kind) == (PROGRAM, "COW", "")
    assert (data.kind, guard.kind, guard.permissions, stack.kind) == ("heap,malloc-tiny", "stack-guard", "", "stack")
    assert memory_map.region_at(CODE + 5) == code
    gap = memory_map.region_at(CODE + PAGE + 1)
    assert (gap.start, gap.end, gap.permissions, gap.name) == (CODE + PAGE, DATA, "", "")
    above = memory_map.region_at(STACK + 0x10000)
    assert (above.start, above.end) == (STACK + 2 * PAGE, 1 << 64)
    process.write_memory(STACK + PAGE, b"x")
    assert memory_map.dirty_pages(stack) == [STACK + PAGE]
    assert memory_map.dirty_pages(data) == []
    assert memory_map.flags(code) == ()


def test_the_map_is_asked_for_again_after_a_resume() -> None:
    fake, backend, process = make()
    memory_map = process.capability(MemoryMap)
    assert memory_map is not None
    assert len(memory_map.regions()) == 4
    fake.tasks[PID].regions.pop()
    assert len(memory_map.regions()) == 4
    fake.stops.append([fake.stop(5)])
    backend.resume(ALL)
    assert len(memory_map.regions()) == 3


def test_allocation() -> None:
    fake, _, process = make()
    allocation = process.capability(MemoryAllocation)
    assert allocation is not None
    address = allocation.allocate(0x1000, "rwx")
    assert fake.log[-1] == ("allocate", 0x1000, 5)
    allocation.free(address)
    assert fake.log[-1] == ("free", address, 0x1000)
    with pytest.raises(BadAddress):
        allocation.free(address)


def test_small_capabilities() -> None:
    fake, _, process = make()
    file, signals, threads = (process.capability(kind) for kind in (ExecFile, SignalSending, MachThreads))
    assert isinstance(file, ExecFile) and file.exec_file() == PROGRAM
    assert isinstance(signals, SignalSending)
    signals.send(30)
    assert fake.log[-1] == ("signal", PID, 30)
    assert isinstance(threads, MachThreads) and threads.handles(TID) == ThreadHandles(0, 0)
    process.write_memory(DATA + 0x100, (0x7000).to_bytes(8, "little"))
    process.write_memory(DATA + 0x200, (0x9000).to_bytes(8, "little"))
    assert threads.handles(TID) == ThreadHandles(0x7000, 0x9000)
    assert process.thread_name(TID) == "main"
    assert process.capability(StandardStreams) is None


def test_snapshots_bring_registers_back() -> None:
    fake, _, process = make()
    snapshots = process.capability(RegisterSnapshots)
    assert snapshots is not None
    saved = snapshots.save(TID)
    set_pc(process, TID, CODE + 64)
    snapshots.restore(TID, saved)
    assert fake.tasks[PID].pc(TID) == CODE


def test_launch() -> None:
    fake, backend, _ = make()
    spec = LaunchSpec("/bin/true", ("a b", "c"), through_shell=True, pty=True)
    process = backend.launch(spec)
    assert not process.attached
    entry = fake.log[-1]
    assert entry[:4] == ("launch", "/bin/true", 1, 0) and entry[4] >= 0
    streams = process.capability(StandardStreams)
    assert streams is not None and streams.terminal >= 0
    process.kill()
    assert streams.terminal == -1


@pytest.mark.parametrize(
    ("stage", "result", "words"),
    [
        (1, -errno.EACCES, "cannot execute /bin/true: Permission denied"),
        (2, -errno.ENOENT, "cannot change to directory /nowhere: No such file or directory"),
        (4, -(KERN + 3), "cannot debug /bin/true: the kernel says: error"),
        (6, -errno.ETIMEDOUT, "cannot debug /bin/true: its first stop did not come in time"),
        (7, -errno.ECHILD, "did not start: the process ended with status 0"),
    ],
)
def test_launches_that_fail(stage: int, result: int, words: str) -> None:
    fake, backend, _ = make()
    fake.stage, fake.fail["launch"] = stage, result
    with pytest.raises(LaunchError, match=words):
        backend.launch(LaunchSpec("/bin/true", working_directory="/nowhere"))


def test_what_cannot_be_debugged_is_let_go() -> None:
    def translate(fake: FakeMach) -> None:
        fake.tasks[PID].translated = True

    with pytest.raises(AttachError, match="Rosetta"):
        make(prepare=translate)
    fake = FakeMach()
    fake.tasks[PID].cpu = 18
    with pytest.raises(AttachError, match="cputype 0x12"):
        MacBackend(Tracer(fake, FFI)).attach(PID)
    assert fake.log[-1] == ("detach", PID, 0)


def test_options_are_handed_over() -> None:
    fake, backend, _ = make()
    backend.set_options(RunOptions(pass_signals=frozenset({1, 30}), ignored_exceptions=frozenset({1, 12})))
    assert fake.options["pass_signals"] == 1 << 0 | 1 << 29
    assert fake.options["ignored_exceptions"] == 1 << 1 | 1 << 12
    assert fake.options["program_signals"] == 2**64 - 1


def test_without_a_client_everything_is_taken_out_and_runs_on() -> None:
    fake, backend, process = make()
    process.insert_breakpoint(CODE, 1)
    assert not backend.resume(ALL)
    backend.set_options(RunOptions(unattended=True))
    assert ("interrupt", PID) in fake.log and ("lift", PID) in fake.log
    assert fake.log[-1] == ("resume", -1, -1, 0, 0)
    assert fake.options["unattended"] == 1


def test_release() -> None:
    fake, backend, _ = make()
    backend.release()
    assert fake.log[-1] == ("detach", PID, 0)
    assert not backend.processes
    fake, backend, process = make()
    process.attached = False
    backend.release()
    assert fake.log[-1] == ("kill", PID)


def test_errors_have_the_kernels_words_and_a_number_for_the_wire() -> None:
    fake, _, process = make()
    fake.fail["mach_page_size_of"] = INVALID_ADDRESS
    with pytest.raises(DebugError, match=r"page size of process 500: KERN_INVALID_ADDRESS \(1\)") as caught:
        process.capability(MemoryMap)
    assert caught.value.code == errno.EFAULT
    fake.fail["mach_write_state"] = -errno.EPERM
    with pytest.raises(DebugError, match="write the registers of thread") as caught:
        process.write_regset(TID, "float", bytes(844))
    assert caught.value.code == errno.EPERM
