"""Registers saved and restored as whole register sets."""

from __future__ import annotations

from pydbgserver.errors import DebugError
from pydbgserver.target.api import Process
from pydbgserver.target.capabilities import RegisterSnapshots


class RegsetSnapshots(RegisterSnapshots):
    """Whole register sets as the kernel gives them; what the kernel keeps of a system call to go back into is among
    them."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._saved: dict[int, dict[str, bytes]] = {}
        self._next = 1

    def save(self, tid: int) -> int:
        wanted = [regset.name for regset in self._process.arch.regsets if regset.writable]
        sets = {name: self._process.read_regset(tid, name) for name in wanted}
        snapshot = self._next
        self._next += 1
        self._saved[snapshot] = sets
        return snapshot

    def restore(self, tid: int, snapshot: int) -> None:
        sets = self._saved.pop(snapshot, None)
        if sets is None:
            raise DebugError(f"no saved registers with id {snapshot}")
        for name, data in sets.items():
            self._process.write_regset(tid, name, data)
