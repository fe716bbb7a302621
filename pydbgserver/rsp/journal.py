"""Lines of a transcript into memory that is a file's: by C, so that a packet which C answers is written down there."""

from __future__ import annotations

from mmap import mmap
from typing import Any

from pydbgserver import native
from pydbgserver.rsp.codec import library
from pydbgserver.rsp.transcript import LONGEST_LINE

LINE_OVERHEAD = library.RSP_LINE_OVERHEAD
"""How many bytes a line has at most beside its body's text, which is up to four times as long as the body."""


class Journal:
    """Where the next line goes, and when time began. `compiled` is the `rsp_journal` of C. Nothing is written without
    room for it."""

    __slots__ = ("_room", "compiled")

    def __init__(self) -> None:
        self._room: Any = None
        self.compiled = native.ffi.new("rsp_journal *")
        self.compiled.start, self.compiled.longest = library.rsp_clock(), LONGEST_LINE

    @property
    def end(self) -> int:
        """How many bytes of the room are written."""
        end: int = self.compiled.end
        return end

    def write_into(self, room: bytearray | mmap) -> None:
        """Go on at `end` in `room`, which holds what is written so far."""
        self.leave()
        self._room = native.ffi.from_buffer("uint8_t[]", room, require_writable=True)
        self.compiled.text, self.compiled.capacity = self._room, len(self._room)

    def leave(self) -> None:
        """Let the room go; from now on there is none."""
        if self._room is not None:
            self.compiled.text, self.compiled.capacity = native.ffi.NULL, 0
            native.ffi.release(self._room)
            self._room = None

    def add(self, mark: bytes, body: bytes, *, named: bool = False) -> bool:
        """A line of now; `named`: `body` is a name in the side file. False if there is no room for it."""
        return not library.rsp_journal_line(self.compiled, mark, body, len(body), named)

    def add_text(self, text: bytes) -> bool:
        """What is no line of a packet. False if there is no room for it."""
        end = self.compiled.end + len(text)
        if self._room is None or end > len(self._room):
            return False
        native.ffi.memmove(self._room + self.compiled.end, text, len(text))
        self.compiled.end = end
        return True
