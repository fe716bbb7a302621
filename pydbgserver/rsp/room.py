"""Memory that C writes into, and that may be a file's which somebody else cuts off."""

from __future__ import annotations

import os
from collections.abc import Callable
from mmap import mmap
from typing import Any

from pydbgserver import native
from pydbgserver.rsp.codec import library


class Room:
    """`compiled` is the `rsp_room` of C. There is none to write into until `enter`."""

    __slots__ = ("_memory", "_owner", "compiled")

    def __init__(self, owner: Any) -> None:
        """`owner`: the structure of C that has it as its field `room`."""
        self._owner = owner  # An address keeps nothing alive.
        self.compiled = native.ffi.addressof(owner, "room")
        self._memory: Any = None

    def __del__(self, unguard: Callable[[Any], None] = library.rsp_unguard) -> None:
        unguard(self.compiled)

    @property
    def size(self) -> int:
        """In bytes."""
        size: int = self.compiled.size
        return size

    @property
    def lost(self) -> bool:
        """Whether something was written where there is no file any more, and went nowhere."""
        return bool(self.compiled.lost)

    def enter(self, memory: bytearray | mmap) -> None:
        """It is in `memory` from now on, which is exported until `leave`."""
        before = self._memory
        self._memory = native.ffi.from_buffer("uint8_t[]", memory, require_writable=True)
        self.compiled.start, self.compiled.size = self._memory, len(self._memory)
        if before is not None:
            native.ffi.release(before)

    def leave(self) -> None:
        """Let the memory go; from now on there is none."""
        if self._memory is not None:
            self.compiled.start, self.compiled.size = native.ffi.NULL, 0
            native.ffi.release(self._memory)
            self._memory = None

    def guard(self) -> None:
        """What is entered is a file's, until `unguard`: that the file is cut off must not end the process. Raises
        `OSError`."""
        failed = library.rsp_guard(self.compiled)
        if failed:
            raise OSError(-failed, os.strerror(-failed))

    def unguard(self) -> None:
        """No file's any more. Twice is no error."""
        library.rsp_unguard(self.compiled)

    def put(self, at: int, data: bytes) -> bool:
        """Copy `data` in. False if there is no room for it."""
        if self._memory is None or at + len(data) > len(self._memory):
            return False
        native.ffi.memmove(self._memory + at, data, len(data))
        return True
