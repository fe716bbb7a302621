"""Writes transcripts while the session goes on. What a line tells of is in the file before it is answered."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Mapping
from contextlib import suppress

from pydbgserver import logs
from pydbgserver.errors import UsageError
from pydbgserver.rsp.journal import LINE_OVERHEAD, Journal
from pydbgserver.rsp.transcript import (
    BODIES_FIRST_LINE,
    LONGEST_LINE,
    Mark,
    body_name,
    console_text,
    format_header,
    pack_body,
)
from pydbgserver.transcripts.growing import GrowingFile

BODIES_SUFFIX = ".bodies"


class Recorder:
    """One session's file, and beside it the side file as soon as there is a body for it. Raises `OSError`.

    `journal` is for those who write lines of packets by themselves; they leave what has no room to the recorder.
    """

    def __init__(self, path: str, header: Mapping[str, str]) -> None:
        self._path = path
        self._bodies = -1
        self._named: set[bytes] = set()
        self.journal = Journal()
        self._file: GrowingFile | None = GrowingFile(_open_claimed(path), self.journal.room)
        try:
            # A side file of an earlier session has nothing to do with this one.
            with suppress(FileNotFoundError):
                os.unlink(path + BODIES_SUFFIX)
            first = format_header(header)
            self._file.reserve(0, len(first))
            self.journal.add_text(first)
        except OSError:
            self.close()
            raise

    # What the connection tells. All of it is in the file when these return, or the user has been told that the
    # recording has ended: the session goes on.

    def received(self, body: bytes) -> None:
        """A packet from the client, as it was on the wire."""
        if len(body) > LONGEST_LINE or body[:1] == b"I":
            self._add_uncommon(Mark.TO_SERVER, body)
        else:
            self._line(b"<-", body)

    def sent(self, body: bytes) -> None:
        """A packet to the client, runs expanded and escapes undone."""
        if len(body) > LONGEST_LINE or body[:1] == b"O":
            self._add_uncommon(Mark.TO_CLIENT, body)
        else:
            self._line(b"->", body)

    def mark(self, mark: Mark, body: bytes = b"") -> None:
        """Anything else."""
        if len(body) <= LONGEST_LINE:
            self._line(mark.value.encode(), body)
        elif self._file is not None:
            try:
                name = self._keep(body)
            except OSError as error:
                self._end_early(error)
            else:
                self._line(mark.value.encode(), name, named=True)

    def kernel(self, body: bytes) -> None:
        """A call to the kernel; after the end of the session it is left out."""
        self.mark(Mark.KERNEL, body)

    def close(self) -> None:
        """The session is over. Twice is no error."""
        why = self._close()
        if why:
            logs.problem(f"{self._path}: what was recorded is not all there: {why}")

    def _close(self) -> str:
        """Why what was recorded is not to be found, "" if it is."""
        if self._file is None:
            return ""
        file, self._file = self._file, None
        if self._bodies >= 0:
            os.close(self._bodies)
            self._bodies = -1
        return file.close(self.journal.end)

    # Lines.

    def _line(self, mark: bytes, body: bytes, *, named: bool = False) -> None:
        if self.journal.add(mark, body, named=named) or self._file is None:
            return
        try:
            self._file.reserve(self.journal.end, 4 * len(body) + LINE_OVERHEAD)
        except OSError as error:
            self._end_early(error)
        else:
            self.journal.add(mark, body, named=named)

    def _end_early(self, error: OSError) -> None:
        logs.problem(f"{self._path}: the recording ends here: {error.strerror}")
        self._close()

    def _add_uncommon(self, mark: Mark, body: bytes) -> None:
        console = {ord("I"): Mark.INPUT, ord("O"): Mark.OUTPUT}.get(body[0])
        if console is not None and console.to_client == mark.to_client:
            text = console_text(body)
            if text is not None:
                mark, body = console, text
        self.mark(mark, body)

    def _keep(self, body: bytes) -> bytes:
        """Put `body` into the side file, once, and give its name."""
        name = body_name(body)
        if name not in self._named:
            if self._bodies < 0:
                self._bodies = _open(self._path + BODIES_SUFFIX, os.O_WRONLY | os.O_APPEND | os.O_TRUNC)
                _write_all(self._bodies, BODIES_FIRST_LINE.encode() + b"\n")
            _write_all(self._bodies, pack_body(body, name))
            self._named.add(name)
        return name


def _open(path: str, mode: int) -> int:
    return os.open(path, mode | os.O_CREAT | os.O_CLOEXEC, 0o666)


def _open_claimed(path: str) -> int:
    """An empty file that nobody else records into. Raises `OSError`."""
    descriptor = _open(path, os.O_RDWR)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError(errno.EBUSY, "another session is being recorded there") from None
        except OSError:
            pass  # A file system without locks.
        os.ftruncate(descriptor, 0)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _write_all(descriptor: int, data: bytes) -> None:
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, data[written:])


def _refused(path: str, error: OSError) -> UsageError:
    return UsageError(f"{path}: cannot record there: {error.strerror}")


class Recordings:
    """The files of a server that may serve several clients: the second session's is FILE-2 before its suffix."""

    def __init__(self, path: str) -> None:
        """Raises `UsageError` if nothing can be recorded there."""
        self.header: Mapping[str, str] = {}
        self._path = path
        self._count = 0
        self._before: list[bytes] = []
        self._first: Recorder | None = None
        try:
            os.close(_open_claimed(path))
        except OSError as error:
            raise _refused(path, error) from None

    def kernel(self, body: bytes) -> None:
        """A call to the kernel, of the first session: a later one goes on with what it does not tell of."""
        if self._first is not None:
            self._first.kernel(body)
        else:
            self._before.append(body)

    def skip(self) -> None:
        """A session is served by another process: the next file is another's."""
        self._count += 1
        self._before.clear()

    def begin(self) -> Recorder:
        """The next session's recorder. Raises `UsageError` if nothing can be recorded there."""
        self._count += 1
        stem, suffix = os.path.splitext(self._path)
        path = self._path if self._count == 1 else f"{stem}-{self._count}{suffix}"
        try:
            recorder = Recorder(path, self.header)
        except OSError as error:
            raise _refused(path, error) from None
        if self._first is None:
            self._first = recorder
            for body in self._before:
                recorder.kernel(body)
            self._before.clear()
        return recorder
