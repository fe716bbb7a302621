"""Memory that C writes into, and that may be a file's which somebody else cuts off."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from pydbgserver import native
from pydbgserver.rsp.codec import library


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

    @size.setter
    def size(self, size: int) -> None:
        self.compiled.size = size

    @property
    def mapped(self) -> int:
        """What `size` may become."""
        mapped: int = self.compiled.mapped
        return mapped

    @property
    def lost(self) -> bool:
        """Whether something was written where there is no file any more, and went nowhere."""
        return bool(self.compiled.lost)

    def enter(self, memory: bytearray) -> None:
        """It is all of `memory` from now on."""
        self._memory = native.ffi.from_buffer("uint8_t[]", memory, require_writable=True)
        self.compiled.start, self.compiled.size = self._memory, len(self._memory)

    def map(self, descriptor: int, mapped: int) -> None:
        """It is the first `mapped` bytes of a file from now on, of which there may be fewer. That the file is cut off
        must not end the process. Raises `OSError`."""
        failed = library.rsp_map(self.compiled, descriptor, mapped)
        if failed:
            raise OSError(-failed, os.strerror(-failed))

    def leave(self) -> None:
        """There is none any more. Twice is no error."""
        library.rsp_unmap(self.compiled)
        self.compiled.start, self.compiled.size = native.ffi.NULL, 0
        self._memory = None

    def forget(self, start: int, end: int) -> None:
        """The file's pages from `start` to `end` need not stay in this process."""
        library.rsp_forget(self.compiled, start, end)

    def put(self, at: int, data: bytes) -> bool:
        """Copy `data` in. False if there is no room for it."""
        if at + len(data) > self.size:
            return False
        native.ffi.memmove(self.compiled.start + at, data, len(data))
        return True
