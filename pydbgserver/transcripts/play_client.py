"""Plays the client of a transcript against a server, and finds what the server answers differently."""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from pydbgserver.errors import UsageError
from pydbgserver.options import TCP, UNIX, Endpoint
from pydbgserver.rsp.codec import checksum
from pydbgserver.rsp.transcript import Line, Mark, Transcript, console_text
from pydbgserver.server.listen import Link, Listener, ReadyListener, open_listener, socket_link
from pydbgserver.transcripts.matching import Matcher
from pydbgserver.transcripts.rules import IGNORE, OUTPUT, Rules
from pydbgserver.transcripts.tap import Tap

TIMEOUT = 10.0
LONGEST_PAUSE = 0.25
"""Before an interrupt, the pause that was recorded is kept up to so many seconds: the program has to get somewhere."""

RECEIVE_SIZE = 1 << 17


@dataclass(frozen=True, slots=True)
class Settings:
    """`exact`: compare bytes. `timeout`: for each reply, in seconds. `program`: where the program is now."""

    exact: bool = False
    timeout: float = TIMEOUT
    program: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """`line`: of the transcript. `recorded` and `actual`: the replies to `request`; None where there is none."""

    line: int
    request: bytes | None
    recorded: bytes | None
    actual: bytes | None
    why: str


@dataclass(slots=True)
class Result:
    """`packets`: how many were sent. `broken`: why it could not go on to the end, "" if it could."""

    file: str
    differences: list[Difference] = field(default_factory=list)
    packets: int = 0
    compared: int = 0
    broken: str = ""


class Broken(Exception):
    """The server hung up or does not answer."""


class Peer:
    """The server, over the descriptors of `link`; blocking, every wait bounded by `timeout` seconds."""

    def __init__(self, link: Link, timeout: float) -> None:
        self._link = link
        self._timeout = timeout
        self._tap = Tap(to_client=True)
        self._arrived: deque[tuple[Mark, bytes]] = deque()
        self.acknowledging = True
        self.printed = bytearray()
        """What came in ``O`` packets."""

    def send(self, body: bytes) -> None:
        self._write(b"$%s#%02x" % (body, checksum(body)))

    def interrupt(self) -> None:
        self._write(b"\x03")

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            if not select.select([], [self._link.write_descriptor], [], self._timeout)[1]:
                raise Broken(f"the server has taken nothing for {self._timeout:g} s")
            try:
                view = view[os.write(self._link.write_descriptor, view) :]
            except OSError as error:
                raise Broken(f"the server has hung up ({error.strerror})") from None

    def receive(self, timeout: float | None = None) -> tuple[Mark, bytes] | None:
        """The next packet, None if none has come in time."""
        deadline = time.monotonic() + (self._timeout if timeout is None else timeout)
        while not self._arrived:
            left = deadline - time.monotonic()
            if not select.select([self._link.read_descriptor], [], [], max(0.0, left))[0]:
                return None
            self._fill()
        return self._arrived.popleft()

    def wait_until_printed(self, count: int) -> None:
        """Until as many bytes have been printed, or a packet has come, or the time is over."""
        deadline = time.monotonic() + self._timeout
        while len(self.printed) < count and not self._arrived:
            left = deadline - time.monotonic()
            if not select.select([self._link.read_descriptor], [], [], max(0.0, left))[0]:
                return
            self._fill()

    def _fill(self) -> None:
        try:
            data = os.read(self._link.read_descriptor, RECEIVE_SIZE)
        except BlockingIOError:
            return
        except OSError as error:
            raise Broken(f"the server has hung up ({error.strerror})") from None
        if not data:
            raise Broken("the server has hung up")
        for mark, body in self._tap.take(data):
            if self.acknowledging and mark is not Mark.NOTIFICATION:
                self._write(b"+")
            text = console_text(body) if body[:1] == b"O" else None
            if text is None:
                self._arrived.append((mark, body))
            else:
                self.printed += text


