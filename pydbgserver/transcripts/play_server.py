"""Plays the server of a transcript for a client that is there, without the target.

Sans-IO in `RecordedServer`. A client need not ask in the recorded order: between two resumes the same question gets
the recorded answer, memory is put together of all reads at that stop, and what was asked at any time of things that do
not change (features, descriptions, files) may be asked again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import trio

from pydbgserver.rsp.codec import Wire
from pydbgserver.rsp.framing import Control, Framing
from pydbgserver.rsp.replies import console_output
from pydbgserver.rsp.transcript import Mark, Transcript
from pydbgserver.server.ending import end_by_signal
from pydbgserver.server.listen import Listener
from pydbgserver.transcripts.decode import raw, request_in_words
from pydbgserver.transcripts.specs import BREAKPOINT_PACKETS, packet_name
from pydbgserver.transcripts.state import RESUMES, Exchange, Piece, key, memory_read, memory_write, pieces

ACCEPTED = frozenset(
    [
        "Hg",
        "Hc",
        *BREAKPOINT_PACKETS,
        "M",
        "X",
        "P",
        "G",
        "QPassSignals",
        "QProgramSignals",
        "QThreadEvents",
        "D",
        "k",
        "vKill",
    ]
)
"""Packets that are answered by OK when nothing is recorded of them, since they need nothing of the target."""

SILENT = frozenset({"k"})


@dataclass(frozen=True, slots=True)
class Stray:
    """A packet of which the transcript knows nothing; `after`: the line of the last resume before it."""

    after: int
    body: bytes

    def __str__(self) -> str:
        return f"not in the transcript (after line {self.after}): {raw(self.body)}    ({request_in_words(self.body)})"


class RecordedServer:
    """Gives the recorded replies. `strays`: what there was none for."""

    def __init__(self, transcript: Transcript) -> None:
        self._pieces = pieces(transcript)
        self._current = 0
        self._thread = ""
        self._lasting: dict[bytes, bytes] = {}
        self._prefixed = False
        self._waiting: deque[bytes] = deque()
        self.strays: list[Stray] = []
        self._anywhere = Piece()
        for piece in self._pieces:
            for place, byte in piece.memory.items():
                self._anywhere.memory.setdefault(place, byte)
            for exchange in piece.exchanges:
                if exchange.reply is not None:
                    self._lasting.setdefault(exchange.request.body, exchange.reply)

    @property
    def at_end(self) -> bool:
        """Whether the last resume of the transcript has been made."""
        return self._current == len(self._pieces) - 1

    def ask(self, request: bytes) -> list[tuple[Mark, bytes]]:
        """What the server says to `request`."""
        name = packet_name(request)
        if name in RESUMES:
            return self._resume(request, name)
        if name == "Hg":
            self._thread = request[2:].decode("latin-1")
        reply = self._reply(request, name)
        if name == "qSupported":
            self._prefixed = b"binary-upload+" in reply
        return [(Mark.TO_CLIENT, reply)]

    def interrupt(self) -> list[tuple[Mark, bytes]]:
        """What is left to say of a resume that was interrupted."""
        said = [(Mark.TO_CLIENT, one) for one in self._waiting]
        self._waiting.clear()
        return said

    def _reply(self, request: bytes, name: str) -> bytes:
        piece = self._pieces[self._current]
        write = memory_write(request)
        if write is not None:
            piece.write(*write)
        recorded = piece.asked.get(key(request, self._thread))
        read = memory_read(request)
        if recorded and read is None:
            return recorded.popleft() if len(recorded) > 1 else recorded[0]
        if read is not None:
            # Most memory, code above all, is the same at every stop.
            data = piece.read(*read, self._anywhere.memory)
            if data is not None:
                return self._memory_reply(request, data)
            return recorded[0] if recorded else self._unknown(request, name, read=True)
        if name not in ACCEPTED and request in self._lasting:
            return self._lasting[request]
        return self._unknown(request, name)

    def _memory_reply(self, request: bytes, data: bytes) -> bytes:
        if request[:1] == b"m":
            return data.hex().encode()
        return b"b" + data if self._prefixed else data

    def _unknown(self, request: bytes, name: str, *, read: bool = False) -> bytes:
        if name in ACCEPTED:
            return b"OK"
        self.strays.append(Stray(self.line, request))
        return b"E0e" if read else b""

    @property
    def line(self) -> int:
        """The line of the last resume, or the first packet."""
        exchanges = self._pieces[self._current].exchanges
        return exchanges[0].request.number if exchanges else 0

    def _resume(self, request: bytes, name: str) -> list[tuple[Mark, bytes]]:
        """Go on to the next piece: the recorded resume's output and stop reply, whatever this one looks like."""
        if self.at_end:
            if name in ACCEPTED:
                return [] if name in SILENT else [(Mark.TO_CLIENT, b"OK")]
            self.strays.append(Stray(self.line, request))
            return [(Mark.TO_CLIENT, b"W00")]
        self._current += 1
        piece = self._pieces[self._current]
        exchange = piece.exchanges[0]
        if packet_name(exchange.request.body) != name:
            self.strays.append(Stray(exchange.request.number, request))
        return list(self._answers(exchange))

    def _answers(self, exchange: Exchange) -> Iterator[tuple[Mark, bytes]]:
        """Output and replies; what was said after an interrupt waits for one."""
        interrupted = False
        for line in exchange.answers:
            if line.mark is Mark.INTERRUPT:
                interrupted = True
            elif interrupted and line.mark is Mark.TO_CLIENT:
                self._waiting.append(line.body)
            elif line.mark is Mark.OUTPUT:
                yield Mark.TO_CLIENT, console_output(line.body)
            elif line.mark.to_client and line.mark is not Mark.SERVER_GONE:
                yield line.mark, line.body


