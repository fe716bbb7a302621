"""A debuggee as the live tests see it: addresses by name, events with a deadline."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from pydbgserver.backends.linux.backend import LinuxBackend
from pydbgserver.target.api import LaunchSpec, Process, ResumeAction, ResumeKind, RunOptions
from pydbgserver.target.capabilities import MemoryMap
from pydbgserver.target.events import StopEvent
from pydbgserver.target.registers import read_register

DEADLINE_US = 20_000_000
CONTINUE = ResumeAction(ResumeKind.CONTINUE)
STEP = ResumeAction(ResumeKind.STEP)


class Debuggee:
    """One process: `process` is the backend's, `output()` what it has printed."""

    def __init__(self, backend: LinuxBackend, process: Process, path: Path, output: Path | None) -> None:
        self.backend = backend
        self.process = process
        self.pid = process.pid
        self._path = path
        self._output = output

    def address(self, symbol: str) -> int:
        """Where `symbol` of the program is loaded."""
        with self._path.open("rb") as file:
            elf = ELFFile(file)
            table = elf.get_section_by_name(".symtab")
            assert isinstance(table, SymbolTableSection)
            found = (table.get_symbol_by_name(symbol) or [])[0]
            relocated = elf["e_type"] == "ET_DYN"
        memory_map = self.process.capability(MemoryMap)
        assert memory_map is not None
        base = next(region.start for region in memory_map.regions() if region.name == str(self._path))
        return int(found["st_value"]) + (base if relocated else 0)

    def plant(self, symbol: str) -> int:
        address = self.address(symbol)
        self.process.insert_breakpoint(address, 1)
        return address

    def run(self, *actions: ResumeAction) -> Sequence[StopEvent]:
        """Resume (everything continues by default) and give the events of the next stop."""
        events = self.backend.resume(actions or (CONTINUE,), budget_us=DEADLINE_US)
        assert events, "no stop within 20 s"
        return events

    def wait(self) -> Sequence[StopEvent]:
        events = self.backend.poll(budget_us=DEADLINE_US)
        assert events, "no stop within 20 s"
        return events

    def start(self, *actions: ResumeAction) -> None:
        """Resume without waiting; nothing may stop at once."""
        assert not self.backend.resume(actions or (CONTINUE,))

    def interrupt(self) -> Sequence[StopEvent]:
        self.backend.interrupt()
        return self.wait()

    def register(self, tid: int, name: str) -> int:
        return int.from_bytes(read_register(self.process, tid, self.process.arch.by_name[name].number), "little")

    def pc(self, tid: int) -> int:
        return self.register(tid, self.process.arch.pc.name)

    def long_at(self, symbol: str) -> int:
        """The C unsigned long called `symbol`."""
        size = self.process.arch.pointer_size
        return int.from_bytes(self.process.read_memory(self.address(symbol), size), "little")

    def output(self) -> str:
        assert self._output is not None
        return self._output.read_text()


class Debuggees:
    """Makes debuggees over one backend."""

    def __init__(self, programs: Callable[[str], Path]) -> None:
        self.programs = programs
        self.backend = LinuxBackend()
        self._directory = tempfile.TemporaryDirectory()
        self._started: list[subprocess.Popen[bytes]] = []

    def launch(self, name: str, *arguments: str, **settings: object) -> Debuggee:
        """Start the test program `name`, stopped at its first instruction."""
        path = self.programs(name)
        output = Path(self._directory.name) / f"output{len(os.listdir(self._directory.name))}"
        spec = LaunchSpec(str(path), arguments, stdout=str(output))
        for setting, value in settings.items():
            setattr(spec, setting, value)
        return Debuggee(self.backend, self.backend.launch(spec), path, output)

    def start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Run the test program without a debugger until it says that it is ready."""
        child = subprocess.Popen([self.programs(name), *arguments], stdout=subprocess.PIPE, stdin=subprocess.PIPE)
        self._started.append(child)
        assert child.stdout is not None
        assert child.stdout.readline().startswith(b"ready")
        return child

    def owns(self, child: subprocess.Popen[bytes]) -> None:
        """`child` is ended with everything else."""
        self._started.append(child)

    def attach(self, name: str, *arguments: str) -> tuple[Debuggee, subprocess.Popen[bytes]]:
        """Start the test program, then attach to it."""
        child = self.start(name, *arguments)
        return self.attach_to(child.pid, name), child

    def attach_to(self, pid: int, name: str) -> Debuggee:
        return Debuggee(self.backend, self.backend.attach(pid), self.programs(name), None)

    def close(self) -> None:
        self.backend.set_options(RunOptions())
        self.backend.release(kill_launched=True)
        for child in self._started:
            child.kill()
            child.wait()
            for stream in (child.stdin, child.stdout):
                if stream is not None:
                    stream.close()
        self._directory.cleanup()


def state_of(pid: int) -> str:
    """The letter that /proc/PID/stat has for the process's state."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def settles_in(pid: int, state: str) -> bool:
    """Whether the process comes to `state`: a detached thread runs through the kernel once more before it does."""
    deadline = time.monotonic() + DEADLINE_US / 1e6
    while state_of(pid) != state and time.monotonic() < deadline:
        os.sched_yield()
    return state_of(pid) == state
