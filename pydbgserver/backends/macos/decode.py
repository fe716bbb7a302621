"""C stop records -> stop events, and the Mach exceptions in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pydbgserver.backends.macos.tracer import RawStop
from pydbgserver.errors import DebugError
from pydbgserver.target.capabilities import MachException
from pydbgserver.target.events import (
    BreakpointHit,
    Execed,
    Interrupted,
    NoneResumed,
    ProcessExited,
    SignalStop,
    StepDone,
    StopEvent,
    WatchKind,
    WatchpointHit,
)

if TYPE_CHECKING:
    from pydbgserver.backends.macos.process import MacProcess

EXC_SOFTWARE = 5
EXC_SOFT_SIGNAL = 0x10003
EXC_ARM_DA_DEBUG = 0x102


def _hardware(stop: RawStop, process: MacProcess) -> StopEvent:
    """On arm64 breakpoints have registers of their own; the exception's first code tells which of them fired."""
    execute = not (stop.code_count and stop.codes[0] == EXC_ARM_DA_DEBUG)
    slot, all_hit = stop.value & 0xFF, stop.value >> 8
    kind, address = process.watched(slot, execute=execute)
    if kind is WatchKind.EXECUTE:
        return BreakpointHit(stop.pid, stop.tid, stop.pc, hardware=True)
    hit = [process.watched(one, execute=execute) for one in range(process.hardware.slots) if all_hit >> one & 1]
    others = (one for one in dict.fromkeys(hit) if one != (kind, address) and one[0] is not WatchKind.EXECUTE)
    return WatchpointHit(stop.pid, stop.tid, address, kind, slot, tuple(others))


def _path(process: MacProcess) -> str:
    """The program that the process runs now; "" if it has ended meanwhile."""
    try:
        return process.tracer.describe_process(process.pid).path
    except DebugError:
        return ""


# By the values of enum mach_stop_kind (native/cdef/mach.h).
EVENTS: dict[int, Callable[[RawStop, MacProcess], StopEvent]] = {
    1: lambda s, p: SignalStop(s.pid, s.tid, s.signal),
    2: lambda s, p: BreakpointHit(s.pid, s.tid, s.pc),
    3: _hardware,
    4: lambda s, p: StepDone(s.pid, s.tid),
    5: lambda s, p: Interrupted(s.pid, s.tid),
    6: lambda s, p: SignalStop(s.pid, s.tid, s.signal),
    11: lambda s, p: Execed(s.pid, s.tid, _path(p)),
    14: lambda s, p: ProcessExited(s.pid, exit_code=s.value),
    15: lambda s, p: ProcessExited(s.pid, signal=s.signal),
    16: lambda s, p: NoneResumed(s.pid, s.tid),
}


def stop_event(stop: RawStop, process: MacProcess) -> StopEvent:
    """The event that `stop`, a record of a thread of `process`, stands for."""
    return EVENTS[stop.kind](stop, process)


def exception_of(stop: RawStop) -> MachException | None:
    """The Mach exception in a record; None if there is none, or if it only carries a signal."""
    codes = tuple(stop.codes[index] for index in range(stop.code_count))
    if not stop.exception or (stop.exception == EXC_SOFTWARE and codes[:1] == (EXC_SOFT_SIGNAL,)):
        return None
    return MachException(stop.exception, codes)