class Player:
    """One replay."""

    def __init__(self, transcript: Transcript, peer: Peer, settings: Settings) -> None:
        self._transcript = transcript
        self._peer = peer
        rules = Rules(transcript, exact=settings.exact)
        self._matcher = Matcher(rules)
        self._compare_output = rules.treatment(OUTPUT) != IGNORE
        self._request: bytes | None = None
        self._sent: bytes | None = None
        self._before_us = 0
        self._printed = bytearray()
        self.result = Result(transcript.file)
        recorded = transcript.header.get("program", "")
        if settings.program and recorded and settings.program != recorded:
            self._bind_program(os.fsencode(recorded), os.fsencode(settings.program))

    def _bind_program(self, recorded: bytes, actual: bytes) -> None:
        texts = self._matcher.bindings.texts
        texts += [(recorded.hex().encode(), actual.hex().encode()), (recorded, actual)]

    def run(self) -> Result:
        """Play to the end, or to where the server leaves."""
        number = 0
        try:
            for line in self._transcript.lines:
                number = line.number
                self._play(line)
                self._before_us = line.time_us
        except Broken as broken:
            self.result.broken = f"{self._transcript.file}:{number}: {broken}"
        if self._compare_output and not self.result.broken and bytes(self._printed) != bytes(self._peer.printed):
            self._differ(number, None, bytes(self._printed), bytes(self._peer.printed), "other output")
        return self.result

    def _play(self, line: Line) -> None:
        if line.mark is Mark.TO_SERVER:
            self._ask(line)
        elif line.mark is Mark.INPUT:
            self._peer.send(b"I" + line.body.hex().encode())
        elif line.mark is Mark.INTERRUPT:
            self._interrupt((line.time_us - self._before_us) / 1e6)
        elif line.mark is Mark.OUTPUT:
            self._printed += line.body
        elif line.mark in (Mark.TO_CLIENT, Mark.NOTIFICATION):
            self._hear(line)

    def _interrupt(self, pause: float) -> None:
        """Where the program has got to shows in what it has printed, on a busy machine more surely than by the time."""
        if self._compare_output:
            self._peer.wait_until_printed(len(self._printed))
        time.sleep(min(LONGEST_PAUSE, pause))
        self._peer.interrupt()

    def _ask(self, line: Line) -> None:
        while (extra := self._peer.receive(0)) is not None:
            self._differ(line.number, self._request, None, extra[1], "not in the transcript")
        self._request = line.body
        self._sent = self._matcher.bindings.translate(line.body)
        self._peer.send(self._sent)
        self.result.packets += 1

    def _hear(self, line: Line) -> None:
        arrived = self._peer.receive()
        if arrived is None:
            raise Broken("no answer")
        mark, actual = arrived
        if self._request == b"QStartNoAckMode" and actual == b"OK":
            self._peer.acknowledging = False
        self.result.compared += 1
        why = "a notification and a reply" if mark is not line.mark else None
        why = why or self._matcher.differs(self._request, line.body, actual)
        if why is not None:
            self._differ(line.number, self._request, line.body, actual, why)

    def _differ(
        self, number: int, request: bytes | None, recorded: bytes | None, actual: bytes | None, why: str
    ) -> None:
        self.result.differences.append(Difference(number, request, recorded, actual, why))


def play(transcript: Transcript, listener: Listener, settings: Settings | None = None) -> Result:
    """Play the client of `transcript` against the server that `listener` is connected to."""
    settings = settings or Settings()
    link = trio.run(listener.accept)
    try:
        return Player(transcript, Peer(link, settings.timeout), settings).run()
    finally:
        link.close()


def play_connection(
    transcript: Transcript, serve: Callable[[socket.socket], object], settings: Settings | None = None
) -> Result:
    """Play the client of `transcript` against `serve`, which gets one end of a socket pair in a thread of its own and
    serves it to its end. What it raises is raised here."""
    ours, theirs = socket.socketpair()
    failed: list[BaseException] = []

    def run() -> None:
        try:
            with theirs:
                serve(theirs)
        except BaseException as error:
            failed.append(error)

    server = threading.Thread(target=run, daemon=True)
    server.start()
    result = play(transcript, ReadyListener(socket_link(ours, "")), settings)
    server.join((settings or Settings()).timeout)
    if failed:
        raise failed[0]
    return result


def play_address(transcript: Transcript, address: str, settings: Settings | None = None) -> Result:
    """Play the client of `transcript` against the server at `address`: HOST:PORT, or a socket's path with a slash.

    Raises `UsageError` if nobody listens there.
    """
    if "/" in address:
        endpoint = Endpoint(kind=UNIX, path=address, connect=True)
    else:
        host, _, port = address.rpartition(":")
        if not port.isdigit():
            raise UsageError(f"{address!r} is neither HOST:PORT nor the path of a socket")
        endpoint = Endpoint(kind=TCP, host=host, port=int(port), connect=True)
    listener = open_listener(endpoint)
    try:
        return play(transcript, listener, settings)
    finally:
        listener.close()
