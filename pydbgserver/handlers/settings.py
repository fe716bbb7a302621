"""What the client wants to hear of, and what becomes of the target when it goes away."""

from __future__ import annotations

from pydbgserver.errors import MalformedPacket
from pydbgserver.rsp.registry import packet
from pydbgserver.session.session import Session


def _native(session: Session, numbers: tuple[int, ...]) -> frozenset[int]:
    """The target's numbers of the client's signals; those that the target does not have are left out. Of two numbers
    for one signal (gdb's SIGIO and SIGPOLL) only the one that we use counts: the client may treat them differently."""
    dialect = session.dialect
    pairs = ((number, dialect.signal_from_wire(number)) for number in numbers)
    return frozenset(native for number, native in pairs if native and dialect.signal_to_wire(native) == number)


@packet("QPassSignals", "':' numbers:hex*';' [';'] [' ']", features=["QPassSignals+"])
def pass_signals(session: Session, numbers: tuple[int, ...]) -> None:
    """Signals delivered without a stop; the whole list each time. lldb-server puts up with a space after it."""
    session.run_options.pass_signals = _native(session, numbers)
    session.options_changed = True


@packet("QProgramSignals", "':' numbers:hex*';' [';']", dialect="gdb", features=["QProgramSignals+"])
def program_signals(session: Session, numbers: tuple[int, ...]) -> None:
    """Signals the program may see at all; the others are dropped."""
    session.run_options.program_signals = _native(session, numbers)
    session.options_changed = True


@packet("QCatchSyscalls", "':' mode:dec [';' numbers:hex+';'] [';']", dialect="gdb", features=["QCatchSyscalls+"])
def catch_syscalls(session: Session, mode: int, numbers: tuple[int, ...]) -> None:
    """0: none; 1: those listed, all of them without a list. About the present process."""
    if mode not in (0, 1):
        raise MalformedPacket("QCatchSyscalls takes 0 or 1")
    pid = session.process.pid
    caught = {one: calls for one, calls in session.run_options.catch_syscalls.items() if one != pid}
    if mode:
        caught[pid] = frozenset(numbers) or None
    session.run_options.catch_syscalls = caught
    session.options_changed = True


@packet("QThreadEvents", "':' mode:dec", dialect="gdb", features=["QThreadEvents+"])
def thread_events(session: Session, mode: int) -> None:
    if mode not in (0, 1):
        raise MalformedPacket(f"unknown thread-events mode {mode}")
    session.run_options.report_threads = mode == 1
    session.options_changed = True


@packet("QSetDetachOnError", "':' mode:dec", dialect="lldb")
def detach_on_error(session: Session, mode: int) -> None:
    if mode not in (0, 1):
        raise MalformedPacket("QSetDetachOnError takes 0 or 1")
    session.detach_on_error = mode == 1
