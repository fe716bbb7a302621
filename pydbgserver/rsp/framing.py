"""Between a stream of bytes and packets: frames, acknowledgements, retransmission, the interrupt byte.

Sans-IO: `Framing.receive` takes what arrived, whatever its cut, and gives what it means; what has to be sent
gathers in `Framing.out`, which the connection writes and clears. Protocol: gdb manual, "Remote Serial Protocol".
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TypeAlias

from pydbgserver.rsp import codec

DEFAULT_MAX_PACKET = 0x20000
"""The longest packet body accepted, in bytes on the wire. Debuggers may send more than PacketSize."""

_BETWEEN_FRAMES = re.compile(rb"[$+\-\x03]")
DOLLAR, PLUS, INTERRUPT = b"$+\x03"


class Control(Enum):
    """What may arrive beside packets."""

    INTERRUPT = "interrupt"
    """The byte 0x03 between frames. Inside a frame it is data."""

    RESEND = "resend"
    """The client asked for the last frame again; it is in `Framing.out` already."""

    OVERSIZE = "oversize"
    """A packet was longer than `Framing.max_packet` and has been dropped; the client waits for one reply."""


Item: TypeAlias = bytes | Control


class Framing:
    """One connection's framing state.

    `out`: bytes to send. `no_ack`: no acknowledgements and checksums are not looked at, as gdbserver and
    lldb-server do; set it once the OK to QStartNoAckMode has been queued, the client still acknowledges that one.
    `rle`: run-length encode what is sent; never for lldb, whose decoder differs on escaped bytes.
    `lossless`: nothing gets lost on the way, as on a socket. A packet that comes twice without an acknowledgement of
    its reply between has then been sent again by a client that did not wait long enough (gdb: 2 seconds, set
    remotetimeout), and what it waits for is on its way. It is not answered twice: gdb would take the second reply for
    that of its next packet. Of clients that acknowledge nothing that can't be known: they get their replies.
    """

    __slots__ = (
        "_acknowledges",
        "_buffer",
        "_dropped",
        "_encoder",
        "_last",
        "_searched",
        "_unanswered",
        "lossless",
        "max_packet",
        "no_ack",
        "out",
        "rle",
    )

    def __init__(self, max_packet: int = DEFAULT_MAX_PACKET) -> None:
        self.out = bytearray()
        self.no_ack = False
        self.rle = False
        self.lossless = False
        self.max_packet = max_packet
        self._encoder = codec.Encoder()
        self._last = b""
        # The last frame taken, until a reply is acknowledged; kept only of a client that acknowledges.
        self._unanswered = b""
        self._acknowledges = False
        # Between calls the buffer is empty, or holds one unfinished frame from its "$" on. Of a frame that has
        # grown too long the bytes are gone, and `_dropped` says how many. `_searched`: no "#" before this index.
        self._buffer = bytearray()
        self._dropped = 0
        self._searched = 0

    def receive(self, data: bytes) -> list[Item]:
        """The packets and controls that `data` completes, in order.

        A packet is its body as received, with runs expanded, but not unescaped: only the packet's grammar knows
        whether a ``}`` is an escape. Bytes between frames that mean nothing are skipped.
        """
        if self.no_ack and not self.buffered and not self._unanswered:
            body = self.single(data)
            if body is not None:
                return [body]
        self._buffer += data
        items: list[Item] = []
        consumed = 0
        while consumed >= 0 and consumed < len(self._buffer):
            if self._dropped or self._buffer[consumed] == DOLLAR:
                consumed = self._frame(consumed, items)
            else:
                consumed = self._between_frames(consumed, items)
        return items

    @property
    def buffered(self) -> bool:
        """Whether part of a packet has come."""
        return bool(self._buffer or self._dropped)

    @property
    def may_repeat(self) -> bool:
        """Whether the client may be sending the last packet again."""
        return bool(self._unanswered)

    def single(self, data: bytes) -> bytes | None:
        """The body, if `data` is one plain packet that needs no more than being cut out."""
        if data[:1] == b"$":
            end = data.find(b"#")
            if 0 < end == len(data) - 3 <= self.max_packet and data.find(b"$", 1) < 0 and b"*" not in data:
                return data[1:end]
        return None

    def _between_frames(self, position: int, items: list[Item]) -> int:
        """Skip junk and take one control byte; gives the position to go on from."""
        found = _BETWEEN_FRAMES.search(self._buffer, position)
        if found is None:
            return self._keep_from(len(self._buffer))
        position = found.start()
        byte = self._buffer[position]
        if byte == DOLLAR:
            return position
        if byte == INTERRUPT:
            items.append(Control.INTERRUPT)
        elif byte == PLUS:
            self._last = self._unanswered = b""
            self._acknowledges = self.lossless
        elif self._last:
            self.out += self._last
            items.append(Control.RESEND)
        return self._next(position + 1)

    def _frame(self, start: int, items: list[Item]) -> int:
        """Take the frame that begins at `start`; gives the position after it, or -1 if it is not complete yet.

        A "$" is always escaped inside a frame, so one that is not starts the frame over.
        """
        buffer = self._buffer
        body = start if self._dropped else start + 1
        end = buffer.find(b"#", max(self._searched, body))
        limit = len(buffer) if end < 0 else min(end + 3, len(buffer))
        restart = buffer.rfind(b"$", body, limit if end < 0 else end)
        if restart < 0 <= end:
            restart = buffer.find(b"$", end + 1, limit)
        if restart >= 0:
            self._dropped = 0
            self._searched = 0
            return restart
        if end < 0 or limit < end + 3:
            return self._unfinished(start, body, end)
        length = self._dropped + end - body
        self._dropped = 0
        self._take(bytes(buffer[body:limit]) if length <= self.max_packet else None, items)
        return self._next(limit)

    def _unfinished(self, start: int, body: int, end: int) -> int:
        """Keep what is needed of a frame whose "#" or checksum (`end` >= 0) has not come."""
        self._keep_from(start)
        if end >= 0:
            self._searched = end - start
        elif self._dropped + len(self._buffer) - (body - start) > self.max_packet:
            self._dropped += len(self._buffer) - (body - start)
            self._keep_from(len(self._buffer))
        else:
            self._searched = len(self._buffer)
        return -1

    def _next(self, position: int) -> int:
        """Go on at `position`, or drop everything if that is the end of the buffer."""
        self._searched = 0
        return self._keep_from(position) if position == len(self._buffer) else position

    def _keep_from(self, position: int) -> int:
        del self._buffer[:position]
        self._searched = 0
        return -1

    def _take(self, frame: bytes | None, items: list[Item]) -> None:
        """Acknowledge a complete frame (body, "#", two digits; None if it was too long) and give what is in it."""
        body = None
        if frame is not None:
            wire = frame[:-3]
            if self._unanswered and frame == self._unanswered:
                return
            if not self.no_ack and frame[-2:].lower() != b"%02x" % codec.checksum(wire):
                self.out += b"-"
                return
            body = codec.expand(wire, self.max_packet)
        self._unanswered = frame if frame and self._acknowledges and not self.no_ack else b""
        if not self.no_ack:
            self.out += b"+"
        items.append(Control.OVERSIZE if body is None else body)

    def send(self, body: bytes) -> None:
        """Queue a reply; in ack mode it is remembered until the client acknowledges it."""
        framed = self._encoder.frame(body, self.rle)
        self.out += framed
        if not self.no_ack:
            self._last = framed

    def notify(self, name: str, body: bytes) -> None:
        """Queue the notification ``%name:body``, which no client acknowledges."""
        self.out += self._encoder.frame(name.encode() + b":" + body, codec.NOTIFICATION)
