"""Lines of a transcript into memory that is a file's: by C, so that a packet which C answers is written down there."""

from __future__ import annotations

from pydbgserver import native
from pydbgserver.rsp.bodies import Bodies
from pydbgserver.rsp.codec import library
from pydbgserver.rsp.room import Room
from pydbgserver.rsp.transcript import LONGEST_LINE

LINE_OVERHEAD = library.RSP_LINE_OVERHEAD
"""How many bytes a line has at most beside its body's text, which is up to four times as long as the body."""


class Journal:
    """Where the next line goes, and when time began. `compiled` is the `rsp_journal` of C. Nothing is written without
    `room` for it."""

    __slots__ = ("_bodies", "compiled", "room")

    def __init__(self) -> None:
        self.compiled = native.ffi.new("rsp_journal *")
        self.compiled.start, self.compiled.longest = library.rsp_clock(), LONGEST_LINE
        self.room = Room(self.compiled)
        self._bodies: Bodies | None = None

    @property
    def end(self) -> int:
        """How many bytes of the room are written."""
        end: int = self.compiled.end
        return end

    def keep_in(self, bodies: Bodies) -> None:
        """Large bodies go there from now on; until then there is no room for them."""
        self._bodies = bodies
        self.compiled.bodies = bodies.compiled

    def add(self, mark: bytes, body: bytes) -> int:
        """A line of now. 0, or -errno: ENOBUFS if there is no room for the line, ENOSPC for a large body."""
        return library.rsp_journal_line(self.compiled, mark, body, len(body))

    def add_text(self, text: bytes) -> bool:
        """What is no line of a packet. False if there is no room for it."""
        if not self.room.put(self.compiled.end, text):
            return False
        self.compiled.end += len(text)
        return True
