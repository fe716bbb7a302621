"""A file that grows while it is written through memory."""

from __future__ import annotations

import errno
import os

from pydbgserver.rsp.room import Room

ZEROS = bytes(4096)
"""One page for all of them to be written from: it stays in the processor's cache."""

STEP = 64 * len(ZEROS)
"""The file grows by so many bytes at a time while it is written; the rest of the last step is cut off at the end."""

MAPPED = 256 * 1024 * 1024
"""So much is mapped at first; a mapping of what is not there yet costs nothing."""

KEPT = 32 * STEP
"""What was written longer ago than this is not in the process's memory any more."""


CUT_OFF = "somebody else has cut the file off"


def what_happened(descriptor: int, size: int) -> str:
    """Why what was written to a file, so many bytes, is not to be found there, "" if it is."""
    status = os.fstat(descriptor)
    if status.st_size < size:
        return CUT_OFF
    return "" if status.st_nlink else "somebody else has removed the file"


class GrowingFile:
    """A file that is written through a shared mapping: what is written stays, however this process ends, and no system
    call is needed for it. A write() is 3 to 10 us, a round trip 25. Ended by a signal it has NULs after its text."""

    def __init__(self, descriptor: int, room: Room) -> None:
        """Owns `descriptor`; `room` is what writes, from the file's beginning. Raises `OSError`."""
        self._descriptor = descriptor
        self._room = room
        self._forgotten = 0
        room.map(descriptor, MAPPED)

    def reserve(self, end: int, size: int) -> None:
        """Have room for `size` bytes more than `end`. Raises `OSError`, also if it was cut off."""
        room, needed = self._room, end + size
        if self._is_cut_off():
            raise OSError(errno.EIO, CUT_OFF)
        while needed > room.mapped:
            room.map(self._descriptor, 2 * room.mapped)
        # Pages that a write has brought, many at a time, cost a quarter of those that faults bring one by one, and
        # they have their place on the disk.
        while room.size < needed:
            room.size += os.pwritev(self._descriptor, [ZEROS] * (STEP // len(ZEROS)), room.size)
        if end - self._forgotten >= 2 * KEPT:
            room.forget(self._forgotten, self._forgotten + KEPT)
            self._forgotten += KEPT

    def _is_cut_off(self) -> bool:
        return self._room.lost or os.fstat(self._descriptor).st_size < self._room.size

    def close(self, end: int) -> str:
        """Cut the file off at `end`, where its text ends. Gives `what_happened` to it."""
        why = CUT_OFF if self._room.lost else what_happened(self._descriptor, self._room.size)
        self._room.leave()
        if why != CUT_OFF:
            os.ftruncate(self._descriptor, end)
        os.close(self._descriptor)
        return why
