"""A file that grows while it is written through memory."""

from __future__ import annotations

import errno
import os

from pydbgserver.rsp.codec import library
from pydbgserver.rsp.room import Ahead, Room

STEP = library.RSP_STEP
"""The file grows by so many bytes at a time while it is written; what is too much is cut off at the end."""

MAPPED = 64 * 1024 * 1024
"""So much is mapped at first; a mapping of what is not there yet costs nothing."""

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

    def __init__(self, descriptor: int, room: Room, ahead: Ahead) -> None:
        """Owns `descriptor`; `room` is what writes, from the file's beginning. Raises `OSError`."""
        self._descriptor = descriptor
        self._room = room
        room.map(descriptor, MAPPED, ahead)

    def reserve(self, end: int, size: int) -> None:
        """Have room for `size` bytes more than `end`. Raises `OSError`, also if it was cut off."""
        try:
            self._room.grow(end, size)
        except OSError as error:
            raise OSError(error.errno, CUT_OFF) if error.errno == errno.ESTALE else error from None

    def close(self, end: int) -> str:
        """Cut the file off at `end`, where its text ends. Gives `what_happened` to it."""
        why = CUT_OFF if self._room.lost else what_happened(self._descriptor, self._room.size)
        self._room.leave()
        if why != CUT_OFF:
            os.ftruncate(self._descriptor, end)
        os.close(self._descriptor)
        return why
