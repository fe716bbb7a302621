"""Stop replies: one event, as the client wants to read it.

Both clients take ``Tss`` and ``key:value;`` pairs. A key of hex digits only is
a register number (for lldb of exactly two digits), gdb skips keys it does not
know and stops with an error at swbreak or hwbreak if it did not offer them.
gdb gets PC, SP and FP; lldb all general registers, the reason and, once it
sent QListThreadsInStopReply, every thread with its PC, as lldb-server does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from pydbgserver.arch.model import Arch
from pydbgserver.errors import DebugError
from pydbgserver.session import fault
from pydbgserver.session.stops import InitialStop
from pydbgserver.target.api import Process
from pydbgserver.target.capabilities import MachException, MachExceptions, SignalInfo
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
    ThreadEvent,
    ThreadExited,
    ThreadStarted,
    VforkDone,
    WatchKind,
    WatchpointHit,
)
from pydbgserver.target.registers import expedited, pc
from pydbgserver.target.repeats import ReplyPart, RunReplies

if TYPE_CHECKING:
    from pydbgserver.session.session import Session

SIGTRAP = 5
NO_ADDRESS = 2**64 - 1
"""lldb-server's word for "the trapped address is not known" in the description of a watchpoint."""

WATCH_KEYS = {WatchKind.WRITE: "watch", WatchKind.READ: "rwatch", WatchKind.ACCESS: "awatch", WatchKind.EXECUTE: ""}


@dataclass(frozen=True, slots=True)
class StopForms:
    """What --disable-packet leaves of stop replies: `details` (else plain ``Sss``), `thread_key`."""

    thread_key: bool = True
    details: bool = True


def compose(session: Session, event: StopEvent) -> bytes:
    """The stop reply for `event` in the client's form. Never raises: what cannot be read any more is left out."""
    if isinstance(event, ProcessExited):
        return _process_gone(session, event)
    if session.dialect.is_lldb:
        return _for_lldb(session, event, with_threads=session.dialect.list_threads)
    return _for_gdb(session, event)


def compose_thread(session: Session, process: Process, tid: int) -> bytes:
    """The stop reply of one thread of the present stop (qThreadStopInfo), with reason if it has one."""
    event = session.stops.reasons.get(tid) or ThreadEvent(process.pid, tid)
    return _for_lldb(session, event, with_threads=False)


def _process_gone(session: Session, event: ProcessExited) -> bytes:
    if event.signal is not None:
        reply = f"X{session.dialect.signal_to_wire(event.signal):02x}"
    else:
        reply = f"W{(event.exit_code or 0) & 0xFF:02x}"
    if session.dialect.multiprocess:
        reply += f";process:{event.pid:x}"
    return reply.encode()


# Registers.


@lru_cache(maxsize=8)
def _form(arch: Arch, lldb: bool) -> tuple[str, str, Callable[[str], tuple[str, ...]]]:
    """Of the registers sent along: their register set, ``NN:%s;`` for each, and what cuts the digits for it out of
    those of the whole set."""
    slices = arch.general_slices if lldb else arch.expedited_slices
    form = "".join([f"{number:02x}:%s;" for number, _, _ in slices])
    return arch.pc.regset, form, itemgetter(*(slice(2 * start, 2 * end) for _, start, end in slices))


def _registers(process: Process, tid: int, lldb: bool) -> str:
    """``NN:value;`` of the registers sent along, in target byte order."""
    regset, form, cut = _form(process.arch, lldb)
    return form % cut(process.read_regset(tid, regset).hex())


# gdb.


def _gdb_plain(session: Session, event: Any) -> str:
    return "T05"


def _gdb_breakpoint(session: Session, event: BreakpointHit) -> str:
    if event.hardware:
        return "T05hwbreak:;" if session.dialect.hardware_break_key else "T05"
    return "T05swbreak:;" if session.dialect.software_break_key else "T05"


def _gdb_watchpoint(session: Session, event: WatchpointHit) -> str:
    keys = f"T05{WATCH_KEYS[event.kind]}:{event.address:x};"
    if event.others and session.dialect.several_watched:
        keys += "".join([f"{WATCH_KEYS[kind]}:{address:x};" for kind, address in event.others])
    return keys


def _gdb_signal(session: Session, event: SignalStop) -> str:
    return f"T{session.dialect.signal_to_wire(event.signal):02x}"


