"""C stop records -> stop events."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pydbgserver import native
from pydbgserver.backends.linux.tracer import RawStop
from pydbgserver.target.events import (
    BreakpointHit,
    Cloned,
    Execed,
    Forked,
    Halted,
    Interrupted,
    NoneResumed,
    ProcessExited,
    SignalStop,
    StepDone,
    StopEvent,
    SyscallStop,
    ThreadExited,
    ThreadStarted,
    VforkDone,
    WatchKind,
    WatchpointHit,
)

if TYPE_CHECKING:
    from pydbgserver.backends.linux.process import LinuxProcess

_lib = native.lib


def _failure(stop: RawStop) -> str:
    if not stop.failure:
        return ""
    from pydbgserver.target.agent_expr import in_words

    return in_words(stop.failure, stop.failed_at)


def _breakpoint(stop: RawStop, process: LinuxProcess) -> StopEvent:
    return BreakpointHit(stop.pid, stop.tid, stop.pc, failure=_failure(stop))


def _hardware(stop: RawStop, process: LinuxProcess) -> StopEvent:
    slot, all_hit = stop.value & 0xFF, stop.value >> 8
    kind, address = process.watched(slot)
    if kind is WatchKind.EXECUTE:
        return BreakpointHit(stop.pid, stop.tid, stop.pc, hardware=True, failure=_failure(stop))
    if all_hit == 1 << slot:
        return WatchpointHit(stop.pid, stop.tid, address, kind, slot)
    hit = dict.fromkeys(process.watched(one) for one in range(process.hardware.slots) if all_hit >> one & 1)
    others = tuple(one for one in hit if one != (kind, address) and one[0] is not WatchKind.EXECUTE)
    return WatchpointHit(stop.pid, stop.tid, address, kind, slot, others)


_EVENTS: dict[int, Callable[[RawStop, LinuxProcess], StopEvent]] = {
    _lib.LINUX_STOP_SIGNAL: lambda s, p: SignalStop(s.pid, s.tid, s.signal),
    _lib.LINUX_STOP_BREAKPOINT: _breakpoint,
    _lib.LINUX_STOP_HARDWARE: _hardware,
    _lib.LINUX_STOP_STEP: lambda s, p: StepDone(s.pid, s.tid),
    _lib.LINUX_STOP_INTERRUPT: lambda s, p: Interrupted(s.pid, s.tid),
    _lib.LINUX_STOP_HALTED: lambda s, p: Halted(s.pid, s.tid),
    _lib.LINUX_STOP_NONE_RESUMED: lambda s, p: NoneResumed(s.pid, s.tid),
    _lib.LINUX_STOP_SYSCALL_ENTRY: lambda s, p: SyscallStop(s.pid, s.tid, s.value, entry=True),
    _lib.LINUX_STOP_SYSCALL_RETURN: lambda s, p: SyscallStop(s.pid, s.tid, s.value, entry=False),
    _lib.LINUX_STOP_FORK: lambda s, p: Forked(s.pid, s.tid, s.value),
    _lib.LINUX_STOP_VFORK: lambda s, p: Forked(s.pid, s.tid, s.value, vfork=True),
    _lib.LINUX_STOP_CLONE: lambda s, p: Cloned(s.pid, s.tid, s.value),
    _lib.LINUX_STOP_VFORK_DONE: lambda s, p: VforkDone(s.pid, s.tid),
    _lib.LINUX_STOP_EXEC: lambda s, p: Execed(s.pid, s.tid, p.exec_file()),
    _lib.LINUX_STOP_THREAD_START: lambda s, p: ThreadStarted(s.pid, s.tid),
    _lib.LINUX_STOP_THREAD_EXIT: lambda s, p: ThreadExited(s.pid, s.tid, s.value),
    _lib.LINUX_STOP_EXITED: lambda s, p: ProcessExited(s.pid, exit_code=s.value),
    _lib.LINUX_STOP_KILLED: lambda s, p: ProcessExited(s.pid, signal=s.signal),
}


def stop_event(stop: RawStop, process: LinuxProcess) -> StopEvent:
    """The event that `stop`, a record of a thread of `process`, stands for."""
    return _EVENTS[stop.kind](stop, process)
