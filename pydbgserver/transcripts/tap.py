"""Packets out of a stream that is only listened to, one direction of it. Sans-IO."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydbgserver.rsp import codec
from pydbgserver.rsp.transcript import Mark

LONGEST_FRAME = 64 * 1024 * 1024
"""A frame that is longer is given up."""

MOST_BY_RUN = 98
"""More than each byte of a frame can stand for."""

_START = re.compile(rb"[$%\x03-]")


class Tap:
    """`take` bytes as they pass; gives the marks and bodies that they complete.

    `to_client`: the server's direction, in which runs are expanded, escapes undone and notifications are known; in
    the client's a byte 0x03 between frames is an interrupt. Acknowledgements are passed over, and so is a frame
    that the other side asked for again (`resend`).
    """

    def __init__(self, *, to_client: bool) -> None:
        self._to_client = to_client
        self._buffer = bytearray()
        self._searched = 0
        self._skip = False
        self.refused = False
        """A ``-`` has passed: what the other direction said last comes again."""

    def resend(self) -> None:
        """The next frame has been taken before."""
        self._skip = True

    def take(self, data: bytes) -> Iterator[tuple[Mark, bytes]]:
        """What is complete with `data`."""
        self._buffer += data
        position = 0
        while (found := _START.search(self._buffer, position)) is not None:
            position = found.start()
            byte = found[0]
            if byte in b"$%":
                end = self._buffer.find(b"#", max(position, self._searched))
                if end < 0 or len(self._buffer) < end + 3:
                    break
                yield from self._frame(byte, bytes(self._buffer[position + 1 : end]))
                position = end + 3
                self._searched = 0
                continue
            position += 1
            if byte == b"-":
                self.refused = True
            elif not self._to_client:
                yield Mark.INTERRUPT, b""
        else:
            position = len(self._buffer)
        del self._buffer[:position]
        self._searched = max(0, len(self._buffer) - 3)
        if len(self._buffer) > LONGEST_FRAME:
            self._buffer.clear()
            self._searched = 0

    def _frame(self, start: bytes, wire: bytes) -> Iterator[tuple[Mark, bytes]]:
        if self._skip:
            self._skip = False
            return
        if not self._to_client:
            yield Mark.TO_SERVER, wire
            return
        expanded = codec.expand(wire, len(wire) * MOST_BY_RUN)
        yield Mark.NOTIFICATION if start == b"%" else Mark.TO_CLIENT, codec.unescape(expanded or b"")
