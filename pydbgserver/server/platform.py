"""Platform mode: one port, one process per connection.

The lobby accepts every connection and forks a process for it. What a platform's client asks about files, processes and
the host and what a debugger asks about a debuggee are packets of the same kind of session, so that any connection is
served whatever it turns out to be. qLaunchGDBServer forks a session that waits: the next debugger's connection from
the same machine is handed to it, which gives it its pid, its working directory and an owner who may end it.

What a connection is shows in its second packet: lldb begins both kinds with QStartNoAckMode, and goes on with
qSupported only where it debugs (lldb's GDBRemoteCommunicationClient, PlatformRemoteGDBServer). So the lobby answers the
first packet itself. It runs no event loop of trio's, since that does not survive a fork.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydbgserver import backends, logs
from pydbgserver.options import Options
from pydbgserver.server.ending import heeded
from pydbgserver.server.guest import serve_guest
from pydbgserver.server.listen import Listener, SocketListener
from pydbgserver.server.platform_host import KILL, LAUNCH, MESSAGE, QUERY, READY, REQUEST
from pydbgserver.server.turns import Turns
from pydbgserver.session.options import SessionOptions

if TYPE_CHECKING:
    from pydbgserver.transcripts.recorder import Recordings

FIRST = b"$QStartNoAckMode#b0"
FIRST_REPLY = b"+$OK#9a"
DEBUGGER_PACKETS = (b"qSupported", b"QThreadSuffixSupported", b"vMustReplyEmpty", b"!")
UNDECIDED_BYTES = 64
"""So much has come without a sign of a debugger, when it is taken for a platform's client."""

GRACE_SECONDS = 1.0
"""How long a session that is told to end has for letting its debuggee go."""


@dataclass
class Guest:
    """One process of the lobby's. `channel`: the lobby's end; `owner`: pid of the platform session it belongs to, 0 if
    it came by itself."""

    pid: int
    channel: socket.socket
    address: str
    owner: int = 0
    kill_at: float = 0.0
    killers: list[Guest] = field(default_factory=list)
    program: Guest | None = None
    """The session that was made for this one's client with the server's program."""
    ready: bool = False
    """It has started that program."""


@dataclass
class Arrival:
    """A connection that has not shown yet what it is."""

    connection: socket.socket
    address: object
    no_ack: bool = False

    @property
    def machine(self) -> str:
        """Where it comes from, "" for a local socket."""
        return str(self.address[0]) if isinstance(self.address, tuple) else ""


