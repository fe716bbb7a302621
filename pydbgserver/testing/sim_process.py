"""One made-up process: threads, registers, memory, breakpoints, capabilities. `sim` lets it run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

from pydbgserver.arch.model import Arch
from pydbgserver.arch.x86 import XsaveLayout, amd64
from pydbgserver.errors import MalformedPacket, NoSuchProcess, NoSuchThread, TargetRunning
from pydbgserver.target.api import Process
from pydbgserver.target.capabilities import MachException
from pydbgserver.testing.capabilities import IMPLEMENTATIONS, MAC_CAPABILITIES
from pydbgserver.testing.memory import SimMemory, SimRegion

if TYPE_CHECKING:
    from pydbgserver.testing.sim import SimBackend

Kind = TypeVar("Kind")

CODE = 0x401000
DATA = 0x404000
STACK = 0x7FFFFFFDE000
REGION_SIZE = 0x1000
PROGRAM = "/usr/bin/program"

AVX_LAYOUT = XsaveLayout(0b111, 832, {2: (576, 256)})
"""x87, SSE and AVX, where every x86 CPU with XSAVE has them."""


def sim_arch() -> Arch:
    """x86-64 with AVX."""
    return amd64(AVX_LAYOUT)


def default_memory() -> SimMemory:
    """A page of code, one of data and one of stack. The code's bytes count up from 0."""
    return SimMemory(
        [
            SimRegion(CODE, bytearray(range(256)) * (REGION_SIZE // 256), "rx", PROGRAM),
            SimRegion(DATA, bytearray(REGION_SIZE), "rw", PROGRAM),
            SimRegion(STACK, bytearray(REGION_SIZE), "rw", "[stack]", "stack"),
        ]
    )


class SimProcess(Process):
    """One made-up process.

    `registers`: by thread and register set, the raw bytes. `breakpoints`: addresses of the planted traps.
    `typed`: what was written to its stdin. `reports`: by thread, whether its clones and its end are
    reported. `without`: capabilities it is to lack. `mac`: it has those of a Mac beside all others.
    `ended`: "killed", "detached" or "detached stopped" once it is no longer debugged, else "".
    """

    def __init__(
        self,
        pid: int = 100,
        *,
        threads: int = 1,
        name: str = "program",
        attached: bool = False,
        memory: SimMemory | None = None,
        arch: Arch | None = None,
        without: Iterable[type] = (),
        mac: bool = False,
    ) -> None:
        self.pid = pid
        self.attached = attached
        self.arch = arch or sim_arch()
        self.memory = memory or default_memory()
        self.name = name
        self.program = PROGRAM
        self.breakpoints: set[int] = set()
        self.siginfo: dict[int, bytes] = {}
        self.exceptions: dict[int, MachException] = {}
        self.reports: dict[int, tuple[bool, bool]] = {}
        self.typed = bytearray()
        self.ended = ""
        self.registers: dict[int, dict[str, bytes]] = {}
        self.cores: list[tuple[str, int, int]] = []
        """The core files asked for: path, thread, signal."""
        self.without = frozenset(without) | (frozenset() if mac else MAC_CAPABILITIES)
        self._capabilities: dict[type, object] = {}
        self._backend: SimBackend | None = None
        for index in range(threads):
            self.add_thread(pid + index)

    def add_thread(self, tid: int) -> None:
        """A new thread, its PC at the beginning of the code."""
        self.registers[tid] = {one.name: one.initial or bytes(one.size) for one in self.arch.regsets}
        self.set_pc(tid, CODE)
        self._set(tid, self.arch.sp.number, STACK + REGION_SIZE // 2)

    def remove_thread(self, tid: int) -> None:
        """The thread is gone."""
        self.registers.pop(tid, None)

    def _set(self, tid: int, number: int, value: int) -> None:
        register = self.arch.register(number)
        name, data = self.arch.write(register, value.to_bytes(register.width, "little"), self.registers[tid])
        self.registers[tid][name] = data

    def pc(self, tid: int) -> int:
        """The thread's program counter."""
        return int.from_bytes(self.arch.read(self.arch.pc, self._sets(tid)), "little")

    def set_pc(self, tid: int, address: int) -> None:
        """Move the thread."""
        self._set(tid, self.arch.pc.number, address)

    def _sets(self, tid: int) -> dict[str, bytes]:
        if self.ended:
            raise NoSuchProcess(self.pid)
        try:
            return self.registers[tid]
        except KeyError:
            raise NoSuchThread(tid) from None

    def _alive(self) -> None:
        if self.ended:
            raise NoSuchProcess(self.pid)

    # The contract of `Process`.

    def threads(self) -> Sequence[int]:
        self._alive()
        return list(self.registers)

    def thread_name(self, tid: int) -> str:
        self._sets(tid)
        return self.name

    def read_memory(self, address: int, length: int) -> bytes:
        self._alive()
        return self.memory.read(address, length)

    def write_memory(self, address: int, data: bytes) -> None:
        self._alive()
        self.memory.write(address, data)

    def read_regset(self, tid: int, name: str) -> bytes:
        return self._stopped_sets(tid)[name]

    def _stopped_sets(self, tid: int) -> dict[str, bytes]:
        if self._backend is not None and tid in self._backend.threads.running:
            raise TargetRunning(f"thread {tid} is running")
        return self._sets(tid)

    def write_regset(self, tid: int, name: str, data: bytes) -> None:
        sets = self._stopped_sets(tid)
        if len(data) != len(sets[name]):
            raise MalformedPacket(f"register set {name} has {len(sets[name])} bytes")
        sets[name] = data

    def insert_breakpoint(self, address: int, kind: int) -> None:
        self.read_memory(address, 1)
        self.breakpoints.add(address)

    def remove_breakpoint(self, address: int, kind: int) -> None:
        self._alive()
        if address in self.breakpoints:
            self.breakpoints.remove(address)
            self.read_memory(address, 1)

    def kill(self) -> None:
        self._end("killed")

    def detach(self, *, stopped: bool = False) -> None:
        self._end("detached stopped" if stopped else "detached")

    def capability(self, kind: type[Kind]) -> Kind | None:
        if kind in self.without:
            return None
        if kind not in self._capabilities and kind in IMPLEMENTATIONS:
            self._capabilities[kind] = IMPLEMENTATIONS[kind](self)
        found = self._capabilities.get(kind)
        return found if isinstance(found, kind) else None

    def _end(self, how: str) -> None:
        self._alive()
        self.ended = how
        self.breakpoints.clear()
        if self._backend is not None:
            self._backend.forget(self.pid)

    def belongs_to(self, backend: SimBackend) -> None:
        """The backend that holds it, which is told of its end."""
        self._backend = backend