def _gdb_interrupted(session: Session, event: Interrupted) -> str:
    return f"T{session.dialect.signal_to_wire(session.dialect.interrupt_signal):02x}"


def _gdb_syscall(session: Session, event: SyscallStop) -> str:
    return f"T05syscall_{'entry' if event.entry else 'return'}:{event.number:x};"


def _gdb_fork(session: Session, event: Forked) -> str:
    return f"T05{_fork_key(session, event)}"


def _gdb_clone(session: Session, event: Cloned) -> str:
    return f"T05clone:{session.dialect.thread_id(event.pid, event.child_tid)};"


def _gdb_vfork_done(session: Session, event: VforkDone) -> str:
    return "T05vforkdone:;"


def _gdb_exec(session: Session, event: Execed) -> str:
    if "exec" not in session.dialect.events:
        return "T05"
    return f"T05exec:{_hex_text(event.path)};"


def _gdb_none_resumed(session: Session, event: NoneResumed) -> str:
    """For a client that does not know ``N``: a stop without a signal."""
    return "T00"


def _gdb_halted(session: Session, event: Halted) -> str:
    return "T00"


def _gdb_thread_started(session: Session, event: ThreadStarted) -> str:
    return "T05create:;"


_GDB_FORMS: dict[type[ThreadEvent], Callable[[Session, Any], str]] = {
    BreakpointHit: _gdb_breakpoint,
    WatchpointHit: _gdb_watchpoint,
    StepDone: _gdb_plain,
    SignalStop: _gdb_signal,
    Interrupted: _gdb_interrupted,
    InitialStop: _gdb_plain,
    SyscallStop: _gdb_syscall,
    Forked: _gdb_fork,
    Cloned: _gdb_clone,
    VforkDone: _gdb_vfork_done,
    Execed: _gdb_exec,
    ThreadStarted: _gdb_thread_started,
    NoneResumed: _gdb_none_resumed,
    Halted: _gdb_halted,
}


def _for_gdb(session: Session, event: ThreadEvent) -> bytes:
    """``T`` signal, event key, registers, thread: gdbserver's order. `core:` is in the threads object only, since
    finding the processor costs a read of /proc."""
    if event.__class__ is NoneResumed and session.dialect.no_resumed:
        return b"N"
    thread = session.dialect.thread_id(event.pid, event.tid)
    make = _GDB_FORMS.get(event.__class__)
    if make is None:
        status = event.status if isinstance(event, ThreadExited) else 0
        return f"w{status & 0xFF:02x};{thread}".encode()
    head = make(session, event)
    forms = session.stop_forms
    if not forms.details:
        return f"S{head[1:3]}".encode()
    process = session.backend.processes.get(event.pid)
    registers = ""
    if process is not None:
        try:
            registers = _registers(process, event.tid, False)
        except DebugError:
            registers = ""
    if not forms.thread_key:
        return f"{head}{registers}".encode()
    return f"{head}{registers}thread:{thread};".encode()


def run_replies(session: Session, process: Process, tid: int) -> RunReplies | None:
    """What `compose` gives for a step and for a software breakpoint of the thread, in parts; None where it says more
    than registers."""
    forms = session.stop_forms
    if session.dialect.is_lldb or not (forms.details and forms.thread_key):
        return None
    step = _gdb_plain(session, StepDone(process.pid, tid))
    breakpoint = _gdb_breakpoint(session, BreakpointHit(process.pid, tid, 0))
    return RunReplies(tid, *(_gdb_parts(session, process, tid, head) for head in (step, breakpoint)))


def _gdb_parts(session: Session, process: Process, tid: int, text: str) -> list[ReplyPart]:
    parts = []
    for number, start, end in process.arch.expedited_slices:
        parts.append(ReplyPart(f"{text}{number:02x}:".encode(), start, end - start))
        text = ";"
    return [*parts, ReplyPart(f"{text}thread:{session.dialect.thread_id(process.pid, tid)};".encode())]


def _fork_key(session: Session, event: Forked) -> str:
    name = "vfork" if event.vfork else "fork"
    return f"{name}:{session.dialect.thread_id(event.child_pid, event.child_pid)};"


# lldb.


@dataclass(slots=True)
class Reason:
    """Why a thread stopped, in lldb's words. `signal` is the number on the wire, 0 for a thread without a reason."""

    signal: int = 0
    reason: str = ""
    description: str = ""


