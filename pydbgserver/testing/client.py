"""A small synchronous remote-protocol client, for tests and benchmarks.

Written from the packet rules of gdb's manual ("Overview" of the remote protocol) with nothing shared with the
server's own framing, so that the one checks the other. Bodies are bytes without ``$``, checksum and escapes.
"""

from __future__ import annotations

import socket
import time
from typing import Self

ESCAPE = 0x7D
RUN = 0x2A
ESCAPED = frozenset(b"#$}")
RECEIVE_SIZE = 1 << 18


class ProtocolError(Exception):
    """The server sent what the protocol does not allow, or ended the connection."""


def frame(body: bytes) -> bytes:
    """`body` as it goes over the wire: ``$`` escaped-body ``#`` two hex digits."""
    if any(byte in ESCAPED for byte in body):
        body = b"".join(bytes((ESCAPE, byte ^ 0x20)) if byte in ESCAPED else bytes((byte,)) for byte in body)
    return b"$%b#%02x" % (body, sum(body) & 0xFF)


def decode(raw: bytes, expand: bool = True) -> bytes:
    """The body that `raw` (between ``$`` and ``#``) stands for.

    A ``*`` repeats the byte before it as often as the byte after it says, less 29; with `expand` false, as lldb
    reads packets, ``*`` is a byte like any other.
    """
    if ESCAPE not in raw and (not expand or RUN not in raw):
        return raw
    body = bytearray()
    position = 0
    while position < len(raw):
        byte = raw[position]
        if byte == ESCAPE:
            body.append(raw[position + 1] ^ 0x20)
            position += 2
        elif byte == RUN and expand:
            body += body[-1:] * (raw[position + 1] - 29)
            position += 2
        else:
            body.append(byte)
            position += 1
    return bytes(body)


class Client:
    """One connection over `connection`, a connected stream socket.

    Every wait lasts at most `timeout` seconds, then TimeoutError is raised. `notifications` collects the bodies
    of ``%`` packets. A reply with a wrong checksum raises ProtocolError.
    """

    def __init__(self, connection: socket.socket, timeout: float = 20.0, *, expand: bool = True) -> None:
        self.connection = connection
        self.timeout = timeout
        self.expand = expand
        self.acknowledging = True
        self.notifications: list[bytes] = []
        self._received = bytearray()
        connection.settimeout(timeout)
        if connection.family in (socket.AF_INET, socket.AF_INET6):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def request(self, body: bytes | str) -> bytes:
        """Send a packet and wait for its reply."""
        self.send(body)
        return self.receive()

    def send(self, body: bytes | str) -> None:
        """Send a packet; nothing is waited for."""
        self.connection.sendall(frame(body.encode() if isinstance(body, str) else body))

    def send_raw(self, data: bytes) -> None:
        """Send bytes as they are: half packets, wrong checksums, the interrupt byte."""
        self.connection.sendall(data)

    def receive(self) -> bytes:
        """The body of the next packet; acknowledged where acknowledgements are on."""
        deadline = time.monotonic() + self.timeout
        while True:
            found = self._next_packet()
            if found is None:
                self._fill(deadline)
                continue
            kind, body = found
            if kind == ord("%"):
                self.notifications.append(body)
                continue
            if self.acknowledging:
                self.connection.sendall(b"+")
            return body

    def interrupt(self) -> None:
        """Ask the running program to stop, by the byte 0x03 outside of a packet."""
        self.connection.sendall(b"\x03")

    def stop(self) -> bytes:
        """Interrupt the running program and wait for its stop reply; ``O`` (output) packets before it are skipped."""
        self.interrupt()
        return self.wait_for_stop()

    def wait_for_stop(self) -> bytes:
        """The next stop reply; ``O`` (output) packets before it are skipped."""
        while (reply := self.receive())[:1] == b"O" and reply != b"OK":
            pass
        return reply

    def start_no_ack_mode(self) -> None:
        """Turn acknowledgements off; ProtocolError when the server refuses."""
        reply = self.request(b"QStartNoAckMode")
        if reply != b"OK":
            raise ProtocolError(f"QStartNoAckMode: {reply!r}")
        self.acknowledging = False

    def close(self) -> None:
        self.connection.close()

    def _next_packet(self) -> tuple[int, bytes] | None:
        """The first whole packet received, with its first byte; None while there is none."""
        received = self._received
        while received and received[0] in b"+":
            del received[0]
        if not received:
            return None
        if received[0] not in b"$%":
            raise ProtocolError(f"{bytes(received[:40])!r} does not start a packet")
        end = received.find(b"#")
        if end < 0 or len(received) < end + 3:
            return None
        raw = bytes(received[1:end])
        kind, given = received[0], bytes(received[end + 1 : end + 3])
        del received[: end + 3]
        # With acknowledgements off a server may leave the checksum unset (gdb: it "must still be sent").
        if self.acknowledging and int(given, 16) != sum(raw) & 0xFF:
            raise ProtocolError(f"checksum {given!r} of {raw[:40]!r} is {sum(raw) & 0xFF:02x}")
        return kind, decode(raw, self.expand)

    def _fill(self, deadline: float) -> None:
        self.connection.settimeout(max(0.001, deadline - time.monotonic()))
        data = self.connection.recv(RECEIVE_SIZE)
        if not data:
            raise ProtocolError("the server has ended the connection")
        self._received += data


def connect(host: str, port: int, timeout: float = 20.0, *, no_ack: bool = True, expand: bool = True) -> Client:
    """A client connected over TCP, by default with acknowledgements already off. Raises OSError."""
    client = Client(socket.create_connection((host, port), timeout), timeout, expand=expand)
    if no_ack:
        client.start_no_ack_mode()
    return client
