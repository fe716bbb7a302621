"""What lldb's `process trace` asks for: nothing is traced here, whatever the processor could do."""

from __future__ import annotations

from pydbgserver.errors import DebugError
from pydbgserver.rsp.registry import packet
from pydbgserver.session.session import Session


def _nothing_is_traced(session: Session) -> DebugError:
    """In words what the machine has: people look for the reason there first."""
    technology = session.backend.host_info().processor_trace
    if technology:
        return DebugError(f"this server does not trace, though the processor has {technology}")
    return DebugError("the processor has no trace unit that the kernel shows (no Intel Processor Trace)")


@packet("jLLDBTraceSupported", dialect="lldb")
def trace_supported(session: Session) -> str:
    raise _nothing_is_traced(session)


@packet("jLLDBTraceStart", "':' request:binary", dialect="lldb")
@packet("jLLDBTraceStop", "':' request:binary", dialect="lldb")
@packet("jLLDBTraceGetState", "':' request:binary", dialect="lldb")
@packet("jLLDBTraceGetBinaryData", "':' request:binary", dialect="lldb")
def trace(session: Session, request: bytes) -> str:
    raise _nothing_is_traced(session)