class Lobby:
    """Accepts connections and looks after the processes that serve them."""

    def __init__(
        self,
        options: Options,
        settings: SessionOptions,
        listener: SocketListener,
        recordings: Recordings | None = None,
    ) -> None:
        self._options = options
        self._recordings = recordings
        self._settings = settings
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._guests: dict[int, Guest] = {}
        self._turns = Turns()
        self._arrivals: set[socket.socket] = set()
        self._ending = False
        self._served = False
        self._wakeup: tuple[socket.socket, socket.socket] | None = None
        self._requests = {LAUNCH: self._launch, KILL: self._kill, QUERY: self._query, READY: self._program_ready}

    def run(self) -> None:
        """Serve until SIGTERM, SIGINT or SIGHUP; without --server, until the first client has gone."""
        reading, writing = self._wakeup = socket.socketpair()
        reading.setblocking(False)
        writing.setblocking(False)
        signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        for number in (*heeded(), signal.SIGCHLD):
            signal.signal(number, self._signalled)
        self._selector.register(reading, selectors.EVENT_READ, self._woken)
        self._selector.register(self._listener.socket, selectors.EVENT_READ, self._accept)
        try:
            while not self._done():
                for key, _ in self._selector.select(self._patience()):
                    key.data()
                self._kill_overdue()
        finally:
            self._listener.close()

    def _done(self) -> bool:
        return not self._guests and (self._ending or (self._served and not self._options.server))

    def _signalled(self, number: int, frame: object) -> None:
        if number != signal.SIGCHLD and not self._ending:
            self._ending = True

    def _woken(self) -> None:
        assert self._wakeup is not None
        with suppress(BlockingIOError):
            self._wakeup[0].recv(MESSAGE)
        self._reap()
        if self._ending:
            for guest in self._guests.values():
                self._end(guest)

    # Connections.

    def _accept(self) -> None:
        if self._ending or (self._served and not self._options.server and not self._turns):
            return
        try:
            connection, address = self._listener.socket.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:  # Too many open files: those that wait may still end.
            logs.problem(f"cannot accept a connection: {error.strerror}")
            return
        connection.setblocking(False)
        arrival = Arrival(connection, address)
        self._arrivals.add(connection)
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._look(arrival))

    def _look(self, arrival: Arrival) -> None:
        """Peek at what a connection has sent; decide when it is enough."""
        connection = arrival.connection
        try:
            data = connection.recv(MESSAGE, socket.MSG_PEEK)
            if not data:
                self._forget(arrival)
                connection.close()
                return
            acks = len(data) - len(data.lstrip(b"+"))
            if not arrival.no_ack and data.startswith(FIRST, acks):
                connection.recv(acks + len(FIRST))
                connection.send(FIRST_REPLY)
                arrival.no_ack = True
                return
            connection.recv(acks)
        except BlockingIOError:
            return
        except OSError:
            self._forget(arrival)
            connection.close()
            return
        body = data[acks:]
        if b"#" in body or len(body) >= UNDECIDED_BYTES:
            self._forget(arrival)
            self._seat(arrival, debugger=body[1:].startswith(DEBUGGER_PACKETS))

    def _forget(self, arrival: Arrival) -> None:
        self._selector.unregister(arrival.connection)
        self._arrivals.discard(arrival.connection)

    def _seat(self, arrival: Arrival, *, debugger: bool) -> None:
        """Give the connection to the session that waits for it, or to a new one."""
        machine = arrival.machine
        session = self._turns.next_for(machine) if debugger else None
        guest = self._guests[session] if session is not None else self._fork(machine)
        with arrival.connection as connection:
            if guest is None:
                return
            peer = repr(arrival.address).encode()
            with suppress(OSError):  # It has ended meanwhile, and so has the connection.
                socket.send_fds(guest.channel, [b"%d%b" % (arrival.no_ack, peer)], [connection.fileno()])
        # Only now, for whoever is forked by it must not have the connection.
        self._turns.over(guest.pid)

    # Sessions.

    def _fork(
        self, machine: str, *, owner: int = 0, directory: bytes | None = None, program: bool = False
    ) -> Guest | None:
        if self._ending:
            return None
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            pid = os.fork()
        except OSError as error:
            logs.problem(f"cannot start a session: {error.strerror}")
            ours.close()
            theirs.close()
            return None
        if not pid:
            ours.close()
            self._be_guest(theirs, directory, program=program)
        theirs.close()
        if self._recordings is not None:
            self._recordings.skip()
        guest = Guest(pid, ours, machine, owner)
        self._guests[pid] = guest
        if owner:
            self._turns.waits(pid, owner, machine)
        self._selector.register(ours, selectors.EVENT_READ, lambda: self._requested(guest))
        return guest

    def _be_guest(self, channel: socket.socket, directory: bytes | None, *, program: bool) -> None:
        """In the child: serve one connection and end."""
        status = 1
        try:
            self._leave_lobby()
            if directory is not None:
                os.chdir(directory)
            status = serve_guest(
                channel, self._options, self._settings, self._listener, self._recordings, program=program
            )
        except BaseException:
            import traceback

            logs.problem(f"a session has failed:\n{traceback.format_exc()}")
        finally:
            os._exit(status)

    def _leave_lobby(self) -> None:
        signal.set_wakeup_fd(-1)
        for number in (*heeded(), signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        self._selector.close()
        assert self._wakeup is not None
        for one in (*self._wakeup, *self._arrivals, *(guest.channel for guest in self._guests.values())):
            one.close()
        self._listener.socket.close()

    def _requested(self, guest: Guest) -> None:
        if guest.pid not in self._guests:
            return  # Its end has been seen to in this very round.
        try:
            message = guest.channel.recv(MESSAGE)
        except OSError:
            message = b""
        if len(message) < REQUEST.size or message[:1] not in self._requests:
            # The end of the channel is the end of the session; SIGCHLD follows.
            self._selector.unregister(guest.channel)
            return
        what, number = REQUEST.unpack_from(message)
        self._requests[what](guest, number, message[REQUEST.size :])

    def _launch(self, guest: Guest, number: int, directory: bytes) -> None:
        def begin() -> None:
            made = self._fork(guest.address, owner=guest.pid, directory=directory)
            self._answer(guest, made.pid if made is not None else 0)

        self._turns.ask(guest.pid, guest.address, begin)

    def _query(self, guest: Guest, number: int, data: bytes) -> None:
        """The program is started for each client, when it asks: lldb does so as soon as it is connected."""
        if guest.program is not None or not self._options.program:
            self._answer(guest, int(guest.program is not None and self._turns.is_waiting(guest.program.pid)))
            return

        def begin() -> None:
            guest.program = self._fork(guest.address, owner=guest.pid, program=True)
            if guest.program is None:
                self._answer(guest, 0)
            # Else its end, or its word that the program stands, is the answer.

        self._turns.ask(guest.pid, guest.address, begin)

    def _program_ready(self, guest: Guest, number: int, data: bytes) -> None:
        guest.ready = True
        self._answer_for_program(guest)

    def _answer_for_program(self, started: Guest) -> None:
        for guest in self._guests.values():
            if guest.program is started:
                self._answer(guest, int(started.ready))

    def _kill(self, guest: Guest, number: int, data: bytes) -> None:
        victim = self._guests.get(number)
        if victim is None or victim.owner != guest.pid:
            self._answer(guest, 0)
            return
        victim.killers.append(guest)
        self._end(victim)

    def _answer(self, guest: Guest, number: int) -> None:
        with suppress(OSError):
            guest.channel.send(b"%d" % number)

    def _end(self, guest: Guest) -> None:
        """Ask a session to end; `_kill_overdue` is there for one that does not."""
        if not guest.kill_at:
            guest.kill_at = time.monotonic() + GRACE_SECONDS
            with suppress(ProcessLookupError):
                os.kill(guest.pid, signal.SIGTERM)

    def _patience(self) -> float | None:
        """Seconds until somebody is overdue; None: nobody."""
        times = [guest.kill_at for guest in self._guests.values() if guest.kill_at]
        if (turn := self._turns.next_time()) is not None:
            times.append(turn)
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _kill_overdue(self) -> None:
        for session in self._turns.overdue():
            self._end(self._guests[session])
        now = time.monotonic()
        for guest in self._guests.values():
            if guest.kill_at and guest.kill_at <= now:
                guest.kill_at = now + GRACE_SECONDS
                with suppress(ProcessLookupError):
                    os.kill(guest.pid, signal.SIGKILL)

    def _reap(self) -> None:
        for pid in list(self._guests):
            found, _ = os.waitpid(pid, os.WNOHANG)
            if found:
                self._ended(self._guests.pop(pid))

    def _ended(self, guest: Guest) -> None:
        self._served = self._served or not guest.owner
        with suppress(KeyError, ValueError):
            self._selector.unregister(guest.channel)
        guest.channel.close()
        if not guest.ready:
            self._answer_for_program(guest)
        for killer in guest.killers:
            self._answer(killer, 1)
        self._turns.over(guest.pid)
        for other in self._guests.values():
            if other.owner == guest.pid:
                other.owner = 0
                if self._turns.is_waiting(other.pid):
                    self._end(other)


def run(options: Options, settings: SessionOptions, listener: Listener, recordings: Recordings | None = None) -> None:
    """Serve the connections of `listener` until the end; see `Lobby`."""
    assert isinstance(listener, SocketListener)
    # What every session needs is loaded once, and shared by all of them.
    import pydbgserver.server.connection
    import pydbgserver.server.serve  # noqa: F401

    backends.system(options.backend).prepare()
    Lobby(options, settings, listener, recordings).run()
