"""What the client wants to hear of, and what becomes of the target when it goes away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from pydbgserver.errors import MalformedPacket, NoSuchThread, Unsupported
from pydbgserver.rsp.grammar import ALL, ANY, ThreadId, parse_thread
from pydbgserver.rsp.registry import packet
from pydbgserver.session.session import Session
from pydbgserver.target.api import ANY as EVERY_THREAD
from pydbgserver.target.api import Process
from pydbgserver.target.capabilities import ThreadReports


def _native(session: Session, numbers: tuple[int, ...]) -> frozenset[int]:
    """The target's numbers of the client's signals; those that the target does not have are left out. Of two numbers
    for one signal (gdb's SIGIO and SIGPOLL) only the one that we use counts: the client may treat them differently."""
    dialect = session.dialect
    pairs = ((number, dialect.signal_from_wire(number)) for number in numbers)
    return frozenset(native for number, native in pairs if native and dialect.signal_to_wire(native) == number)


@packet("QPassSignals", "':' numbers:hex*';' [';'] [' ']", features=["QPassSignals+"])
def pass_signals(session: Session, numbers: tuple[int, ...]) -> None:
    """Signals delivered without a stop; the whole list each time. lldb-server puts up with a space after it."""
    session.run_settings.options.pass_signals = _native(session, numbers)
    session.run_settings.change()


@packet("QProgramSignals", "':' numbers:hex*';' [';']", dialect="gdb", features=["QProgramSignals+"])
def program_signals(session: Session, numbers: tuple[int, ...]) -> None:
    """Signals the program may see at all; the others are dropped."""
    session.run_settings.options.program_signals = _native(session, numbers)
    session.run_settings.change()


@packet("QCatchSyscalls", "':' mode:dec [';' numbers:hex+';'] [';']", dialect="gdb", features=["QCatchSyscalls+"])
def catch_syscalls(session: Session, mode: int, numbers: tuple[int, ...]) -> None:
    """0: none; 1: those listed, all of them without a list. About the present process."""
    if mode not in (0, 1):
        raise MalformedPacket("QCatchSyscalls takes 0 or 1")
    pid = session.process.pid
    caught = {one: calls for one, calls in session.run_settings.options.catch_syscalls.items() if one != pid}
    if mode:
        caught[pid] = frozenset(numbers) or None
    session.run_settings.options.catch_syscalls = caught
    session.run_settings.change()


@packet("QThreadEvents", "':' mode:dec", dialect="gdb", features=["QThreadEvents+"])
def thread_events(session: Session, mode: int) -> None:
    if mode not in (0, 1):
        raise MalformedPacket(f"unknown thread-events mode {mode}")
    session.run_settings.options.report_threads = mode == 1
    session.run_settings.change()


CLONE_EVENTS, EXIT_EVENTS = 1, 2
"""The options of a thread (gdb manual, QThreadOptions)."""


@packet("QThreadOptions", "options:text", dialect="gdb", features=["QThreadOptions=3"])
def thread_options(session: Session, options: str) -> None:
    """``;OPTIONS[:THREAD]`` any number of times: the last one that matches a thread is what it gets, in place of what
    it had; one that none matches keeps its options. A thread that is gone is no error."""
    chosen = [_parse_options(one) for one in options.split(";")[1:]]
    if not chosen or not options.startswith(";"):
        raise MalformedPacket("QThreadOptions takes options")
    for bits, pattern in chosen:
        for process in _meant(session, pattern):
            reports = process.capability(ThreadReports)
            if reports is None:
                raise Unsupported("events of single threads")
            with suppress(NoSuchThread):
                tid = EVERY_THREAD if pattern.tid in (ALL, ANY) else pattern.tid
                reports.report(tid, clones=bool(bits & CLONE_EVENTS), exits=bool(bits & EXIT_EVENTS))


def _meant(session: Session, pattern: ThreadId) -> Iterator[Process]:
    """The processes that `pattern` may mean; a bare thread id is that of whichever process has it."""
    for pid, process in session.backend.processes.items():
        if pattern.pid in (ALL, ANY, pid) or (
            pattern.pid is None and (pattern.tid in (ALL, ANY) or pattern.tid in process.threads())
        ):
            yield process


def _parse_options(text: str) -> tuple[int, ThreadId]:
    digits, _, thread = text.partition(":")
    try:
        bits = int(digits, 16)
        pattern = parse_thread(thread.encode()) if thread else ThreadId(None, ALL)
    except ValueError as error:
        raise MalformedPacket(f"thread options {text[:40]!r} make no sense") from error
    if bits & ~(CLONE_EVENTS | EXIT_EVENTS) or bits < 0:
        raise MalformedPacket(f"unknown thread options {digits[:40]}")
    return bits, pattern


@packet("QSetDetachOnError", "':' mode:dec", dialect="lldb")
def detach_on_error(session: Session, mode: int) -> None:
    if mode not in (0, 1):
        raise MalformedPacket("QSetDetachOnError takes 0 or 1")
    session.detach_on_error = mode == 1
