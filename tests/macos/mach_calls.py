"""The Mach calls of the C core (native/cdef/mach.h), over the simulated kernel, without the server around them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydbgserver import native
from tests.macos.address_space import AddressSpace

CONTINUE, STEP, STOP, RANGE_STEP = range(4)
SECONDS = 1_000_000
WORD = 8


@dataclass(frozen=True)
class Stop:
    """One mach_stop."""

    pid: int
    tid: int
    kind: int
    signal: int
    exception: int
    codes: tuple[int, ...]
    pc: int
    value: int


class MachCalls:
    """One per test process: the tracer is one static object."""

    def __init__(self) -> None:
        self.lib, self.ffi = native.mach()
        self.check(self.lib.mach_open())
        self._stops = self.ffi.new("mach_stop[]", 16)
        self._kept: list[object] = []

    def words(self, code: int) -> str:
        buffer = self.ffi.new("char[]", 256)
        self.lib.mach_error_words(code, buffer, 256)
        text: bytes = self.ffi.string(buffer)
        return text.decode()

    def check(self, result: int) -> int:
        assert result >= 0, self.words(result)
        return result

    def ports(self) -> int:
        return self.check(self.lib.mach_port_count())

    # --- processes -------------------------------------------------------------

    def _text(self, text: str) -> Any:
        made = self.ffi.new("char[]", text.encode())
        self._kept.append(made)
        return made

    def _strings(self, texts: Sequence[str]) -> Any:
        made = self.ffi.new("char *[]", [*map(self._text, texts), self.ffi.NULL])
        self._kept.append(made)
        return made

    def launch_spec(self, program: str, *arguments: str, execs: int = 0, **paths: str) -> Any:
        spec = self.ffi.new("mach_launch_spec *")
        spec.path = self._text(program)
        spec.argv = self._strings([program, *arguments])
        spec.envp = self._strings([f"{name}={value}" for name, value in os.environ.items()])
        spec.terminal, spec.disable_aslr, spec.execs = -1, 1, execs
        for name, path in paths.items():
            setattr(spec, name, self._text(path))
        return spec

    def launch(self, program: str, *arguments: str, execs: int = 0, **paths: str) -> int:
        return self.check(self.lib.mach_launch(self.launch_spec(program, *arguments, execs=execs, **paths)))

    def attach(self, pid: int) -> tuple[int, int]:
        """The result and the stage."""
        stage = self.ffi.new("int32_t *")
        return self.lib.mach_attach(pid, stage), stage[0]

    def threads(self, pid: int) -> list[int]:
        tids = self.ffi.new("int64_t[]", 64)
        return list(tids[0 : self.check(self.lib.mach_threads(pid, tids, 64))])

    # --- running ---------------------------------------------------------------

    def resume(self, *actions: tuple[int, int, int]) -> int:
        """(kind, tid, signal) each; continue everything without one."""
        wanted = actions or ((CONTINUE, -1, 0),)
        raw = self.ffi.new("mach_action[]", [(-1, kind, tid, signal, 0, 0, 0) for kind, tid, signal in wanted])
        return self.check(self.lib.mach_resume(raw, len(wanted)))

    def step_range(self, start: int, end: int) -> None:
        raw = self.ffi.new("mach_action[]", [(-1, RANGE_STEP, -1, 0, 0, start, end)])
        self.lib.mach_resume(raw, 1)

    def wait(self, budget_us: int = 10 * SECONDS) -> list[Stop]:
        count = self.check(self.lib.mach_wait(self._stops, 16, budget_us, 0))
        return [self._stop(self._stops[i]) for i in range(count)]

    def run(self, *actions: tuple[int, int, int]) -> list[Stop]:
        """Resume and wait for what comes; there has to be something."""
        self.resume(*actions)
        stops = self.wait()
        assert stops, "still running after 10 s"
        return stops

    def _stop(self, raw: Any) -> Stop:
        codes = tuple(raw.codes[0 : raw.code_count])
        return Stop(raw.pid, raw.tid, raw.kind, raw.signal, raw.exception, codes, raw.pc, raw.value)

    # --- memory ----------------------------------------------------------------

    def read(self, pid: int, address: int, size: int) -> bytes:
        buffer = self.ffi.new("uint8_t[]", size)
        got = self.check(self.lib.mach_read_memory(pid, address, buffer, size))
        return bytes(self.ffi.buffer(buffer, got))

    def write(self, pid: int, address: int, data: bytes) -> tuple[int, Any]:
        """The result and the report."""
        report = self.ffi.new("mach_write_report *")
        return self.lib.mach_write_memory(pid, address, data, len(data), report), report

    def region(self, pid: int, address: int) -> Any:
        region = self.ffi.new("mach_region *")
        assert self.lib.mach_region_at(pid, address, 0, region) == 1
        return region

    def state(self, tid: int, flavor: int, size: int) -> bytes:
        buffer = self.ffi.new("uint8_t[]", size)
        got = self.check(self.lib.mach_read_state(tid, flavor, buffer, size))
        return bytes(self.ffi.buffer(buffer, got))

    # --- the log -----------------------------------------------------------------

    @contextmanager
    def logged(self, path: Path) -> Iterator[None]:
        """Calls of the block go to the file, a line each."""
        with path.open("w") as file:
            self.lib.mach_log_to(file.fileno())
            try:
                yield
            finally:
                self.lib.mach_log_to(-1)


class MappedProcesses:
    """Processes whose address spaces are `AddressSpace` objects."""

    def __init__(self, calls: MachCalls) -> None:
        self._calls = calls
        self._spaces: dict[int, AddressSpace] = {}
        self._next = 1
        ffi = calls.ffi
        self._kept = (
            ffi.callback("int(int, uint64_t, uint64_t, int)", self._protect),
            ffi.callback("int(int, uint64_t, uint8_t *, uint64_t)", self._read),
            ffi.callback("int(int, uint64_t, const uint8_t *, uint64_t)", self._write),
            ffi.callback("int(int, uint64_t *, uint64_t *, uint32_t *, uint32_t *, uint32_t *)", self._region),
            ffi.callback("int(int, uint64_t, uint64_t, int32_t *)", self._pages),
        )
        calls.lib.sim_map_calls(*self._kept)

    def start(self, space: AddressSpace) -> int:
        """A process with this address space, not attached to yet; its pid."""
        number, self._next = self._next, self._next + 1
        self._spaces[number] = space
        return self._calls.check(self._calls.lib.sim_map_process(number, space.page_size))

    def _protect(self, number: int, address: int, size: int, protection: int) -> int:
        return self._spaces[number].protect(address, size, protection)

    def _read(self, number: int, address: int, data: Any, size: int) -> int:
        got = self._spaces[number].read(address, size)
        if isinstance(got, int):
            return got
        self._calls.ffi.memmove(data, got, len(got))
        return 0

    def _write(self, number: int, address: int, data: Any, size: int) -> int:
        return self._spaces[number].write(address, bytes(self._calls.ffi.buffer(data, size)))

    def _pages(self, number: int, address: int, count: int, dispositions: Any) -> int:
        for index, value in enumerate(self._spaces[number].pages(address, count)):
            dispositions[index] = value
        return 0

    def _region(self, number: int, address: Any, size: Any, depth: Any, info: Any, count: Any) -> int:
        found = self._spaces[number].region(address[0], depth[0], count[0])
        if isinstance(found, int):
            return found
        address[0], size[0], depth[0], data = found
        self._calls.ffi.memmove(info, data, len(data))
        count[0] = len(data) // 4
        return 0
