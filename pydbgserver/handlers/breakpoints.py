"""Breakpoints and watchpoints: Z inserts, z removes.

An unknown kind gets the empty reply, and so does one that this CPU lacks. Anything else that fails is an error:
an empty reply would make the client give up the whole kind.
"""

from __future__ import annotations

from pydbgserver.errors import DebugError, Unsupported
from pydbgserver.rsp.registry import packet
from pydbgserver.session.session import Session
from pydbgserver.target.api import Process
from pydbgserver.target.capabilities import BreakpointPrograms, HardwareDebug
from pydbgserver.target.events import WatchKind

PROGRAM_FEATURES = ("ConditionalBreakpoints+", "BreakpointCommands+")


def _hardware(process: Process) -> HardwareDebug:
    hardware = process.capability(HardwareDebug)
    if hardware is None:
        raise Unsupported("hardware breakpoints and watchpoints")
    return hardware


def _watch(session: Session, kind: WatchKind, address: int, length: int) -> None:
    process = session.process
    _hardware(process).insert(kind, address, length)
    session.inserted.watchpoints.add((process.pid, address))


def _unwatch(session: Session, kind: WatchKind, address: int, length: int) -> None:
    process = session.process
    _hardware(process).remove(kind, address, length)
    session.inserted.watchpoints.discard((process.pid, address))


def _set_program(session: Session, process: Process, address: int, hardware: bool, options: str | None) -> None:
    """Before the breakpoint is there: nobody may meet it without its conditions."""
    if not options and (process.pid, address, hardware) not in session.inserted.programmed:
        return
    programs = process.capability(BreakpointPrograms)
    if programs is None:
        raise DebugError("this target cannot evaluate conditions of breakpoints")
    if options:
        from pydbgserver.handlers.breakpoint_program import parse

        programs.set(address, parse(options), hardware=hardware)
        session.inserted.programmed.add((process.pid, address, hardware))
    else:
        _clear_program(session, process, address, hardware)


def _clear_program(session: Session, process: Process, address: int, hardware: bool) -> None:
    if (process.pid, address, hardware) in session.inserted.programmed:
        session.inserted.programmed.remove((process.pid, address, hardware))
        programs = process.capability(BreakpointPrograms)
        if programs is not None:
            programs.clear(address, hardware=hardware)


@packet("Z0", "',' address:hex ',' kind:hex [';' options:text]", features=PROGRAM_FEATURES)
def insert_software(session: Session, address: int, kind: int, options: str | None) -> None:
    process = session.process
    if options or session.inserted.programmed:
        _set_program(session, process, address, False, options)
    try:
        process.insert_breakpoint(address, kind)
    except DebugError:
        _clear_program(session, process, address, False)
        raise
    session.inserted.breakpoints.add((process.pid, address))
    if not options:
        session.repeats.note_insertion(process, address, kind)


@packet("z0", "',' address:hex ',' kind:hex")
def remove_software(session: Session, address: int, kind: int) -> None:
    """One that is not there is none to remove: the manual wants these packets idempotent. (gdbserver and lldb-server
    make an error of it.) One that was in memory which has been unmapped is forgotten, and the error reply says so: gdb
    warns its user."""
    process = session.process
    try:
        process.remove_breakpoint(address, kind)
    finally:
        _clear_program(session, process, address, False)
        session.inserted.breakpoints.discard((process.pid, address))
    session.repeats.note_removal(process, address, kind)


@packet("Z1", "',' address:hex ',' kind:hex [';' options:text]")
def insert_hardware(session: Session, address: int, kind: int, options: str | None) -> None:
    """`kind` is the length of a trap instruction; the debug register watches the first byte."""
    process = session.process
    hardware = _hardware(process)
    if options or session.inserted.programmed:
        _set_program(session, process, address, True, options)
    try:
        hardware.insert(WatchKind.EXECUTE, address, 1)
    except DebugError:
        _clear_program(session, process, address, True)
        raise
    session.inserted.breakpoints.add((process.pid, address))


@packet("z1", "',' address:hex ',' kind:hex")
def remove_hardware(session: Session, address: int, kind: int) -> None:
    process = session.process
    _hardware(process).remove(WatchKind.EXECUTE, address, 1)
    _clear_program(session, process, address, True)
    session.inserted.breakpoints.discard((process.pid, address))


@packet("Z2", "',' address:hex ',' length:hex")
def insert_write_watch(session: Session, address: int, length: int) -> None:
    _watch(session, WatchKind.WRITE, address, length)


@packet("z2", "',' address:hex ',' length:hex")
def remove_write_watch(session: Session, address: int, length: int) -> None:
    _unwatch(session, WatchKind.WRITE, address, length)


@packet("Z3", "',' address:hex ',' length:hex")
def insert_read_watch(session: Session, address: int, length: int) -> None:
    _watch(session, session.dialect.read_watch, address, length)


@packet("z3", "',' address:hex ',' length:hex")
def remove_read_watch(session: Session, address: int, length: int) -> None:
    _unwatch(session, session.dialect.read_watch, address, length)


@packet("Z4", "',' address:hex ',' length:hex")
def insert_access_watch(session: Session, address: int, length: int) -> None:
    _watch(session, WatchKind.ACCESS, address, length)


@packet("z4", "',' address:hex ',' length:hex")
def remove_access_watch(session: Session, address: int, length: int) -> None:
    _unwatch(session, WatchKind.ACCESS, address, length)
