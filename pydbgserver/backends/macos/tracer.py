"""Typed view of the Mach calls (native/cdef/mach.h): one method per C call, errors as exceptions.

Everything is plain integers and bytes. The calls come from `native.mach()`; tests hand over made-up ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from pydbgserver.backends.macos.calls import ADDRESS_MASK
from pydbgserver.backends.macos.host_calls import HostCalls
from pydbgserver.backends.macos.memory_calls import MemoryCalls
from pydbgserver.errors import BadAddress
from pydbgserver.target.api import ResumeAction, RunOptions

MAX_STOPS = 64
NAME_MAX = 256
EVERY_SIGNAL = (1 << 64) - 1


class RawStop(Protocol):
    """One `mach_stop`. Valid until the next `wait`."""

    pid: int
    kind: int
    tid: int
    signal: int
    exception: int
    code_count: int
    codes: Sequence[int]
    pc: int
    value: int
    registers_size: int


class Tracer(MemoryCalls, HostCalls):
    """The C core's Mach side. One for each server process: it keeps its state in C."""

    def __init__(self, lib: Any = None, ffi: Any = None) -> None:
        super().__init__(lib, ffi)
        lib, ffi = self.lib, self.ffi
        self._stops = ffi.new("mach_stop[]", MAX_STOPS)
        self._views = [ffi.buffer(self._stops[index].registers) for index in range(MAX_STOPS)]

    def running(self) -> int:
        """How many threads run."""
        return int(self.lib.mach_running())

    def open(self) -> int:
        """The descriptor that is readable while `wait` may have something to say."""
        return self._check(self.lib.mach_open(), "cannot watch for Mach exceptions")

    def log_to(self, descriptor: int) -> None:
        """Write each Mach and ptrace call as a line to `descriptor`; -1 for none."""
        self.lib.mach_log_to(descriptor)

    def configure(self, options: RunOptions, ignored: int = 0) -> None:
        """Hand over the run options: Darwin's signal numbers as bit masks, bit N-1 for signal N; `ignored`: a bit for
        each exception type that is left to the system."""
        wanted = options.program_signals
        raw = self.ffi.new("mach_options *")
        raw.pass_signals = _mask(options.pass_signals)
        raw.program_signals = EVERY_SIGNAL if wanted is None else _mask(wanted)
        raw.ignored_exceptions = ignored
        raw.report_execs = options.report_execs
        raw.unattended = options.unattended
        self.lib.mach_configure(raw)

    # Processes.

    def detach(self, pid: int, *, stopped: bool = False) -> None:
        self._process(self.lib.mach_detach(pid, stopped), pid, "let go of")

    def kill(self, pid: int) -> None:
        self._process(self.lib.mach_kill(pid), pid, "kill")

    def threads(self, pid: int) -> list[int]:
        """Live thread ids; empty for an unknown process."""
        size = 256
        while True:
            tids = self.ffi.new("int64_t[]", size)
            count = self.lib.mach_threads(pid, tids, size)
            if count <= size:
                return list(tids[0 : max(count, 0)])
            size = count + 64

    def resume(self, actions: Sequence[ResumeAction]) -> int:
        """Apply the actions; gives the number of threads resumed."""
        array = self.ffi.new("mach_action[]", len(actions) or 1)
        for raw, action in zip(array, actions, strict=False):
            raw.pid, raw.tid, raw.kind, raw.signal = action.pid, action.tid, action.kind.value, action.signal
            raw.start, raw.end = action.range_start, action.range_end
        return self._check(self.lib.mach_resume(array, len(actions)), "cannot resume")

    def wait(self, budget_us: int, spin_us: int) -> int:
        """How many events the stop has that is complete, see `stop_at`; 0 while the target runs."""
        return self._check(self.lib.mach_wait(self._stops, MAX_STOPS, budget_us, spin_us), "cannot wait for a stop")

    def stop_at(self, index: int) -> tuple[RawStop, bytes]:
        """An event of the last `wait`, and the general registers of its thread ("" when it is gone)."""
        stop = self._stops[index]
        return stop, self._views[index][: stop.registers_size]

    def interrupt(self, pid: int) -> None:
        self._check(self.lib.mach_interrupt(pid), "cannot interrupt")

    # Breakpoints.

    def insert_trap(self, pid: int, address: int, code: bytes, pc_adjust: int) -> None:
        result = self.lib.mach_insert_trap(pid, address & ADDRESS_MASK, code, len(code), pc_adjust)
        if result < 0:
            gone = self._gone(result, pid)
            raise gone or BadAddress(address, len(code), "plant a breakpoint of", self.words(result))

    def remove_trap(self, pid: int, address: int) -> bool:
        """True if there was one. Raises `BadAddress` if there was and its memory cannot be read any more."""
        result = self.lib.mach_remove_trap(pid, address & ADDRESS_MASK)
        if result < 0:
            gone = self._gone(result, pid)
            raise gone or BadAddress(address, 1, "remove a breakpoint of", self.words(result))
        return bool(result)

    def lift_all(self, pid: int) -> None:
        """Remove every trap and every debug register."""
        self._process(self.lib.mach_lift_all(pid), pid, "take the breakpoints out of")

    def hardware_slots(self, kind: int) -> int:
        return max(int(self.lib.mach_hardware_slots(kind)), 0)

    def set_hardware(self, pid: int, slot: int, kind: int, address: int, size: int) -> None:
        result = self.lib.mach_set_hardware(pid, slot, kind, address, size)
        self._process(result, pid, f"set debug register {slot} of")

    def clear_hardware(self, pid: int, slot: int, kind: int) -> None:
        self._process(self.lib.mach_clear_hardware(pid, slot, kind), pid, f"clear debug register {slot} of")

    # Threads.

    def read_state(self, tid: int, flavor: int, size: int) -> bytes:
        """The thread state of `flavor`, of exactly `size` bytes."""
        buffer = bytearray(size)
        got = self.lib.mach_read_state(tid, flavor, self.ffi.from_buffer(buffer), size)
        self._thread(got, tid, "read the registers")
        return bytes(buffer)

    def write_state(self, tid: int, flavor: int, data: bytes) -> None:
        self._thread(self.lib.mach_write_state(tid, flavor, data, len(data)), tid, "write the registers")

    def thread_name(self, tid: int) -> str:
        return self._text(NAME_MAX, lambda buffer: self.lib.mach_thread_name(tid, buffer, NAME_MAX))

    def thread_handles(self, tid: int) -> tuple[int, int, int]:
        """pthread_t, the address of the dispatch queue, the run state; 0 for what there is not."""
        values = self.ffi.new("uint64_t[3]")
        self._thread(self.lib.mach_thread_handles(tid, values), tid, "ask about")
        return values[0], values[1], values[2]

    # dyld.

    def dyld_info(self, pid: int) -> tuple[int, int, int]:
        """Address, size and format (1: 64 bits) of dyld_all_image_infos."""
        values = self.ffi.new("uint64_t[3]")
        self._process(self.lib.mach_dyld_info(pid, values), pid, "find the image list of")
        return values[0], values[1], values[2]

    def images(self, pid: int) -> list[tuple[int, int, int]]:
        """(load address, address of the path, modification time) of each image."""
        size = 512
        while True:
            images = self.ffi.new("mach_image[]", size)
            count = self._process(self.lib.mach_images(pid, images, size), pid, "read the image list of")
            if count <= size:
                listed = images[0:count]
                return [(image.load_address, image.path_address, image.modified) for image in listed]
            size = count + 64


def _mask(signals: frozenset[int]) -> int:
    return sum(1 << (number - 1) for number in signals if 1 <= number <= 64)
