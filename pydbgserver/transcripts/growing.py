"""A file that grows while it is written through memory."""

from __future__ import annotations

import mmap
import os

from pydbgserver.rsp.room import Room

ZEROS = bytes(4096)
"""One page for all of them to be written from: it stays in the processor's cache."""

STEP = 64 * len(ZEROS)
"""The file grows by so many bytes at a time while it is written; the rest of the last step is cut off at the end."""


class CutOff(OSError):
    """Somebody else has made the file shorter."""

    def __init__(self) -> None:
        super().__init__(None, "somebody else has cut the file off")


class GrowingFile:
    """A file that is written through a shared mapping: what is written stays, however this process ends, and no system
    call is needed for it. A write() is 3 to 10 us, a round trip 25. Ended by a signal it has NULs after its text."""

    def __init__(self, descriptor: int, room: Room) -> None:
        """Owns `descriptor`; `room` is what writes. Raises `OSError`."""
        self._descriptor = descriptor
        self._room = room
        self._capacity = 0
        self._map: mmap.mmap | None = None
        room.guard()

    def reserve(self, end: int, size: int) -> None:
        """Have room for `size` bytes more than `end`. Raises `OSError`, also if it was cut off."""
        if self._is_cut_off():
            raise CutOff
        # Pages that a write has brought, many at a time, cost a quarter of those that faults bring one by one, and
        # they have their place on the disk.
        while self._capacity < end + size:
            self._capacity += os.pwritev(self._descriptor, [ZEROS] * (STEP // len(ZEROS)), self._capacity)
        larger = mmap.mmap(self._descriptor, self._capacity)
        self._room.enter(larger)
        if self._map is not None:
            self._map.close()
        self._map = larger

    def _is_cut_off(self) -> bool:
        return self._room.lost or os.fstat(self._descriptor).st_size < self._capacity

    def close(self, end: int) -> str:
        """Cut the file off at `end`, where its text ends; why that text is not to be found there, "" if it is."""
        cut_off, removed = self._is_cut_off(), os.fstat(self._descriptor).st_nlink == 0
        self._room.leave()
        self._room.unguard()
        if self._map is not None:
            self._map.close()
        if not cut_off:
            os.ftruncate(self._descriptor, end)
        os.close(self._descriptor)
        if cut_off:
            return str(CutOff().strerror)
        return "somebody else has removed the file" if removed else ""
