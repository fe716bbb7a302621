"""Small builders of replies that several packets share. Pure: bytes and numbers in, bytes out."""

from __future__ import annotations

import errno
import os
import stat
import struct
from binascii import hexlify


def hex_text(text: str) -> bytes:
    """The UTF-8 bytes of `text` in hexadecimal; undecodable bytes of paths and names come out as they were."""
    return hexlify(text.encode("utf-8", "surrogateescape"))


def console_output(data: bytes | bytearray) -> bytes:
    """The ``O`` packet: the client shows `data` to its user."""
    return b"O" + hexlify(data)


def thread_id(pid: int, tid: int, *, multiprocess: bool) -> bytes:
    """``pPID.TID`` if the client negotiated multiprocess, else ``TID``; hexadecimal."""
    return b"p%x.%x" % (pid, tid) if multiprocess else b"%x" % tid


def xfer_chunk(data: bytes, offset: int, length: int) -> bytes:
    """The part of an object that qXfer asks for: "m" and more follows, or "l" and this was the last of it."""
    end = offset + length
    return (b"m" if end < len(data) else b"l") + data[offset:end]


# gdb's File-I/O protocol has numbers of its own, for errors, open flags and the stat structure (gdb manual,
# "File-I/O Remote Protocol Extension", section "Protocol-specific Representation of Datatypes").

FILE_IO_UNKNOWN = 9999

_FILE_IO_ERRORS = {
    errno.EPERM: 1,
    errno.ENOENT: 2,
    errno.EINTR: 4,
    errno.EIO: 5,
    errno.EBADF: 9,
    errno.EACCES: 13,
    errno.EFAULT: 14,
    errno.EBUSY: 16,
    errno.EEXIST: 17,
    errno.ENODEV: 19,
    errno.ENOTDIR: 20,
    errno.EISDIR: 21,
    errno.EINVAL: 22,
    errno.ENFILE: 23,
    errno.EMFILE: 24,
    errno.EFBIG: 27,
    errno.ENOSPC: 28,
    errno.ESPIPE: 29,
    errno.EROFS: 30,
    errno.ENOSYS: 88,
    errno.ENAMETOOLONG: 91,
}

_OPEN_FLAGS = {
    0x1: os.O_WRONLY,
    0x2: os.O_RDWR,
    0x8: os.O_APPEND,
    0x200: os.O_CREAT,
    0x400: os.O_TRUNC,
    0x800: os.O_EXCL,
    # lldb adds three of its own (lldb/Host/File.h, OpenOptions).
    1 << 28: os.O_NONBLOCK,
    1 << 29: os.O_NOFOLLOW,
    1 << 30: os.O_CLOEXEC,
}

# lldb before 14 sends the numbers of its own lldb/Host/File.h (captured of 11 and 13: 12a to write, 1 to read). Most of
# their bits mean nothing in File-I/O. 1 alone is to write what is there, for which a mode has no meaning: an old lldb
# that reads sends its default one.
_OLD_LLDB_ACCESS = {1: os.O_RDONLY, 2: os.O_WRONLY, 3: os.O_RDWR}
_OLD_LLDB_FLAGS = {
    0x4: os.O_APPEND,
    0x8: os.O_TRUNC,
    0x10: os.O_NONBLOCK,
    0x20: os.O_CREAT,
    0x40: os.O_CREAT | os.O_EXCL,
    0x80: os.O_NOFOLLOW,
    0x100: os.O_CLOEXEC,
}
_ONLY_OLD_LLDB = 0x1F4
_OLD_LLDB_READS = (1, 0o600)

_FILE_TYPES = frozenset({stat.S_IFREG, stat.S_IFDIR, stat.S_IFCHR, stat.S_IFLNK})
_STAT = struct.Struct(">7I3Q3I")


def file_io_error(code: int) -> int:
    """The File-I/O number of an errno, `FILE_IO_UNKNOWN` if it has none."""
    return _FILE_IO_ERRORS.get(code, FILE_IO_UNKNOWN)


def file_result(value: int, attachment: bytes | None = None, *, decimal: bool = False) -> bytes:
    """``FVALUE``, hexadecimal (`decimal`: see `is_old_lldbs`), and ``;`` with what was read, which the framing
    escapes."""
    head = b"F%d" % value if decimal else b"F-%x" % -value if value < 0 else b"F%x" % value
    return head if attachment is None else b"%b;%b" % (head, attachment)


def file_failure(code: int, *, decimal: bool = False) -> bytes:
    """``F-1,ERROR``: a vFile request failed with the errno `code`."""
    return (b"F-1,%d" if decimal else b"F-1,%x") % file_io_error(code)


def is_old_lldbs(flags: int, mode: int) -> bool:
    """Whether an lldb that opens a file like that has flags of its own, not those of File-I/O, and decimal numbers
    wherever an open file is named."""
    return flags & _ONLY_OLD_LLDB != 0 or (flags, mode) == _OLD_LLDB_READS


def open_flags(flags: int, *, old_lldb: bool = False) -> int:
    """The flags for open(2) of File-I/O flags, or of an old lldb's. Raises `OSError` (EINVAL) if one is unknown."""
    host, meaning = 0, _OPEN_FLAGS
    if old_lldb:
        host, meaning = _OLD_LLDB_ACCESS.get(flags & 3, 0), _OLD_LLDB_FLAGS
        flags &= ~3
    for bit, host_flag in meaning.items():
        if flags & bit:
            host |= host_flag
            flags &= ~bit
    if flags:
        raise OSError(errno.EINVAL, f"unknown open flags {flags:#x}")
    return host


def file_stat(status: os.stat_result) -> bytes:
    """The File-I/O stat structure: 64 bytes, big endian, numbers cut to their fields, times in seconds.

    The mode has the type bits of files, directories, character devices and links, and the permissions.
    """
    kind = stat.S_IFMT(status.st_mode)
    mode = (kind if kind in _FILE_TYPES else 0) | status.st_mode & 0o777
    small = (status.st_dev, status.st_ino, mode, status.st_nlink, status.st_uid, status.st_gid, status.st_rdev)
    times = (int(status.st_atime), int(status.st_mtime), int(status.st_ctime))
    return _STAT.pack(
        *(number & 0xFFFFFFFF for number in small),
        status.st_size,
        status.st_blksize,
        status.st_blocks,
        *(number & 0xFFFFFFFF for number in times),
    )
