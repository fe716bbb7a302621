"""The optional capabilities of a Mac process, each a small class over the tracer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pydbgserver.backends.macos import vm_tags
from pydbgserver.backends.macos.images import MacImages
from pydbgserver.backends.macos.memory_map import MacMemoryMap
from pydbgserver.backends.snapshots import RegsetSnapshots
from pydbgserver.errors import BadAddress, DebugError
from pydbgserver.target.capabilities import (
    ExecFile,
    MachException,
    MachExceptions,
    MachImages,
    MachThreads,
    MemoryAllocation,
    MemoryMap,
    RegisterSnapshots,
    SignalSending,
    ThreadHandles,
)

if TYPE_CHECKING:
    from pydbgserver.backends.macos.process import MacProcess

EXECUTE, WRITE = 4, 2


class MacMemoryAllocation(MemoryAllocation):
    """mach_vm_allocate. Nothing in the target runs for it."""

    def __init__(self, process: MacProcess) -> None:
        self._process = process
        self._sizes: dict[int, int] = {}

    def allocate(self, size: int, permissions: str) -> int:
        """Memory for code is not writable as well: an arm64 Mac refuses both at once, and what the server writes does
        not need it."""
        protection = vm_tags.protection_of(permissions)
        if protection & EXECUTE:
            protection &= ~WRITE
        address = self._process.tracer.allocate_memory(self._process.pid, size, protection)
        self._sizes[address] = size
        return address

    def free(self, address: int) -> None:
        size = self._sizes.pop(address, None)
        if size is None:
            raise BadAddress(address, 1, "free")
        self._process.tracer.free_memory(self._process.pid, address, size)


class MacExecFile(ExecFile):
    def __init__(self, process: MacProcess) -> None:
        self._process = process

    def exec_file(self) -> str:
        return self._process.tracer.describe_process(self._process.pid).path


class MacSignalSending(SignalSending):
    def __init__(self, process: MacProcess) -> None:
        self._process = process

    def send(self, signal: int) -> None:
        self._process.tracer.send_signal(self._process.pid, signal)


class MacExceptions(MachExceptions):
    def __init__(self, process: MacProcess) -> None:
        self._process = process

    def exception(self, tid: int) -> MachException | None:
        return self._process.exceptions.get(tid)


class MacThreads(MachThreads):
    def __init__(self, process: MacProcess) -> None:
        self._process = process

    def handles(self, tid: int) -> ThreadHandles:
        """THREAD_IDENTIFIER_INFO gives where the two pointers lie: the first thread-specific slot, the queue's."""
        pthread, queue, _ = self._process.tracer.thread_handles(tid)
        return ThreadHandles(self._pointer(pthread), self._pointer(queue))

    def _pointer(self, address: int) -> int:
        try:
            return int.from_bytes(self._process.read_memory(address, 8), "little") if address else 0
        except DebugError:
            return 0


CAPABILITIES: dict[type[object], Callable[[MacProcess], object]] = {
    MemoryMap: MacMemoryMap,
    MemoryAllocation: MacMemoryAllocation,
    ExecFile: MacExecFile,
    SignalSending: MacSignalSending,
    RegisterSnapshots: RegsetSnapshots,
    MachExceptions: MacExceptions,
    MachImages: MacImages,
    MachThreads: MacThreads,
}
