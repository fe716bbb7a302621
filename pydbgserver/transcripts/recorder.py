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
from pydbgserver.rsp.bodies import BODY_OVERHEAD, FIRST_LINE, Bodies, packed
from pydbgserver.rsp.journal import LINE_OVERHEAD, Journal
from pydbgserver.rsp.room import Ahead
from pydbgserver.rsp.transcript import (
    LONGEST_LINE,
    Mark,
    TranscriptError,
    console_text,
    format_header,
    format_later_header,
)
from pydbgserver.transcripts.growing import GrowingFile

BODIES_SUFFIX = ".bodies"

UNKNOWN_CLIENT = "unknown"
"""In the header until the first packet that tells; as long as any client's name."""

PACKED_AT_MOST = 16 << 20
"""Side files of up to so many bytes are compressed at the end of the session, which takes 0.2 s then."""


class Recorder:
    """One session's file, and beside it the side file as soon as there is a body for it. Raises `OSError`.

    `journal` is for those who write lines of packets by themselves; they leave what has no room to the recorder.
    """

    def __init__(self, path: str, header: Mapping[str, str]) -> None:
        self._path = path
        self.header = dict(header)
        self.journal = Journal()
        self._write = self.journal.add
        self._bodies = Bodies()
        self._bodies_file: GrowingFile | None = None
        self._client_at = -1
        descriptor = _open_claimed(path)
        self._ahead = Ahead()
        self._file: GrowingFile | None = GrowingFile(descriptor, self.journal.room, self._ahead)
        try:
            # A side file of an earlier session has nothing to do with this one.
            with suppress(FileNotFoundError):
                os.unlink(path + BODIES_SUFFIX)
            first = format_header({**header, "client": header.get("client", UNKNOWN_CLIENT)})
            self._file.reserve(0, len(first))
            self.journal.add_text(first)
            self._client_at = first.index(b"\nclient: ") + len(b"\nclient: ") if "client" not in header else -1
        except OSError:
            self.close()
            raise

    # What the connection tells. All of it is in the file when these return, or the user has been told that the
    # recording has ended: the session goes on.

    def name_client(self, name: str) -> None:
        """Which client it is has turned out: "gdb" or "lldb". The header has it unless it was given another."""
        if self._file is not None and self._client_at >= 0:
            self.journal.room.put(self._client_at, name.encode().ljust(len(UNKNOWN_CLIENT)))

    def add_header(self, more: Mapping[str, str]) -> None:
        """What is known only now, of what the header does not have."""
        new = {key: value for key, value in more.items() if value and key not in self.header}
        self.header |= new
        text = format_later_header(new)
        if self._file is None:
            return
        try:
            self._file.reserve(self.journal.end, len(text))
            self.journal.add_text(text)
        except OSError as error:
            self._end_early(error)

    def received(self, body: bytes) -> None:
        """A packet from the client, as it was on the wire."""
        if body[:1] == b"I":
            self._add_console(Mark.TO_SERVER, Mark.INPUT, body)
        elif failed := self._write(b"<-", body):
            self._write_after(failed, b"<-", body)

    def sent(self, body: bytes) -> None:
        """A packet to the client, runs expanded and escapes undone."""
        if body[:1] == b"O" and body != b"OK":
            self._add_console(Mark.TO_CLIENT, Mark.OUTPUT, body)
        elif failed := self._write(b"->", body):
            self._write_after(failed, b"->", body)

    def mark(self, mark: Mark, body: bytes = b"") -> None:
        """Anything else."""
        text = mark.value.encode()
        if failed := self._write(text, body):
            self._write_after(failed, text, body)

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
        problems = self._close_bodies(), file.close(self.journal.end)
        self._ahead.end()
        return next(filter(None, problems), "")

    def _close_bodies(self) -> str:
        if self._bodies_file is None:
            return ""
        file, self._bodies_file = self._bodies_file, None
        why = file.close(self._bodies.end)
        if not why and self._bodies.end <= PACKED_AT_MOST:
            with suppress(OSError, TranscriptError):  # It stays as it is.
                _pack(self._path + BODIES_SUFFIX)
        return why

    # Lines.

    def _write_after(self, failed: int, mark: bytes, body: bytes) -> None:
        """There was no room for it, or it could not be written: `failed` is -errno."""
        if self._file is None:
            return
        try:
            self._file.reserve(self.journal.end, 4 * min(len(body), LONGEST_LINE) + LINE_OVERHEAD)
            if failed != -errno.ENOBUFS:
                self._reserve_body(len(body))
            failed = self._write(mark, body)
            if failed:
                raise OSError(-failed, os.strerror(-failed))
        except OSError as error:
            self._end_early(error)

    def _reserve_body(self, size: int) -> None:
        """Have room for one more body in the side file. Raises `OSError`."""
        if self._bodies_file is None:
            descriptor = _open(self._path + BODIES_SUFFIX, os.O_RDWR | os.O_TRUNC)
            self._bodies_file = GrowingFile(descriptor, self._bodies.room, self._ahead)
            self._bodies_file.reserve(0, len(FIRST_LINE) + 1)
            self._bodies.begin()
            self.journal.keep_in(self._bodies)
        self._bodies_file.reserve(self._bodies.end, size + BODY_OVERHEAD)
        self._bodies.make_place()

    def _end_early(self, error: OSError) -> None:
        logs.problem(f"{self._path}: the recording ends here: {error.strerror}")
        self._close()

    def _add_console(self, mark: Mark, console: Mark, body: bytes) -> None:
        """An `O` or `I` packet: the text in it, if the packet can be made again from that."""
        text = console_text(body)
        self.mark(mark if text is None else console, body if text is None else text)


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


def _pack(path: str) -> None:
    """Make a side file small. Raises `OSError` and `TranscriptError`; it is as it was then."""
    with open(path, "rb") as file:
        small = packed(file.read(), path)
    beside = path + "~"
    with open(beside, "wb") as file:
        file.write(small)
    os.replace(beside, path)


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
