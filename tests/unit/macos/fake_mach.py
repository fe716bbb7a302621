"""The calls of native/cdef/mach.h over a made-up Mac, in Python: for tests of everything above them.

`FakeMach` is a `lib` to hand to `Tracer` with `FFI`. What happens to a running program is scripted: `FakeMach.stops`
holds, for each `mach_wait` that has something to say, the records. A step moves the PC by one instruction.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cffi import FFI as Interface

from pydbgserver.backends.macos.backend import MacBackend
from pydbgserver.backends.macos.process import MacProcess
from pydbgserver.backends.macos.tracer import Tracer

FFI = Interface()
FFI.cdef((Path(__file__).parents[3] / "native" / "cdef" / "mach.h").read_text())

KERN = 0x10000
INVALID_ADDRESS, PROTECTION_FAILURE, INVALID_ARGUMENT, FAILURE = (-(KERN + code) for code in (1, 2, 4, 5))
WORDS = {
    INVALID_ADDRESS: "KERN_INVALID_ADDRESS (1)",
    PROTECTION_FAILURE: "KERN_PROTECTION_FAILURE (2)",
    INVALID_ARGUMENT: "KERN_INVALID_ARGUMENT (4)",
    FAILURE: "KERN_FAILURE (5)",
}
R, W, X = 1, 2, 4
X86_64, ARM64 = 0x01000007, 0x0100000C
CODE, DATA, STACK = 0x100000000, 0x100004000, 0x7FFEEF400000
PAGE = 0x1000
PID, TID = 500, 0x1A2B
PROGRAM = "/Users/dev/prog"

SIZES = {
    X86_64: {4: 168, 5: 524, 17: 844, 20: 2444, 6: 16, 11: 64},
    ARM64: {6: 272, 17: 528, 7: 16, 15: 520},
}
GENERAL = {X86_64: (4, 128, 1), ARM64: (6, 256, 4)}
"""Flavor of the general state, where the PC is in it, bytes of an instruction."""


@dataclass
class FakeRegion:
    start: int
    data: bytearray
    protection: int = R | W
    maximum: int = R | W | X
    tag: int = 0
    share_mode: int = 2
    path: str = ""
    dirty: set[int] = field(default_factory=set)

    @property
    def end(self) -> int:
        return self.start + len(self.data)


def default_regions() -> list[FakeRegion]:
    return [
        FakeRegion(CODE, bytearray(range(256)) * (PAGE // 256), R | X, R | X, share_mode=1, path=PROGRAM),
        FakeRegion(DATA, bytearray(PAGE), share_mode=2, tag=7),
        FakeRegion(STACK - PAGE, bytearray(PAGE), 0, R | W | X, tag=30, share_mode=3),
        FakeRegion(STACK, bytearray(2 * PAGE), tag=30),
    ]


class FakeTask:
    """One process: threads with their states by flavor, regions, planted traps, debug registers."""

    def __init__(self, pid: int, cpu: int, threads: int = 1) -> None:
        self.pid = pid
        self.cpu = cpu
        self.regions = default_regions()
        self.threads = {
            TID + index: {flavor: bytes(size) for flavor, size in SIZES[cpu].items()} for index in range(threads)
        }
        self.traps: dict[int, bytes] = {}
        self.hardware: dict[tuple[int, int], tuple[int, int]] = {}
        self.allocated: dict[int, int] = {}
        self.path = PROGRAM
        self.traced = False
        self.translated = False
        for tid in self.threads:
            self.set_pc(tid, CODE)

    def set_pc(self, tid: int, address: int) -> None:
        flavor, offset, _ = GENERAL[self.cpu]
        state = bytearray(self.threads[tid][flavor])
        state[offset : offset + 8] = address.to_bytes(8, "little")
        self.threads[tid][flavor] = bytes(state)

    def pc(self, tid: int) -> int:
        flavor, offset, _ = GENERAL[self.cpu]
        return int.from_bytes(self.threads[tid][flavor][offset : offset + 8], "little")

    def region(self, address: int) -> FakeRegion | None:
        return next((one for one in self.regions if one.start <= address < one.end), None)


class FakeMach:
    """The calls. `log`: the ones that change something, in order; `fail`: by call, the result it gives instead."""

    def __init__(self, cpu: int = X86_64, *, threads: int = 1) -> None:
        self.cpu = cpu
        self.tasks: dict[int, FakeTask] = {PID: FakeTask(PID, cpu, threads)}
        self.log: list[tuple[Any, ...]] = []
        self.fail: dict[str, int] = {}
        self.stage = 0
        self.stops: deque[list[dict[str, Any]]] = deque()
        self.live = 0
        self.options: dict[str, int] = {}
        self.sysctls: dict[str, bytes] = {
            "hw.cputype": (12 if cpu == ARM64 else 7).to_bytes(4, "little"),
            "hw.cpusubtype": (2).to_bytes(4, "little"),
            "hw.pagesize": (16384 if cpu == ARM64 else 4096).to_bytes(8, "little"),
            "kern.osproductversion": b"14.5\0",
            "kern.osversion": b"23F79\0",
            "kern.version": b"Darwin Kernel Version 23.5.0\0",
            "kern.hostname": b"mac.local\0",
        }
        if cpu == ARM64:
            self.sysctls |= {"hw.optional.arm64": b"\1\0\0\0", "machdep.virtual_address_size": b"\x2f\0\0\0"}
        else:
            self.sysctls |= {"hw.optional.avx1_0": b"\1\0\0\0"}
        self.status: dict[int, int] = {}
        self.plists: dict[int, bytes] = {}
        self.arguments: dict[int, bytes] = {}
        self.dyld = (0, 0, 1)
        self.images: list[tuple[int, int, int]] = []
        self.ports = 0

    # Helpers.

    def stop(self, kind: int, **fields: Any) -> dict[str, Any]:
        """A record of the first thread unless said otherwise."""
        return {"pid": PID, "tid": TID, "kind": kind, **fields}

    def _task(self, pid: int) -> FakeTask | None:
        return self.tasks.get(pid)

    def _owner(self, tid: int) -> FakeTask | None:
        return next((task for task in self.tasks.values() if tid in task.threads), None)

    def __getattribute__(self, name: str) -> Any:
        found = object.__getattribute__(self, name)
        if name.startswith("mach_") and name in object.__getattribute__(self, "fail"):
            result = object.__getattribute__(self, "fail")[name]
            return lambda *arguments: result
        return found

    # Running.

    def mach_open(self) -> int:
        return 0

    def mach_log_to(self, descriptor: int) -> None:
        self.log.append(("log_to", descriptor))

    def mach_configure(self, options: Any) -> None:
        names = ("pass_signals", "program_signals", "ignored_exceptions", "report_execs", "unattended")
        self.options = {name: getattr(options, name) for name in names}

    def mach_error_words(self, code: int, buffer: Any, size: int) -> int:
        text = WORDS.get(code, f"error {code}").encode()[:size]
        FFI.memmove(buffer, text, len(text))
        return len(text)

    def mach_port_count(self) -> int:
        return self.ports

    def mach_launch(self, spec: Any) -> int:
        self.log.append(("launch", FFI.string(spec.path).decode(), spec.disable_aslr, spec.execs, spec.terminal))
        spec.stage = self.stage
        if self.stage:
            return self.fail.get("launch", FAILURE)
        self.tasks[PID].traced = True
        return PID

    def mach_attach(self, pid: int, stage: Any) -> int:
        stage[0] = self.stage
        if self.stage:
            return self.fail.get("attach", FAILURE)
        task = self._task(pid)
        if task is None:
            return -errno.ESRCH
        task.traced = True
        return len(task.threads)

    def mach_detach(self, pid: int, stopped: int) -> int:
        self.log.append(("detach", pid, stopped))
        return 0

    def mach_kill(self, pid: int) -> int:
        self.log.append(("kill", pid))
        self.tasks.pop(pid, None)
        return 0

    def mach_threads(self, pid: int, tids: Any, maximum: int) -> int:
        task = self._task(pid)
        if task is None:
            return -errno.ESRCH
        for index, tid in enumerate(list(task.threads)[:maximum]):
            tids[index] = tid
        return len(task.threads)

    def mach_resume(self, actions: Any, count: int) -> int:
        for index in range(count):
            one = actions[index]
            self.log.append(("resume", one.pid, one.tid, one.kind, one.signal))
        if count and actions[0].kind == 1 and not self.stops:
            tid = actions[0].tid if actions[0].tid > 0 else TID
            task = self.tasks[PID]
            task.set_pc(tid, task.pc(tid) + GENERAL[task.cpu][2])
            self.stops.append([self.stop(4, tid=tid, exception=6, codes=(1, 0))])
        self.live = len(self.tasks[PID].threads) if PID in self.tasks else 0
        return self.live

    def mach_wait(self, stops: Any, maximum: int, budget: int, spin: int) -> int:
        if not self.stops:
            return 0
        records = self.stops.popleft()
        self.live = 0
        for index, record in enumerate(records):
            self._fill(stops[index], record)
        return len(records)

    def _fill(self, stop: Any, record: dict[str, Any]) -> None:
        codes = record.get("codes", ())
        stop.pid, stop.tid, stop.kind = record["pid"], record["tid"], record["kind"]
        for name in ("signal", "exception", "value", "pc"):
            setattr(stop, name, record.get(name, 0))
        stop.code_count = len(codes)
        for index, code in enumerate(codes):
            stop.codes[index] = code
        stop.registers_size = 0
        task = self.tasks.get(record["pid"])
        if task is not None and record["tid"] in task.threads:
            state = task.threads[record["tid"]][GENERAL[task.cpu][0]]
            FFI.memmove(stop.registers, state, len(state))
            stop.registers_size = len(state)
        if record["kind"] in (14, 15):
            self.tasks.pop(record["pid"], None)

    def mach_interrupt(self, pid: int) -> int:
        self.log.append(("interrupt", pid))
        self.stops.append([self.stop(5)])
        return 1

    def mach_running(self) -> int:
        return self.live

    # Memory.

    def mach_read_memory(self, pid: int, address: int, buffer: Any, size: int) -> int:
        task = self._task(pid)
        if task is None:
            return -errno.ESRCH
        data = bytearray()
        while len(data) < size:
            region = task.region(address + len(data))
            if region is None or not region.protection & R:
                break
            offset = address + len(data) - region.start
            data += region.data[offset : offset + size - len(data)]
        FFI.memmove(buffer, bytes(data), len(data))
        return len(data) or INVALID_ADDRESS

    def mach_write_memory(self, pid: int, address: int, buffer: bytes, size: int, report: Any) -> int:
        task = self._task(pid)
        if task is None:
            return -errno.ESRCH
        done = 0
        while done < size:
            region = task.region(address + done)
            if region is None:
                report.error = INVALID_ADDRESS
                break
            offset = address + done - region.start
            piece = buffer[done : done + len(region.data) - offset]
            region.data[offset : offset + len(piece)] = piece
            region.dirty |= {(address + done) & ~(PAGE - 1)}
            done += len(piece)
        if "restore" in self.fail:
            report.restore_error, report.unrestored_start, report.unrestored_size = self.fail["restore"], CODE, PAGE
        return done or INVALID_ADDRESS

    def mach_page_size_of(self, pid: int) -> int:
        return PAGE

    def mach_allocate_memory(self, pid: int, size: int, protection: int) -> int:
        self.log.append(("allocate", size, protection))
        address = 0x200000000 + 0x10000 * len(self.log)
        self.tasks[pid].regions.append(FakeRegion(address, bytearray(size), protection))
        return address

    def mach_free_memory(self, pid: int, address: int, size: int) -> int:
        self.log.append(("free", address, size))
        self.tasks[pid].regions = [one for one in self.tasks[pid].regions if one.start != address]
        return 0

    def mach_region_at(self, pid: int, address: int, counted: int, region: Any) -> int:
        task = self._task(pid)
        if task is None:
            return -errno.ESRCH
        above = [one for one in sorted(task.regions, key=lambda one: one.start) if one.end > address]
        if not above:
            return -errno.ENOENT
        one = above[0]
        region.start, region.size = one.start, len(one.data)
        region.protection, region.max_protection = one.protection, one.maximum
        region.user_tag, region.share_mode = one.tag, one.share_mode
        region.pages_resident = len(one.data) // PAGE if counted and one.protection else 0
        region.pages_dirtied = len(one.dirty) if counted else 0
        return int(one.start <= address)

    def mach_region_path(self, pid: int, address: int, buffer: Any, size: int) -> int:
        region = self.tasks[pid].region(address)
        text = region.path.encode() if region is not None else b""
        FFI.memmove(buffer, text, len(text))
        return len(text)

    def mach_page_dispositions(self, pid: int, address: int, size: int, dispositions: Any, maximum: int) -> int:
        region = self.tasks[pid].region(address)
        assert region is not None
        count = min(size // PAGE, maximum)
        for index in range(count):
            dispositions[index] = 1 | (8 if address + index * PAGE in region.dirty else 0)
        return count

    # Breakpoints.

    def mach_insert_trap(self, pid: int, address: int, code: bytes, size: int, pc_adjust: int) -> int:
        task = self.tasks[pid]
        if task.region(address) is None:
            return INVALID_ADDRESS
        task.traps[address] = code[:size]
        self.log.append(("insert", address, bytes(code[:size]), pc_adjust))
        return 0

    def mach_remove_trap(self, pid: int, address: int) -> int:
        self.log.append(("remove", address))
        task = self.tasks[pid]
        known = task.traps.pop(address, None) is not None
        return INVALID_ADDRESS if known and task.region(address) is None else int(known)

    def mach_lift_all(self, pid: int) -> int:
        self.tasks[pid].traps.clear()
        self.tasks[pid].hardware.clear()
        self.log.append(("lift", pid))
        return 0

    def mach_hardware_slots(self, kind: int) -> int:
        return 6 if self.cpu == ARM64 and kind == 0 else 4

    def mach_set_hardware(self, pid: int, slot: int, kind: int, address: int, size: int) -> int:
        self.log.append(("set_hardware", slot, kind, address, size))
        self.tasks[pid].hardware[kind == 0, slot] = (address, size)
        return 0

    def mach_clear_hardware(self, pid: int, slot: int, kind: int) -> int:
        self.log.append(("clear_hardware", slot, kind))
        self.tasks[pid].hardware.pop((kind == 0, slot), None)
        return 0

    # Threads.

    def mach_read_state(self, tid: int, flavor: int, buffer: Any, size: int) -> int:
        task = self._owner(tid)
        if task is None:
            return -errno.ESRCH
        state = task.threads[tid].get(flavor)
        if state is None:
            return INVALID_ARGUMENT
        FFI.memmove(buffer, state, min(size, len(state)))
        return len(state)

    def mach_write_state(self, tid: int, flavor: int, data: bytes, size: int) -> int:
        task = self._owner(tid)
        if task is None:
            return -errno.ESRCH
        self.log.append(("write_state", tid, flavor, size))
        task.threads[tid][flavor] = bytes(data[:size])
        return size

    def mach_thread_name(self, tid: int, buffer: Any, size: int) -> int:
        if self._owner(tid) is None:
            return -errno.ESRCH
        FFI.memmove(buffer, b"main", 4)
        return 4

    def mach_thread_handles(self, tid: int, values: Any) -> int:
        values[0], values[1], values[2] = DATA + 0x100, DATA + 0x200, 1
        return 0

    # dyld, the host.

    def mach_dyld_info(self, pid: int, values: Any) -> int:
        values[0], values[1], values[2] = self.dyld
        return 0

    def mach_images(self, pid: int, images: Any, maximum: int) -> int:
        for index, row in enumerate(self.images[:maximum]):
            images[index].load_address, images[index].path_address, images[index].modified = row
        return len(self.images)

    def mach_list_processes(self, pids: Any, maximum: int) -> int:
        for index, pid in enumerate(list(self.tasks)[:maximum]):
            pids[index] = pid
        return len(self.tasks)

    def mach_describe_process(self, pid: int, description: Any) -> int:
        task = self._task(pid)
        if task is None:
            return -errno.ESRCH
        description.pid, description.parent_pid, description.uid, description.gid = pid, 1, 501, 20
        description.effective_uid, description.effective_gid = 501, 20
        description.cpu_type, description.translated = task.cpu, task.translated
        description.name, description.path = b"prog", task.path.encode()
        return 0

    def mach_process_arguments(self, pid: int, buffer: Any, size: int) -> int:
        data = self.arguments.get(pid, b"")
        FFI.memmove(buffer, data, len(data))
        return len(data)

    def mach_send_signal(self, pid: int, signal: int) -> int:
        self.log.append(("signal", pid, signal))
        return 0

    def mach_sysctl(self, name: bytes, buffer: Any, size: int) -> int:
        value = self.sysctls.get(name.decode())
        if value is None:
            return -errno.ENOENT
        FFI.memmove(buffer, value, len(value))
        return len(value)

    def mach_signing_status(self, pid: int, status: Any) -> int:
        status[0] = self.status.get(pid, 0)
        return 0

    def mach_entitlements(self, pid: int, buffer: Any, size: int) -> int:
        data = self.plists.get(pid, b"")
        FFI.memmove(buffer, data, len(data))
        return len(data)


def make(
    cpu: int = X86_64,
    *,
    threads: int = 1,
    prepare: Callable[[FakeMach], None] | None = None,
    kind: type[FakeMach] = FakeMach,
) -> tuple[FakeMach, MacBackend, MacProcess]:
    """A made-up Mac, the backend on it, and a process that it is attached to."""
    fake = kind(cpu, threads=threads)
    if prepare is not None:
        prepare(fake)
    backend = MacBackend(Tracer(fake, FFI))
    process = backend.attach(PID)
    assert isinstance(process, MacProcess)
    return fake, backend, process
