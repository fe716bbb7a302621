"""Which threads there are and why each of them stopped."""

from __future__ import annotations

from pydbgserver.errors import MalformedPacket, Unsupported
from pydbgserver.handlers import mac
from pydbgserver.rsp.grammar import ThreadId
from pydbgserver.rsp.registry import packet
from pydbgserver.rsp.replies import hex_text
from pydbgserver.session import lldb_stops
from pydbgserver.session.session import Session
from pydbgserver.session.unheard import known_threads
from pydbgserver.target import registers
from pydbgserver.target.capabilities import MachThreads, ThreadDetails

THREADS_PER_REPLY = 1024
"""A full pP.T id has at most 22 characters, so that this many fit PacketSize."""


def _next_threads(session: Session) -> str:
    listing = session.thread_listing
    if not listing:
        return "l"
    session.thread_listing = listing[THREADS_PER_REPLY:]
    return "m" + ",".join(listing[:THREADS_PER_REPLY])


@packet("qfThreadInfo")
def first_threads(session: Session) -> str:
    """The threads of all processes. lldb takes an empty list for a target without thread ids, asks `?` and ends with
    a process 1 where there is none (GDBRemoteCommunicationClient::GetCurrentThreadIDs); lldb-server says OK."""
    if session.dialect.is_lldb and not session.backend.processes:
        return "OK"
    session.thread_listing = [
        thread for process, tids in known_threads(session) for thread in session.dialect.thread_ids(process.pid, tids)
    ]
    return _next_threads(session)


@packet("qsThreadInfo")
def more_threads(session: Session) -> str:
    return _next_threads(session)


@packet("qThreadExtraInfo", "',' pattern:thread")
def extra_info(session: Session, pattern: ThreadId) -> bytes:
    """What a list of threads shows beside the id."""
    process, tid = session.selection.find(pattern)
    return hex_text(process.thread_name(tid) or f"thread {tid}")


@packet("qThreadStopInfo", "pattern:thread", dialect="lldb")
def stop_info(session: Session, pattern: ThreadId) -> bytes:
    process, tid = session.selection.find(pattern)
    session.stopped_thread(tid)
    return lldb_stops.compose_thread(session, process, tid)


@packet("jThreadExtendedInfo", "':' [request:binary]", dialect="lldb")
def extended_info(session: Session, request: bytes | None) -> str | None:
    """``{"thread": TID}`` and more numbers; what `thread info --json` shows and SBThread.GetInfoItemByPathAsString
    finds. The bare form, with nothing after the colon, asks whether there is this packet."""
    libraries = session.process.capability(MachThreads)
    details = session.process.capability(ThreadDetails)
    if libraries is None and details is None:
        raise Unsupported("details of threads")
    if not request:
        return None
    import json

    try:
        numbers = {key: int(value) for key, value in json.loads(request).items()}
        wanted = numbers["thread"]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise MalformedPacket("jThreadExtendedInfo takes numbers, of a thread at least") from error
    process, tid = session.selection.find(ThreadId(None, wanted))
    if libraries is not None:
        information = mac.loaded_libraries(libraries, process, tid, numbers)
    elif details is not None:
        information = {"tid": tid, "name": process.thread_name(tid), **details.details(tid)}
        if not session.running:
            information["pthread_t"] = registers.thread_pointer(process, tid)
    return json.dumps(information, separators=(",", ":"))


@packet("jThreadsInfo", dialect="lldb")
def threads_json(session: Session) -> str:
    """Every thread of the process with its reason and the registers that an unwinder starts from."""
    import json

    process, _ = session.stopped_thread()
    threads = [lldb_stops.thread_json(session, process, tid, registers=True) for tid in process.threads()]
    return json.dumps(threads, separators=(",", ":"))