class _Link:
    """Packets between a client and the recorded server."""

    def __init__(self, server: RecordedServer, wire: Wire) -> None:
        self._server = server
        self._wire = wire
        self._framing = Framing()

    async def run(self) -> None:
        while True:
            data = self._wire.receive()
            if data is None:
                await trio.lowlevel.wait_readable(self._wire.read_descriptor)
                continue
            if not data:
                return
            for item in self._framing.receive(data):
                if isinstance(item, bytes):
                    self._packet(item)
                elif item is Control.INTERRUPT:
                    self._say(self._server.interrupt())
            await self._flush()

    def _packet(self, body: bytes) -> None:
        said = self._server.ask(body)
        self._say(said)
        if body == b"QStartNoAckMode" and said == [(Mark.TO_CLIENT, b"OK")]:
            self._framing.no_ack = True

    def _say(self, said: list[tuple[Mark, bytes]]) -> None:
        for mark, body in said:
            if mark is Mark.NOTIFICATION:
                name, _, rest = body.partition(b":")
                self._framing.notify(name.decode("latin-1"), rest)
            else:
                self._framing.send(body)

    async def _flush(self) -> None:
        out = self._framing.out
        while out:
            sent = self._wire.send(out)
            del out[:sent]
            if out:
                await trio.lowlevel.wait_writable(self._wire.write_descriptor)


def serve(transcript: Transcript, listener: Listener) -> RecordedServer:
    """Play the server for the first client of `listener`, until it goes or a signal ends it; gives what has become of
    it."""
    server = RecordedServer(transcript)

    async def talk() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(end_by_signal, nursery.cancel_scope)
            await talk_to_client()
            nursery.cancel_scope.cancel()

    async def talk_to_client() -> None:
        link = await listener.accept()
        try:
            await _Link(server, Wire(link.read_descriptor, link.write_descriptor)).run()
        except OSError:
            return  # The client has gone, however it went.
        finally:
            link.close()

    trio.run(talk)
    return server
