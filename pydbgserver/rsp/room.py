"""Memory that C writes into, and that may be a file's which somebody else cuts off."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from pydbgserver import native
from pydbgserver.rsp.codec import library


class Ahead:
    """A thread that has files grow before they are written to. `compiled` is the `rsp_ahead` of C, or NULL."""

    __slots__ = ("compiled",)

    def __init__(self) -> None:
        self.compiled = library.rsp_start_ahead()

    def end(self) -> None:
        """No room is left that was mapped with it. Twice is no error."""
        if self.compiled:
            library.rsp_end_ahead(self.compiled)
        self.compiled = native.ffi.NULL


class Room:
    """`compiled` is the `rsp_room` of C. There is none to write into until `enter` or `map`."""

    __slots__ = ("_memory", "_owner", "compiled")

    def __init__(self, owner: Any) -> None:
        """`owner`: the structure of C that has it as its field `room`."""
        self._owner = owner  # An address keeps nothing alive.
        self.compiled = native.ffi.addressof(owner, "room")
        self._memory: Any = None

    def __del__(self, unmap: Callable[[Any], None] = library.rsp_unmap) -> None:
        unmap(self.compiled)

    @property
    def size(self) -> int:
        """How many bytes may be written."""
        size: int = self.compiled.size
        return size

    @property
    def lost(self) -> bool:
        """Whether something was written where there is no file any more, and went nowhere."""
        return bool(self.compiled.lost)

    def enter(self, memory: bytearray) -> None:
        """It is all of `memory` from now on."""
        self._memory = native.ffi.from_buffer("uint8_t[]", memory, require_writable=True)
        self.compiled.start, self.compiled.size = self._memory, len(self._memory)

    def map(self, descriptor: int, mapped: int, ahead: Ahead) -> None:
        """It is a file's from now on, of `mapped` bytes at first, of which there may be fewer. That the file is cut off
        must not end the process. Raises `OSError`."""
        failed = library.rsp_map(self.compiled, descriptor, mapped)
        if failed:
            raise OSError(-failed, os.strerror(-failed))
        self.compiled.ahead = ahead.compiled

    def grow(self, end: int, size: int) -> None:
        """See to it that there are `size` bytes from `end` on. Raises `OSError`; ESTALE: somebody has cut it off."""
        failed = library.rsp_grow(self.compiled, end, size)
        if failed:
            raise OSError(-failed, os.strerror(-failed))

    def leave(self) -> None:
        """There is none any more. Twice is no error."""
        library.rsp_unmap(self.compiled)
        self.compiled.start, self.compiled.size = native.ffi.NULL, 0
        self._memory = None

    def put(self, at: int, data: bytes) -> bool:
        """Copy `data` in. False if there is no room for it."""
        if at + len(data) > self.size:
            return False
        native.ffi.memmove(self.compiled.start + at, data, len(data))
        return True
