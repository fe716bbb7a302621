"""The client's side of the benchmark: a blocking socket and packets made beforehand, nothing else.

One packet is under way at a time, so a reply has ended when ``#`` stands three bytes before the end of what was
received: a ``#`` within a body is escaped, and is no run-length count either.
"""

from __future__ import annotations

import socket

from pydbgserver.testing.client import decode, frame

HASH = ord("#")
ROOM = 4 << 20
SUPPORTED = b"qSupported:swbreak+;hwbreak+;vContSupported+;binary-upload+"


class Refused(Exception):
    """The server does not know the packet or answers with an error."""


class Link:
    """A connection to a server after the usual first packets; `packet_size` in bytes."""

    def __init__(self, port: int, *, decimal_packet_size: bool = False) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._room = memoryview(bytearray(ROOM))
        self.send(frame(b"QStartNoAckMode"))
        self.reply()
        self.socket.sendall(b"+")
        features = self.request(SUPPORTED).decode()
        size = next(item.removeprefix("PacketSize=") for item in features.split(";") if item.startswith("PacketSize="))
        # lldb-server 19 writes this hexadecimal field in decimal.
        self.packet_size = int(size, 10 if decimal_packet_size else 16)

    def send(self, packet: bytes) -> None:
        self.socket.sendall(packet)

    def reply(self) -> memoryview:
        """The raw reply with its frame; valid until the next one."""
        room = self._room
        end = self.socket.recv_into(room)
        while end < 4 or room[end - 3] != HASH:
            received = self.socket.recv_into(room[end:])
            if not received:
                raise Refused(f"connection ended after {bytes(room[:end])!r}")
            end += received
        return room[:end]

    def exchange(self, packet: bytes) -> memoryview:
        """Send a framed packet; the raw reply with its frame."""
        self.socket.sendall(packet)
        return self.reply()

    def request(self, body: bytes) -> bytes:
        """Send `body`; the body of the reply."""
        raw = bytes(self.exchange(frame(body)))
        return decode(raw[raw.index(b"$") + 1 : -3])

    def ask(self, body: bytes) -> bytes:
        """`request`, but Refused when the reply is empty or an error."""
        answer = self.request(body)
        if not answer or (answer[:1] == b"E" and len(answer) == 3):
            raise Refused(f"{body[:40]!r}: {answer!r}")
        return answer

    def wait_for_stop(self) -> bytes:
        """The next stop reply, without the program's output before it."""
        while True:
            raw = bytes(self.reply())
            for packet in raw.split(b"$")[1:]:
                if not packet.startswith(b"O"):
                    return decode(packet[:-3])

    def close(self) -> None:
        self.socket.close()
