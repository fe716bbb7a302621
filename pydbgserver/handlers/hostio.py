"""Host I/O: files of the machine the server runs on.

The client's descriptors are numbers of its own, so that it cannot close or read one of the server's. All errors are
File-I/O numbers in an ``F-1`` reply.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Final

from pydbgserver.errors import DebugError
from pydbgserver.rsp.registry import packet
from pydbgserver.rsp.replies import file_result, file_stat, is_old_lldbs, open_flags
from pydbgserver.session.dialect import FileFailure
from pydbgserver.session.open_files import OpenFile
from pydbgserver.session.session import Session
from pydbgserver.target.files import OWN_FILES

READ_LIMIT = 1 << 20
"""The most that one packet reads. Replies may be short; gdb 18 asks for as much as PacketSize."""

NO_SUCH_FILE = 5
"""lldb-server's error number where a reply has no form for one."""


class _FileErrors:
    """Turns what the operating system says into the client's form of it."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise FileFailure(error.errno or errno.EIO) from error
        if isinstance(error, (ValueError, OverflowError)):
            # A NUL in a path, or a number that no off_t holds.
            raise FileFailure(errno.EINVAL) from error


_file_errors: Final = _FileErrors()


def _number(session: Session, number: int) -> int:
    """`number`, which was read as hexadecimal, as the client means it. Raises `ValueError`."""
    return int(f"{number:x}") if session.dialect.decimal_files else number


def _result(session: Session, value: int, attachment: bytes | None = None) -> bytes:
    return file_result(value, attachment, decimal=session.dialect.decimal_files)


def _file(session: Session, number: int) -> OpenFile:
    return session.files[_number(session, number)]


@packet("vFile:setfs", "':' pid:hex", dialect="gdb")
def set_filesystem(session: Session, pid: int) -> bytes:
    """Whose view of the file system paths are meant in; 0: the server's own."""
    with _file_errors:
        session.files.view = session.backend.files_of(pid) if pid else OWN_FILES
    return file_result(0)


@packet("vFile:open", "':' path:hextext ',' flags:hex ',' mode:hex")
def open_file(session: Session, path: str, flags: int, mode: int) -> bytes:
    """An upload appears under its name when it is closed, see `session.open_files`."""
    dialect = session.dialect
    if dialect.is_lldb and is_old_lldbs(flags, mode):
        dialect.decimal_files = True
    with _file_errors:
        host_flags = open_flags(flags, old_lldb=dialect.decimal_files)
        number = session.files.open(path, host_flags, mode & 0o7777)
    return _result(session, number)


@packet("vFile:close", "':' number:hex")
def close_file(session: Session, number: int) -> bytes:
    with _file_errors:
        session.files.close(_number(session, number))
    return file_result(0)


@packet("vFile:pread", "':' number:hex ',' count:hex ',' offset:hex")
def read_file(session: Session, number: int, count: int, offset: int) -> bytes:
    with _file_errors:
        size = min(_number(session, count), READ_LIMIT)
        data = _file(session, number).read(size, _number(session, offset))
    return _result(session, len(data), data)


@packet("vFile:pwrite", "':' number:hex ',' offset:hex ',' data:binary")
def write_file(session: Session, number: int, offset: int, data: bytes) -> bytes:
    with _file_errors:
        return _result(session, _file(session, number).write(data, _number(session, offset)))


def _status(status: os.stat_result) -> bytes:
    packed = file_stat(status)
    return file_result(len(packed), packed)


@packet("vFile:fstat", "':' number:hex")
def file_status(session: Session, number: int) -> bytes:
    with _file_errors:
        return _status(os.fstat(_file(session, number).descriptor))


@packet("vFile:stat", "':' path:hextext")
def path_status(session: Session, path: str) -> bytes:
    with _file_errors:
        return _status(session.files.view.stat(path, follow=True))


@packet("vFile:lstat", "':' path:hextext", dialect="gdb")
def link_status(session: Session, path: str) -> bytes:
    with _file_errors:
        return _status(session.files.view.stat(path, follow=False))


@packet("vFile:readlink", "':' path:hextext", dialect="gdb")
def read_link(session: Session, path: str) -> bytes:
    with _file_errors:
        target = os.fsencode(session.files.view.read_link(path))
    return file_result(len(target), target)


@packet("vFile:unlink", "':' path:hextext")
def unlink(session: Session, path: str) -> bytes:
    with _file_errors:
        session.files.view.unlink(path)
    return file_result(0)


@packet("vFile:symlink", "':' target:hextext ',' path:hextext", dialect="lldb")
def make_link(session: Session, target: str, path: str) -> bytes:
    """The first path is what the link points to."""
    with _file_errors:
        os.symlink(target, path)
    return file_result(0)


@packet("vFile:size", "':' path:hextext", dialect="lldb")
def file_size(session: Session, path: str) -> str:
    """Sixteen digits; a failure has no File-I/O form here."""
    try:
        return f"F{os.stat(path).st_size:016x}"
    except (OSError, ValueError) as error:
        failure = DebugError(f"{path}: {error.strerror}" if isinstance(error, OSError) else str(error))
        failure.code = NO_SUCH_FILE
        raise failure from error


@packet("vFile:exists", "':' path:hextext", dialect="lldb")
def file_exists(session: Session, path: str) -> str:
    return "F,1" if os.path.exists(path) else "F,0"


@packet("vFile:mode", "':' path:hextext", dialect="lldb")
def file_mode(session: Session, path: str) -> bytes:
    with _file_errors:
        return file_result(stat.S_IMODE(os.stat(path).st_mode))


@packet("vFile:MD5", "':' path:hextext", dialect="lldb")
def file_digest(session: Session, path: str) -> str:
    """Two 64-bit words, each read from the digest as little endian."""
    import hashlib

    try:
        # Only a regular file has an end to read to.
        if not stat.S_ISREG(os.stat(path).st_mode):
            return "F,x"
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).digest()
    except (OSError, ValueError):
        return "F,x"
    return f"F,{digest[7::-1].hex()}{digest[:7:-1].hex()}"
