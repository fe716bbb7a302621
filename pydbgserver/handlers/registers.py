"""Registers: one, or all of them as one block, and snapshots for expressions."""

from __future__ import annotations

from pydbgserver.arch import tdesc
from pydbgserver.errors import DebugError, Unsupported
from pydbgserver.rsp.registry import packet
from pydbgserver.session.session import Session
from pydbgserver.target import registers
from pydbgserver.target.capabilities import RegisterSnapshots

NO_MORE_REGISTERS = 0x45
"""lldb-server's error for qRegisterInfo past the last register; lldb takes any error for the end."""


@packet("g")
def read_all(session: Session, tid: int | None) -> bytes:
    """In the order of the target description, without gaps."""
    process, thread = session.stopped_thread(tid)
    return registers.read_block(process, thread).hex().encode()


@packet("G", "block:hexbytes")
def write_all(session: Session, block: bytes, tid: int | None) -> None:
    process, thread = session.stopped_thread(tid)
    registers.write_block(process, thread, block)


@packet("p", "number:hex")
def read_one(session: Session, number: int, tid: int | None) -> bytes:
    process, thread = session.stopped_thread(tid)
    return registers.read_register(process, thread, number).hex().encode()


@packet("P", "number:hex '=' value:hexbytes")
def write_one(session: Session, number: int, value: bytes, tid: int | None) -> None:
    """gdb sets orig_rax itself before it calls a function; lldb knows nothing of it."""
    process, thread = session.stopped_thread(tid)
    if session.dialect.is_lldb and number == process.arch.pc.number:
        registers.jump(process, thread, value)
        return
    registers.write_register(process, thread, number, value)


@packet("qRegisterInfo", "number:hex", dialect="lldb")
def register_info(session: Session, number: int) -> str:
    info = tdesc.register_info(session.process.arch, number)
    if info is None:
        error = DebugError(f"there is no register {number}")
        error.code = NO_MORE_REGISTERS
        raise error
    return info


def _snapshots(session: Session, tid: int | None) -> tuple[RegisterSnapshots, int, int]:
    process, thread = session.stopped_thread(tid)
    snapshots = process.capability(RegisterSnapshots)
    if snapshots is None:
        raise Unsupported("register snapshots")
    return snapshots, process.pid, thread


@packet("QSaveRegisterState", dialect="lldb")
def save(session: Session, tid: int | None) -> str:
    """The snapshot's number is decimal. lldb saves the registers of a thread that it is about to have call a function,
    and restores them when that has returned."""
    snapshots, pid, thread = _snapshots(session, tid)
    number = snapshots.save(thread)
    session.run_settings.now_called((*session.run_settings.calls, (pid, number)))
    return str(number)


@packet("QRestoreRegisterState", "':' snapshot:dec", dialect="lldb")
def restore(session: Session, snapshot: int, tid: int | None) -> None:
    snapshots, pid, thread = _snapshots(session, tid)
    snapshots.restore(thread, snapshot)
    session.run_settings.now_called(session.run_settings.calls - {(pid, snapshot)})
