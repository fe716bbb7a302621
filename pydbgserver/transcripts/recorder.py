"""Writes transcripts while the session goes on. What a line tells of is in the file before it is answered."""

from __future__ import annotations

import mmap
import os
from collections.abc import Mapping
from contextlib import suppress
from time import perf_counter_ns

from pydbgserver.errors import UsageError
from pydbgserver.rsp.transcript import (
    BODIES_FIRST_LINE,
    LONGEST_LINE,
    Mark,
    body_name,
    console_text,
    escape,
    format_header,
    format_line,
    pack_body,
)

BODIES_SUFFIX = ".bodies"

MADV_POPULATE_WRITE = 23
"""madvise(2): page tables for writing, since Linux 5.14."""

STEP = 256 * 1024
"""The file grows by so many bytes at a time while it is written; the rest of the last step is cut off at the end."""


class _Growing:
    """A file that is written through a shared mapping: what is written stays, however this process ends, and no system
    call is needed for it. A write() is 3 to 10 us, a round trip 25. Ended by a signal it has NULs after its text."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._end = 0
        self._capacity = 0
        self._map: mmap.mmap | None = None

    def write(self, data: bytes) -> None:
        """Append `data`. Raises `OSError` when the disk is full."""
        end = self._end + len(data)
        if end > self._capacity or self._map is None:
            self._grow(end)
            assert self._map is not None
        self._map[self._end : end] = data
        self._end = end

    def _grow(self, end: int) -> None:
        capacity = (end // STEP + 1) * STEP
        # A mapping of blocks that the disk turns out not to have would end the process by SIGBUS.
        os.posix_fallocate(self._descriptor, 0, capacity)
        if self._map is not None:
            self._map.close()
        self._map = mmap.mmap(self._descriptor, capacity)
        with suppress(OSError, ValueError):
            # All pages at once: a fault for each of them costs as much as the lines on it.
            begin = self._end // mmap.PAGESIZE * mmap.PAGESIZE
            self._map.madvise(MADV_POPULATE_WRITE, begin, capacity - begin)
        self._capacity = capacity

    def close(self) -> None:
        """Cut the file off where its text ends."""
        if self._map is not None:
            self._map.close()
        os.ftruncate(self._descriptor, self._end)
        os.close(self._descriptor)


class Recorder:
    """One session's file, and beside it the side file as soon as there is a body for it. Raises `OSError`.

    Lines go out together as soon as the server has said something, or nothing is said for now (`flush`).
    """

    def __init__(self, path: str, header: Mapping[str, str]) -> None:
        self._path = path
        self._start = perf_counter_ns()
        self._bodies = -1
        self._named: set[bytes] = set()
        self._pending = b""
        # A side file of an earlier session has nothing to do with this one.
        with_bodies = path + BODIES_SUFFIX
        if os.path.exists(with_bodies):
            os.unlink(with_bodies)
        self._file: _Growing | None = _Growing(_create(path, os.O_RDWR))
        self._write = self._file.write
        self._write(format_header(header))

    # What the connection tells.

    def received(self, body: bytes) -> None:
        """A packet from the client, as it was on the wire."""
        if len(body) > LONGEST_LINE or body[:1] == b"I":
            self._add_uncommon(Mark.TO_SERVER, body)
        else:
            now = (perf_counter_ns() - self._start) // 1000
            self._pending += b"%d.%06d <- %s\n" % (now // 1_000_000, now % 1_000_000, escape(body))

    def sent(self, body: bytes) -> None:
        """A packet to the client, runs expanded and escapes undone. It is in the file when this returns."""
        if not body or len(body) > LONGEST_LINE or body[:1] == b"O":
            self._add_uncommon(Mark.TO_CLIENT, body)
            self.flush()
            return
        now = (perf_counter_ns() - self._start) // 1000
        line = b"%d.%06d -> %s\n" % (now // 1_000_000, now % 1_000_000, escape(body))
        self._write(self._pending + line)
        self._pending = b""

    def mark(self, mark: Mark, body: bytes = b"") -> None:
        """Anything else. It is in the file when this returns."""
        self._add(mark, body)
        self.flush()

    def kernel(self, body: bytes) -> None:
        """A call to the kernel. It is in the file when this returns; after the end of the session it is left out."""
        if self._file is not None:
            self.mark(Mark.KERNEL, body)

    def flush(self) -> None:
        """Write what has been received and not been answered."""
        if self._pending:
            self._write(self._pending)
            self._pending = b""

    def close(self) -> None:
        """The session is over. Twice is no error."""
        if self._file is not None:
            self.flush()
            self._file.close()
            self._file = None
            if self._bodies >= 0:
                os.close(self._bodies)
                self._bodies = -1

    # Lines.

    def _add_uncommon(self, mark: Mark, body: bytes) -> None:
        console = {ord("I"): Mark.INPUT, ord("O"): Mark.OUTPUT}.get(body[0]) if body else None
        if console is not None and console.to_client == mark.to_client:
            text = console_text(body)
            if text is not None:
                mark, body = console, text
        self._add(mark, body)

    def _add(self, mark: Mark, body: bytes) -> None:
        now = (perf_counter_ns() - self._start) // 1000
        name = self._keep(body) if len(body) > LONGEST_LINE else None
        self._pending += format_line(now, mark, body, name=name)

    def _keep(self, body: bytes) -> bytes:
        """Put `body` into the side file, once, and give its name."""
        name = body_name(body)
        if name not in self._named:
            if self._bodies < 0:
                self._bodies = _create(self._path + BODIES_SUFFIX)
                _write_all(self._bodies, BODIES_FIRST_LINE.encode() + b"\n")
            _write_all(self._bodies, pack_body(body, name))
            self._named.add(name)
        return name


def _create(path: str, mode: int = os.O_WRONLY | os.O_APPEND) -> int:
    return os.open(path, mode | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)


def _write_all(descriptor: int, data: bytes) -> None:
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, data[written:])


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
            os.close(_create(path))
        except OSError as error:
            raise UsageError(f"{path}: cannot record there: {error.strerror}") from None

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
        """The next session's recorder. Raises `OSError`."""
        self._count += 1
        stem, suffix = os.path.splitext(self._path)
        recorder = Recorder(self._path if self._count == 1 else f"{stem}-{self._count}{suffix}", self.header)
        if self._first is None:
            self._first = recorder
            for body in self._before:
                recorder.kernel(body)
            self._before.clear()
        return recorder
