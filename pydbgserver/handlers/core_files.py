"""Core files that the server writes."""

from __future__ import annotations

from pydbgserver.errors import Unsupported
from pydbgserver.rsp.registry import packet
from pydbgserver.rsp.replies import hex_text
from pydbgserver.session.session import Session
from pydbgserver.target.capabilities import CoreFiles
from pydbgserver.target.events import SignalStop


@packet("qSaveCore", "[';path-hint:' hint:hextext [';']]", dialect="lldb", features=["qSaveCore+"])
def save_core(session: Session, hint: str | None) -> str:
    """The path of the file. lldb hints at one on its own machine, and fetches the file from where the reply says."""
    process, tid = session.stopped_thread()
    files = process.capability(CoreFiles)
    if files is None:
        raise Unsupported("core files")
    last = session.stops.last
    signal = last.signal if isinstance(last, SignalStop) and last.tid == tid else 0
    return f"core-path:{hex_text(files.save(hint or '', tid, signal)).decode()};"
