"""Hardware breakpoints and watchpoints: which of the CPU's debug registers holds what. The C core writes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pydbgserver import logs
from pydbgserver.arch import hwdebug_arm64, hwdebug_x86
from pydbgserver.arch.debug_slots import Chunk, SlotTable
from pydbgserver.errors import DebugError, NoDebugRegister
from pydbgserver.target.capabilities import HardwareDebug
from pydbgserver.target.events import WatchKind

if TYPE_CHECKING:
    from pydbgserver.backends.macos.process import MacProcess

MACH_WATCH = {"execute": 0, "write": 1, "read": 2, "access": 3}
"""enum mach_watch_kind of native/cdef/mach.h, by the values of `WatchKind`."""


class Rules(NamedTuple):
    """How a CPU holds requests: `split` into chunks, and whether breakpoints and watchpoints share their registers."""

    split: Callable[[str, int, int], Sequence[Chunk]]
    shared: bool


RULES = {
    "x86_64": Rules(hwdebug_x86.split_request, shared=True),
    "arm64": Rules(hwdebug_arm64.split_request, shared=False),
}
"""By the CPU's name in LLVM's triple."""


class MacHardwareDebug(HardwareDebug):
    def __init__(self, process: MacProcess) -> None:
        self._process = process
        tracer, rules = process.tracer, RULES[process.arch.llvm_arch]
        self.slots = tracer.hardware_slots(MACH_WATCH["write"])
        self._watch: SlotTable[WatchKind] = SlotTable(self.slots, rules.split)
        self._break = self._watch
        if not rules.shared:
            self._break = SlotTable(tracer.hardware_slots(MACH_WATCH["execute"]), rules.split)

    def _table(self, kind: WatchKind) -> SlotTable[WatchKind]:
        return self._break if kind is WatchKind.EXECUTE else self._watch

    def insert(self, kind: WatchKind, address: int, length: int) -> None:
        table = self._table(kind)
        before = list(table.slots)
        if not table.insert(kind, address, length):
            return
        try:
            self._apply(before, table.slots)
        except DebugError as error:
            table.remove(kind, address, length)
            raise NoDebugRegister(str(error)) from error

    def remove(self, kind: WatchKind, address: int, length: int) -> None:
        table = self._table(kind)
        before = list(table.slots)
        if table.remove(kind, address, length):
            self._apply(before, table.slots)

    def _apply(self, before: Sequence[Chunk | None], after: Sequence[Chunk | None]) -> None:
        """Bring the registers from one state to the other; what was set is cleared again if a later one fails."""
        pid, tracer = self._process.pid, self._process.tracer
        done: list[tuple[int, Chunk]] = []
        for slot, (old, new) in enumerate(zip(before, after, strict=True)):
            if old is not None and old != new:
                tracer.clear_hardware(pid, slot, MACH_WATCH[old.kind])
            if new is None or old == new:
                continue
            try:
                tracer.set_hardware(pid, slot, MACH_WATCH[new.kind], new.address, new.length)
            except DebugError:
                for other, chunk in done:
                    tracer.clear_hardware(pid, other, MACH_WATCH[chunk.kind])
                raise
            done.append((slot, new))
        if logs.breakpoints.enabled:
            logs.breakpoints.write(f"process {pid}: debug registers {after}")

    def clear(self) -> None:
        """Forget every request; the C core has been told already."""
        self._watch.clear()
        self._break.clear()

    def watched(self, slot: int, *, execute: bool) -> tuple[WatchKind, int]:
        """What register `slot` waits for, and the address the client asked to watch. `execute`: of a breakpoint, where
        these have registers of their own."""
        watch = (self._break if execute else self._watch).watch_at(slot)
        assert watch is not None, "the C core reports registers that were set only"
        return watch.kind, watch.address
