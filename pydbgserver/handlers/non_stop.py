"""Non-stop mode: switching it on and off, and acknowledging its notifications."""

from __future__ import annotations

from pydbgserver.errors import MalformedPacket
from pydbgserver.rsp.registry import packet
from pydbgserver.session import stop_mode
from pydbgserver.session.session import Session


@packet("QNonStop", "':' mode:dec", features=["QNonStop+"])
def non_stop(session: Session, mode: int) -> None:
    """1: stops come as notifications while everything else runs on. 0: everything is stopped."""
    if mode not in (0, 1):
        raise MalformedPacket("QNonStop takes 0 or 1")
    if mode:
        stop_mode.begin(session)
    else:
        stop_mode.end(session)


@packet("vStopped")
def stop_read(session: Session) -> bytes:
    """The last stop has been read: the next one, or OK."""
    from pydbgserver.session.non_stop import required

    return required(session).acknowledge()


@packet("vStdio", dialect="lldb")
def output_read(session: Session) -> bytes:
    """The same of what a debuggee has printed."""
    from pydbgserver.session.non_stop import required

    return required(session).acknowledge_output()


@packet("vCtrlC")
def interrupt(session: Session) -> None:
    """The interrupt as a packet. lldb's server takes it in non-stop mode only, gdb's at any time."""
    if session.non_stop is None and session.dialect.is_lldb:
        raise MalformedPacket("vCtrlC is of non-stop mode")
    session.run_control.interrupt()
