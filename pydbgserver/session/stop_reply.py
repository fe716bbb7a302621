"""Stop replies: one event, as the client wants to read it.

Both clients take ``Tss`` and ``key:value;`` pairs. A key of hex digits only is
a register number (for lldb of exactly two digits).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydbgserver.session import gdb_stops, lldb_stops
from pydbgserver.target.events import BreakpointHit, ProcessExited, StopEvent

if TYPE_CHECKING:
    from pydbgserver.session.session import Session


def compose(session: Session, event: StopEvent) -> bytes:
    """The stop reply for `event` in the client's form. Never raises: what cannot be read any more is left out."""
    if isinstance(event, ProcessExited):
        return _process_gone(session, event)
    if session.dialect.is_lldb:
        return lldb_stops.compose(session, event, with_threads=session.dialect.list_threads)
    return gdb_stops.compose(session, event)


def _process_gone(session: Session, event: ProcessExited) -> bytes:
    if event.signal is not None:
        reply = f"X{session.dialect.signal_to_wire(event.signal):02x}"
    else:
        reply = f"W{(event.exit_code or 0) & 0xFF:02x}"
    if session.dialect.multiprocess:
        reply += f";process:{event.pid:x}"
    return reply.encode()


def failure_text(event: BreakpointHit) -> str:
    """Why the breakpoint stopped the program although its condition may not hold."""
    return f"The condition or a command of the breakpoint at {event.address:#x} failed: {event.failure}"
