"""The conversation itself: features, acknowledgements, which thread is meant, what the client understands."""

from __future__ import annotations

from pydbgserver.errors import NoSuchProcess
from pydbgserver.rsp.grammar import ALL, ANY, ThreadId
from pydbgserver.rsp.registry import REGISTRY, packet
from pydbgserver.session import features
from pydbgserver.session.session import Session
from pydbgserver.target.capabilities import BreakpointPrograms, CoreFiles, ThreadReports
from pydbgserver.target.events import Forked, ThreadEvent, ThreadStarted

NEEDED: dict[str, type[object]] = {
    "qSaveCore+": CoreFiles,
    "ConditionalBreakpoints+": BreakpointPrograms,
    "BreakpointCommands+": BreakpointPrograms,
    "QThreadOptions=3": ThreadReports,
}
"""What a target must be able to do for a feature to be offered: clients that were told of it take no refusal (lldb's
ProcessGDBRemote::SaveCore; gdb, which then sends its conditions instead of evaluating them, and does not resume a
thread whose options are refused)."""

NEEDED_EVENTS: dict[str, type[ThreadEvent]] = {
    "fork-events+": Forked,
    "vfork-events+": Forked,
    "QThreadEvents+": ThreadStarted,
}
"""What a system must tell debuggers of."""


def _lacking(session: Session) -> frozenset[str]:
    """The features that are not for this target."""
    unheard = session.backend.never_reports
    incapable = {name for name, kind in NEEDED.items() if not _has(session, kind)}
    return frozenset(incapable.union(name for name, event in NEEDED_EVENTS.items() if event in unheard))


def _has(session: Session, kind: type[object]) -> bool:
    """Whether the process has the capability `kind`, or one that is yet to be launched will have it."""
    process = session.selection.process
    return kind not in session.backend.lacking if process is None else process.capability(kind) is not None


@packet("qSupported", "[':' offered:text] [';' more:text]")
def supported(session: Session, offered: str | None, more: str | None) -> str:
    """`offered`: items separated by ``;``, which lldb-server takes for the first separator, too. May come more than
    once: each time everything is negotiated anew."""
    items = frozenset(f"{offered or ''};{more or ''}".split(";"))
    dialect = session.dialect
    dialect.offer(items)
    # The wire numbers of signals may have changed with the dialect.
    session.parsed_actions.clear()
    # A gdb built without expat, or told not to read descriptions, does not say which it could read.
    plain_registers = dialect.is_gdb and not any(item.startswith("xmlRegisters=") for item in items)
    session.run_settings.negotiated(plain_registers=plain_registers)
    return features.advertise(dialect, items, REGISTRY.features(), _lacking(session))


@packet("QStartNoAckMode", features=["QStartNoAckMode+"])
def start_no_ack_mode(session: Session) -> None:
    session.no_ack_requested = True


@packet("!")
def extended_mode(session: Session) -> None:
    """The server outlives its processes, and vRun, vAttach and R are used."""
    session.extended = True


@packet("?")
def why_stopped(session: Session) -> bytes | str:
    if session.non_stop is None and session.stops.last is None and not session.backend.processes:
        # gdb in extended mode takes W00 for "nothing is running"; to lldb it would be a process that has exited.
        if session.dialect.is_lldb:
            raise NoSuchProcess
        return "W00"
    return session.run_control.stop_reply()


@packet("Hg", "pattern:thread")
def select_general_thread(session: Session, pattern: ThreadId) -> None:
    """The thread that registers, memory and breakpoints are about."""
    if session.dialect.is_lldb and pattern.pid in (ANY, ALL):
        # As in lldb-server: one process has to be meant.
        raise NoSuchProcess
    session.selection.select(*session.selection.find(pattern))


@packet("Hc", "pattern:thread")
def select_resumed_thread(session: Session, pattern: ThreadId) -> None:
    """The thread that `c`, `C`, `s` and `S` are about."""
    if pattern.tid not in (ANY, ALL):
        session.selection.find(pattern)
    session.resume_thread = pattern


@packet("Hs", "pattern:thread")
def select_stepped_thread(session: Session, pattern: ThreadId) -> None:
    """An old name of Hc that lldb-server accepts."""
    select_resumed_thread(session, pattern)


@packet("T", "pattern:thread")
def thread_alive(session: Session, pattern: ThreadId) -> None:
    session.selection.find(pattern)


@packet("qC")
def current_thread(session: Session) -> str:
    process = session.process
    return f"QC{session.dialect.current_thread_id(process.pid, session.selection.tid)}"


@packet("qAttached", "[':' pid:hex]")
def attached(session: Session, pid: int | None) -> str:
    process = session.process if pid is None else session.selection.process_of(pid)
    return "1" if process.attached else "0"


@packet("QThreadSuffixSupported", dialect="lldb", features=["QThreadSuffixSupported+"])
def thread_suffix(session: Session) -> None:
    session.dialect.thread_suffix()
    session.parsed_actions.clear()


@packet("QListThreadsInStopReply", dialect="lldb", features=["QListThreadsInStopReply+"])
def list_threads_in_stop_reply(session: Session) -> None:
    session.dialect.list_threads = True


@packet("QEnableErrorStrings", dialect="lldb")
def enable_error_strings(session: Session) -> None:
    session.dialect.error_strings = True


@packet("qEcho", "':' words:binary", dialect="lldb", features=["qEcho+"])
def echo(session: Session, words: bytes) -> bytes:
    """lldb finds its place in the stream again by this."""
    return b"qEcho:" + words
