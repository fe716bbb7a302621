"""Stop replies for gdb.

gdb skips keys it does not know, and stops with an error at swbreak or hwbreak if it did not offer them. Sent along are
PC, SP and FP.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydbgserver.errors import DebugError
from pydbgserver.rsp.replies import hex_text
from pydbgserver.session.stop_fields import fork_key, sent_registers
from pydbgserver.session.stops import InitialStop
from pydbgserver.target.api import Process
from pydbgserver.target.events import (
    BreakpointHit,
    Cloned,
    Execed,
    Forked,
    Halted,
    Interrupted,
    NoneResumed,
    SignalStop,
    StepDone,
    SyscallStop,
    ThreadEvent,
    ThreadExited,
    ThreadStarted,
    VforkDone,
    WatchKind,
    WatchpointHit,
)
from pydbgserver.target.repeats import ReplyPart, RunReplies

if TYPE_CHECKING:
    from pydbgserver.session.session import Session

WATCH_KEYS = {WatchKind.WRITE: "watch", WatchKind.READ: "rwatch", WatchKind.ACCESS: "awatch", WatchKind.EXECUTE: ""}


def _plain(session: Session, event: Any) -> str:
    return "T05"


def _breakpoint(session: Session, event: BreakpointHit) -> str:
    if event.hardware:
        return "T05hwbreak:;" if session.dialect.hardware_break_key else "T05"
    return "T05swbreak:;" if session.dialect.software_break_key else "T05"


def _watchpoint(session: Session, event: WatchpointHit) -> str:
    keys = f"T05{WATCH_KEYS[event.kind]}:{event.address:x};"
    if event.others and session.dialect.several_watched:
        keys += "".join([f"{WATCH_KEYS[kind]}:{address:x};" for kind, address in event.others])
    return keys


def _signal(session: Session, event: SignalStop) -> str:
    return f"T{session.dialect.signal_to_wire(event.signal):02x}"


def _interrupted(session: Session, event: Interrupted) -> str:
    return f"T{session.dialect.signal_to_wire(session.dialect.interrupt_signal):02x}"


def _syscall(session: Session, event: SyscallStop) -> str:
    return f"T05syscall_{'entry' if event.entry else 'return'}:{event.number:x};"


def _fork(session: Session, event: Forked) -> str:
    return f"T05{fork_key(session, event)}"


def _clone(session: Session, event: Cloned) -> str:
    return f"T05clone:{session.dialect.thread_id(event.pid, event.child_tid)};"


def _vfork_done(session: Session, event: VforkDone) -> str:
    return "T05vforkdone:;"


def _exec(session: Session, event: Execed) -> str:
    if "exec" not in session.dialect.events:
        return "T05"
    return f"T05exec:{hex_text(event.path).decode()};"


def _none_resumed(session: Session, event: NoneResumed) -> str:
    """For a client that does not know ``N``: a stop without a signal."""
    return "T00"


def _halted(session: Session, event: Halted) -> str:
    return "T00"


def _thread_started(session: Session, event: ThreadStarted) -> str:
    return "T05create:;"


_FORMS: dict[type[ThreadEvent], Callable[[Session, Any], str]] = {
    BreakpointHit: _breakpoint,
    WatchpointHit: _watchpoint,
    StepDone: _plain,
    SignalStop: _signal,
    Interrupted: _interrupted,
    InitialStop: _plain,
    SyscallStop: _syscall,
    Forked: _fork,
    Cloned: _clone,
    VforkDone: _vfork_done,
    Execed: _exec,
    ThreadStarted: _thread_started,
    NoneResumed: _none_resumed,
    Halted: _halted,
}


def compose(session: Session, event: ThreadEvent) -> bytes:
    """``T`` signal, event key, registers, thread: gdbserver's order. `core:` is in the threads object only, since
    finding the processor costs a read of /proc."""
    if event.__class__ is NoneResumed and session.dialect.no_resumed:
        return b"N"
    thread = session.dialect.thread_id(event.pid, event.tid)
    make = _FORMS.get(event.__class__)
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
            registers = sent_registers(process, event.tid, False)
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
    step = _plain(session, StepDone(process.pid, tid))
    breakpoint = _breakpoint(session, BreakpointHit(process.pid, tid, 0))
    return RunReplies(tid, *(_parts(session, process, tid, head) for head in (step, breakpoint)))


def _parts(session: Session, process: Process, tid: int, text: str) -> list[ReplyPart]:
    parts = []
    for number, start, end in process.arch.expedited_slices:
        parts.append(ReplyPart(f"{text}{number:02x}:".encode(), start, end - start))
        text = ";"
    return [*parts, ReplyPart(f"{text}thread:{session.dialect.thread_id(process.pid, tid)};".encode())]
