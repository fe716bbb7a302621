"""Files that a client has open through vFile.

An upload (create, empty, write: what put-file of lldb and `remote put` of gdb ask for) is written under a name of its
own beside its final one and renamed when the client closes it, so that nobody ever finds half a file: not when the
connection breaks off, and not when the disk is full.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from itertools import count

from pydbgserver.rsp.codec import library
from pydbgserver.target.files import OWN_FILES, Files

_KINDS = os.O_WRONLY | os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC | os.O_EXCL
_UPLOAD = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
_ALWAYS = os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
"""O_NONBLOCK: opening a FIFO without a writer must not stop the server."""

FIRST_READ = library.RSP_FIRST_READ

_numbers = count(1)


class OpenFile:
    """One open file of a client: `descriptor` until `close` or `abandon`. All methods raise `OSError`."""

    __slots__ = ("_next", "descriptor")

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._next = -1

    def read(self, size: int, offset: int) -> bytes:
        """Up to `size` bytes; fewer if that is much and the last read did not end at `offset` (native/cdef/rsp.h)."""
        data = os.pread(self.descriptor, size if offset == self._next else min(size, FIRST_READ), offset)
        self._next = offset + len(data)
        return data

    def write(self, data: bytes, offset: int) -> int:
        """How many bytes were written."""
        return os.pwrite(self.descriptor, data, offset)

    def close(self) -> None:
        """The client is done with it."""
        os.close(self.descriptor)

    def abandon(self) -> None:
        """The client is gone."""
        self.close()


class Upload(OpenFile):
    """A file that gets its name, `path`, when it is whole. `old`: what it replaces, None for nothing."""

    __slots__ = ("_failure", "_path", "_unfinished")

    def __init__(self, path: str, mode: int, old: os.stat_result | None) -> None:
        self._path = path
        self._unfinished = os.path.join(os.path.dirname(path), f".upload-{os.getpid()}-{next(_numbers)}")
        self._failure = 0
        super().__init__(os.open(self._unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _ALWAYS, mode))
        if old is not None:
            self._take_over(old)

    def _take_over(self, old: os.stat_result) -> None:
        """Owner and permissions of the file that is replaced, as it would keep them if it were overwritten."""
        with suppress(OSError):
            os.fchown(self.descriptor, old.st_uid, old.st_gid)
        with suppress(OSError):
            os.fchmod(self.descriptor, stat.S_IMODE(old.st_mode))

    def write(self, data: bytes, offset: int) -> int:
        """A failed write makes the whole upload fail: lldb closes the file as if nothing had happened."""
        try:
            return super().write(data, offset)
        except OSError as error:
            self._failure = self._failure or error.errno or errno.EIO
            raise

    def close(self) -> None:
        """Give the file its name, unless a write has failed: then that failure is raised."""
        try:
            super().close()
            if self._failure:
                raise OSError(self._failure, os.strerror(self._failure))
            os.rename(self._unfinished, self._path)
        except OSError:
            self._remove()
            raise

    def abandon(self) -> None:
        """Nothing is left of it."""
        os.close(self.descriptor)
        self._remove()

    def _remove(self) -> None:
        with suppress(OSError):
            os.unlink(self._unfinished)


def open_file(files: Files, path: str, flags: int, mode: int) -> OpenFile:
    """Open `path` of `files` with the host's `flags`. Raises `OSError` and `ValueError`.

    What is another process' view of the file system is written in place.
    """
    if files is OWN_FILES and flags & _KINDS == _UPLOAD and not path.endswith("/"):
        upload = _upload(path, mode)
        if upload is not None:
            return upload
    return OpenFile(files.open(path, flags | _ALWAYS, mode))


def _upload(path: str, mode: int) -> Upload | None:
    """None where the file has to be written in place: it is no plain file, or its directory cannot be written to."""
    path = os.path.realpath(path)
    try:
        old = os.stat(path)
    except FileNotFoundError:
        return Upload(path, mode, None)
    if not stat.S_ISREG(old.st_mode) or not os.access(path, os.W_OK, effective_ids=True) or _kept(path, old):
        return None
    try:
        return Upload(path, mode, old)
    except OSError:
        return None


def _kept(path: str, old: os.stat_result) -> bool:
    """Whether the directory lets only owners rename over `old` (the sticky bit), and we are none; or it has another
    name that would keep the old content."""
    directory = os.stat(os.path.dirname(path))
    sticky = bool(directory.st_mode & stat.S_ISVTX)
    return old.st_nlink > 1 or (sticky and os.geteuid() not in (0, old.st_uid, directory.st_uid))


FIRST_DESCRIPTOR = 3


class ClientFiles:
    """A client's open files by its own descriptors: it cannot name one of the server's.

    `view`: in whose view of the file system paths are meant. `open_now`: all that are open; a new mapping each time.
    """

    __slots__ = ("open_now", "view")

    def __init__(self) -> None:
        self.view: Files = OWN_FILES
        self.open_now: Mapping[int, OpenFile] = {}

    def __len__(self) -> int:
        return len(self.open_now)

    def __getitem__(self, number: int) -> OpenFile:
        """Raises `OSError` (EBADF)."""
        try:
            return self.open_now[number]
        except KeyError:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF)) from None

    def open(self, path: str, flags: int, mode: int) -> int:
        """Open `path` as `open_file` does; gives the lowest descriptor that is free."""
        opened = open_file(self.view, path, flags, mode)
        number = next(one for one in count(FIRST_DESCRIPTOR) if one not in self.open_now)
        self.open_now = {**self.open_now, number: opened}
        return number

    def close(self, number: int) -> None:
        """Whatever closing says, the descriptor is free. Raises `OSError`."""
        file = self[number]
        self.open_now = {key: one for key, one in self.open_now.items() if one is not file}
        file.close()

    def abandon(self) -> None:
        """The client is gone: close everything."""
        for file in self.open_now.values():
            with suppress(OSError):  # A network file system may fail to close.
                file.abandon()
        self.open_now = {}
