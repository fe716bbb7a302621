"""Stop replies for lldb: all general registers, the reason and, once it sent QListThreadsInStopReply, every thread with
its PC, as lldb-server does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pydbgserver.errors import DebugError
from pydbgserver.rsp.replies import hex_text
from pydbgserver.session import fault
from pydbgserver.session.stop_fields import fork_key, sent_registers
from pydbgserver.session.stops import InitialStop
from pydbgserver.target.api import Process
from pydbgserver.target.capabilities import MachException, MachExceptions, SignalInfo
from pydbgserver.target.events import (
    BreakpointHit,
    Execed,
    Forked,
    Interrupted,
    SignalStop,
    StepDone,
    SyscallStop,
    ThreadEvent,
    ThreadExited,
    ThreadStarted,
    VforkDone,
    WatchpointHit,
)
from pydbgserver.target.registers import expedited, pc

if TYPE_CHECKING:
    from pydbgserver.session.session import Session

SIGTRAP = 5
NO_ADDRESS = 2**64 - 1
"""lldb-server's word for "the trapped address is not known" in the description of a watchpoint."""


@dataclass(slots=True)
class Reason:
    """Why a thread stopped, in lldb's words. `signal` is the number on the wire, 0 for a thread without a reason."""

    signal: int = 0
    reason: str = ""
    description: str = ""


def reason_of(session: Session, event: ThreadEvent) -> Reason:
    """The reason of `event` as lldb-server gives it."""
    make = _REASONS.get(event.__class__)
    return Reason() if make is None else make(session, event)


def _breakpoint(session: Session, event: BreakpointHit) -> Reason:
    return Reason(SIGTRAP, "breakpoint")


def _step(session: Session, event: StepDone) -> Reason:
    return Reason(SIGTRAP, "trace")


def _watchpoint(session: Session, event: WatchpointHit) -> Reason:
    return Reason(SIGTRAP, "watchpoint", f"{event.address} {event.slot} {NO_ADDRESS}")


def _signal(session: Session, event: SignalStop) -> Reason:
    return Reason(session.dialect.signal_to_wire(event.signal), "signal", _fault(session, event))


def _asked_for(session: Session, event: ThreadEvent) -> Reason:
    return Reason(session.dialect.signal_to_wire(session.dialect.interrupt_signal), "signal")


def _fork(session: Session, event: Forked) -> Reason:
    return Reason(SIGTRAP, "vfork" if event.vfork else "fork", f"{event.child_pid} {event.child_pid}")


def _vfork_done(session: Session, event: VforkDone) -> Reason:
    return Reason(SIGTRAP, "vforkdone")


def _exec(session: Session, event: Execed) -> Reason:
    return Reason(session.dialect.signal_to_wire(session.dialect.initial_signal), "exec")


def _other(session: Session, event: ThreadEvent) -> Reason:
    return Reason(SIGTRAP, "signal")


_REASONS: dict[type[ThreadEvent], Callable[[Session, Any], Reason]] = {
    BreakpointHit: _breakpoint,
    WatchpointHit: _watchpoint,
    StepDone: _step,
    SignalStop: _signal,
    Interrupted: _asked_for,
    InitialStop: _asked_for,
    SyscallStop: _other,
    Forked: _fork,
    VforkDone: _vfork_done,
    Execed: _exec,
    ThreadStarted: _other,
    ThreadExited: _other,
}


def _fault(session: Session, event: SignalStop) -> str:
    process = session.backend.processes.get(event.pid)
    siginfo = process.capability(SignalInfo) if process is not None else None
    if process is None or siginfo is None:
        return ""
    try:
        return fault.describe(siginfo.read_siginfo(event.tid), process.arch.pointer_size)
    except DebugError:
        return ""


def compose(session: Session, event: ThreadEvent, *, with_threads: bool) -> bytes:
    """Signal, thread, name, all threads, registers, reason: lldb-server's order."""
    reason = reason_of(session, event)
    parts = [f"T{reason.signal:02x}thread:{session.dialect.thread_id(event.pid, event.tid)};"]
    process = session.backend.processes.get(event.pid)
    if process is not None:
        try:
            parts.append(_name(process.thread_name(event.tid)))
            if with_threads:
                parts.append(_all_threads(session, process))
            parts.append(sent_registers(process, event.tid, True))
        except DebugError:
            pass
    exception = _exception(process, event) if process is not None else None
    if exception is not None:
        data = "".join([f"medata:{code:x};" for code in exception.codes])
        parts.append(f"metype:{exception.type:x};mecount:{len(exception.codes):x};{data}")
    elif reason.reason:
        parts.append(f"reason:{reason.reason};")
    if reason.description:
        parts.append(f"description:{hex_text(reason.description).decode()};")
    if isinstance(event, Forked):
        parts.append(fork_key(session, event))
    return "".join(parts).encode("utf-8", "surrogateescape")


_TOLD_BY_REASON = (WatchpointHit, Execed)


def _exception(process: Process, event: ThreadEvent) -> MachException | None:
    """The Mach exception that lldb is to make its own reason of, as debugserver hands it over: all but those of
    watchpoints and execs, of which the exception says too little."""
    exceptions = process.capability(MachExceptions)
    return None if exceptions is None or isinstance(event, _TOLD_BY_REASON) else exceptions.exception(event.tid)


@lru_cache(maxsize=64)
def _name(name: str) -> str:
    if not name:
        return ""
    if name.isascii() and name.isprintable() and not any(one in name for one in ";:#$}*"):
        return f"name:{name};"
    return f"hexname:{hex_text(name).decode()};"


def _all_threads(session: Session, process: Process) -> str:
    tids = process.threads()
    threads = f"threads:{','.join([f'{tid:x}' for tid in tids])};"
    pcs = f"thread-pcs:{','.join([f'{pc(process, tid):016x}' for tid in tids])};"
    if len(tids) < 2:
        return threads + pcs
    import json

    stops = json.dumps([thread_json(session, process, tid, registers=False) for tid in tids], separators=(",", ":"))
    return f"{threads}jstopinfo:{hex_text(stops).decode()};{pcs}"


def thread_json(session: Session, process: Process, tid: int, *, registers: bool) -> dict[str, Any]:
    """One thread as jThreadsInfo and jstopinfo have it; keys in alphabetical order, numbers decimal."""
    event = session.stops.reasons.get(tid)
    reason = reason_of(session, event) if event is not None else Reason()
    name = process.thread_name(tid)
    fields: dict[str, Any] = {}
    if reason.description:
        fields["description"] = reason.description
    exception = _exception(process, event) if event is not None else None
    if exception is not None:
        fields["medata"] = list(exception.codes)
        fields["metype"] = exception.type
        reason.reason = "exception"
    if name:
        fields["name"] = name
    if reason.reason:
        fields["reason"] = reason.reason
    if registers:
        fields["registers"] = _json_registers(process, tid)
    if reason.reason:
        fields["signal"] = reason.signal
    fields["tid"] = tid
    return fields


def _json_registers(process: Process, tid: int) -> dict[str, str]:
    """Register numbers are decimal here; lldb-server has them in the order of their text."""
    return {str(number): value.hex() for number, value in sorted(expedited(process, tid), key=lambda one: str(one[0]))}


def compose_thread(session: Session, process: Process, tid: int) -> bytes:
    """The stop reply of one thread of the present stop (qThreadStopInfo), with reason if it has one."""
    event = session.stops.reasons.get(tid) or ThreadEvent(process.pid, tid)
    return compose(session, event, with_threads=False)