def reason_of(session: Session, event: ThreadEvent) -> Reason:
    """The reason of `event` as lldb-server gives it."""
    make = _LLDB_REASONS.get(event.__class__)
    return Reason() if make is None else make(session, event)


def _lldb_breakpoint(session: Session, event: BreakpointHit) -> Reason:
    return Reason(SIGTRAP, "breakpoint")


def _lldb_step(session: Session, event: StepDone) -> Reason:
    return Reason(SIGTRAP, "trace")


def _lldb_watchpoint(session: Session, event: WatchpointHit) -> Reason:
    return Reason(SIGTRAP, "watchpoint", f"{event.address} {event.slot} {NO_ADDRESS}")


def _lldb_signal(session: Session, event: SignalStop) -> Reason:
    return Reason(session.dialect.signal_to_wire(event.signal), "signal", _fault(session, event))


def _lldb_asked_for(session: Session, event: ThreadEvent) -> Reason:
    return Reason(session.dialect.signal_to_wire(session.dialect.interrupt_signal), "signal")


def _lldb_fork(session: Session, event: Forked) -> Reason:
    return Reason(SIGTRAP, "vfork" if event.vfork else "fork", f"{event.child_pid} {event.child_pid}")


def _lldb_vfork_done(session: Session, event: VforkDone) -> Reason:
    return Reason(SIGTRAP, "vforkdone")


def _lldb_exec(session: Session, event: Execed) -> Reason:
    return Reason(session.dialect.signal_to_wire(session.dialect.initial_signal), "exec")


def _lldb_other(session: Session, event: ThreadEvent) -> Reason:
    return Reason(SIGTRAP, "signal")


_LLDB_REASONS: dict[type[ThreadEvent], Callable[[Session, Any], Reason]] = {
    BreakpointHit: _lldb_breakpoint,
    WatchpointHit: _lldb_watchpoint,
    StepDone: _lldb_step,
    SignalStop: _lldb_signal,
    Interrupted: _lldb_asked_for,
    InitialStop: _lldb_asked_for,
    SyscallStop: _lldb_other,
    Forked: _lldb_fork,
    VforkDone: _lldb_vfork_done,
    Execed: _lldb_exec,
    ThreadStarted: _lldb_other,
    ThreadExited: _lldb_other,
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


def _for_lldb(session: Session, event: ThreadEvent, *, with_threads: bool) -> bytes:
    """Signal, thread, name, all threads, registers, reason: lldb-server's order."""
    reason = reason_of(session, event)
    parts = [f"T{reason.signal:02x}thread:{session.dialect.thread_id(event.pid, event.tid)};"]
    process = session.backend.processes.get(event.pid)
    if process is not None:
        try:
            parts.append(_name(process.thread_name(event.tid)))
            if with_threads:
                parts.append(_all_threads(session, process))
            parts.append(_registers(process, event.tid, True))
        except DebugError:
            pass
    exception = _exception(process, event) if process is not None else None
    if exception is not None:
        data = "".join([f"medata:{code:x};" for code in exception.codes])
        parts.append(f"metype:{exception.type:x};mecount:{len(exception.codes):x};{data}")
    elif reason.reason:
        parts.append(f"reason:{reason.reason};")
    if reason.description:
        parts.append(f"description:{_hex_text(reason.description)};")
    if isinstance(event, Forked):
        parts.append(_fork_key(session, event))
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
    return f"hexname:{_hex_text(name)};"


def _all_threads(session: Session, process: Process) -> str:
    tids = process.threads()
    threads = f"threads:{','.join([f'{tid:x}' for tid in tids])};"
    pcs = f"thread-pcs:{','.join([f'{pc(process, tid):016x}' for tid in tids])};"
    if len(tids) < 2:
        return threads + pcs
    import json

    stops = json.dumps([thread_json(session, process, tid, registers=False) for tid in tids], separators=(",", ":"))
    return f"{threads}jstopinfo:{_hex_text(stops)};{pcs}"


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


def _hex_text(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").hex()


def failure_text(event: BreakpointHit) -> str:
    """Why the breakpoint stopped the program although its condition may not hold."""
    return f"The condition or a command of the breakpoint at {event.address:#x} failed: {event.failure}"
