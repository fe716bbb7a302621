"""mmap and munmap run by the target itself, for memory that expressions need.

The system call is made from an instruction for it that the target already
has (the vDSO has one in its fallback paths; else any executable mapping), so
no code page is touched and no thread sees anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydbgserver.backends.linux import tracer
from pydbgserver.errors import DebugError, KernelError, TargetRunning
from pydbgserver.target.capabilities import MemoryAllocation, MemoryMap

if TYPE_CHECKING:
    from pydbgserver.backends.linux.process import LinuxProcess

PROTECTION = {"r": 1, "w": 2, "x": 4}
MAP_PRIVATE_ANONYMOUS = 0x22
SEARCH_LIMIT = 4 << 20
EFAULT = 14


class LinuxMemoryAllocation(MemoryAllocation):
    def __init__(self, process: LinuxProcess) -> None:
        self._process = process
        assert process.arch.syscall is not None, "every Linux description has one"
        self._convention = process.arch.syscall
        self._blocks: dict[int, int] = {}
        self._instruction = 0

    def allocate(self, size: int, permissions: str) -> int:
        protection = sum(PROTECTION.get(letter, 0) for letter in set(permissions))
        arguments = (0, size, protection, MAP_PRIVATE_ANONYMOUS, -1, 0)
        address = self._call("mmap", *arguments)
        self._blocks[address] = size
        return address

    def free(self, address: int) -> None:
        size = self._blocks.get(address)
        if size is None:
            raise DebugError(f"no memory was allocated at {address:#x}", EFAULT)
        self._call("munmap", address, size)
        del self._blocks[address]

    def _call(self, name: str, *arguments: int) -> int:
        """The result of the call in the first thread that can make one; raises `KernelError`."""
        instruction = self._find_instruction()
        for tid in self._process.threads():
            try:
                result = tracer.inject_syscall(tid, instruction, self._convention, name, *arguments)
            except TargetRunning:  # it runs, or is inside a system call
                continue
            self._process.forget_registers(tid)
            self._map_changed()
            if result < 0:
                raise KernelError(-result, f"system call {name} in the target")
            return result
        raise DebugError("every thread is inside a system call: step one of them out of it first")

    def _map_changed(self) -> None:
        memory_map = self._process.capability(MemoryMap)
        if memory_map is not None:
            memory_map.resumed()  # type: ignore[attr-defined]

    def _find_instruction(self) -> int:
        code = self._convention.instruction
        if self._instruction and self._process.read_memory(self._instruction, len(code)) == code:
            return self._instruction
        memory_map = self._process.capability(MemoryMap)
        assert memory_map is not None
        executable = [region for region in memory_map.regions() if "x" in region.permissions]
        for region in sorted(executable, key=lambda region: region.name != "[vdso]"):
            if region.name == "[vsyscall]":
                continue
            data = self._process.read_memory(region.start, min(region.end - region.start, SEARCH_LIMIT))
            at = data.find(code)
            if at >= 0:
                self._instruction = region.start + at
                return self._instruction
        raise DebugError("the target has no system call instruction to borrow")
