"""Where clients come from: listening sockets, and links that are there from the start.

Opening and binding need no event loop, so that the server listens before it imports one. trio is imported when a
client is waited for.
"""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress

from pydbgserver.errors import UsageError
from pydbgserver.options import ABSTRACT, DESCRIPTOR, SERIAL, STDIO, TCP, UNIX, Endpoint

LOOPBACK = {0: "127.0.0.1", 4: "127.0.0.1", 6: "::1"}
EVERYBODY = {0: "0.0.0.0", 4: "0.0.0.0", 6: "::"}
LOCAL_NAMES = ("", "localhost")
FAMILIES = {0: socket.AF_UNSPEC, 4: socket.AF_INET, 6: socket.AF_INET6}


class Link:
    """One client's two descriptors, non-blocking; equal for a socket. `peer` tells where it comes from, in words.

    `no_ack`: acknowledgements are off from the start.
    """

    __slots__ = ("_restore", "_socket", "no_ack", "peer", "read_descriptor", "write_descriptor")

    def __init__(self, read_descriptor: int, write_descriptor: int, peer: str, *, owner: socket.socket | None) -> None:
        self.read_descriptor = read_descriptor
        self.write_descriptor = write_descriptor
        self.peer = peer
        self.no_ack = False
        self._socket = owner
        # Non-blocking mode belongs to the open file, which an inherited descriptor shares with other processes.
        both = {read_descriptor, write_descriptor}
        self._restore = [] if owner else [(one, os.get_blocking(one)) for one in both]
        for descriptor in both:
            os.set_blocking(descriptor, False)

    def close(self) -> None:
        """Close both ends. Twice is no error."""
        if self._socket is not None:
            self._socket.close()
        for descriptor, blocking in self._restore:
            with suppress(OSError):
                os.set_blocking(descriptor, blocking)
                os.close(descriptor)
        self._restore = []


class Listener:
    """Gives one client after the other.

    `port`: the bound TCP port, or None. `place`: what --pipe is told and messages say: the port, the path, or "".
    `host`: the address bound, "" if there is none. `again`: whether a client can follow after the first one.
    """

    @property
    def listening(self) -> str:
        """The line that gdbserver prints and scripts wait for."""
        return f"Listening on {self.place}" if self.port is None else f"Listening on port {self.port}"

    port: int | None = None
    place: str = ""
    host: str = ""
    again: bool = False

    async def accept(self) -> Link:
        """The next client."""
        raise NotImplementedError

    def accept_nowait(self) -> Link | None:
        """The next client if it is there already. Raises `OSError`."""
        raise NotImplementedError

    def close(self) -> None:
        """Take no more clients."""


class SocketListener(Listener):
    """A bound and listening stream socket, `socket`."""

    again = True

    def __init__(self, bound: socket.socket, *, path: str = "") -> None:
        bound.setblocking(False)
        self.socket = bound
        self._path = path
        if bound.family == socket.AF_UNIX:
            self.place = path or bound.getsockname()[1:].decode(errors="replace")
        else:
            self.host, self.port = bound.getsockname()[:2]
            self.place = str(self.port)

    async def accept(self) -> Link:
        import trio

        while (link := self.accept_nowait()) is None:
            await trio.lowlevel.wait_readable(self.socket)
        return link

    def accept_nowait(self) -> Link | None:
        while True:
            try:
                accepted, address = self.socket.accept()
            except BlockingIOError:
                return None
            except ConnectionAbortedError:
                continue  # The client has gone before its turn.
            return socket_link(accepted, address)

    def close(self) -> None:
        self.socket.close()
        if self._path:
            with suppress(OSError):
                os.unlink(self._path)


class ReadyListener(Listener):
    """A link that is there already: standard input and output, a serial line, an inherited or connected socket."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def accept(self) -> Link:
        import trio

        await trio.lowlevel.checkpoint()
        return self._link

    def accept_nowait(self) -> Link:
        return self._link

    def close(self) -> None:
        self._link.close()


def socket_link(connected: socket.socket, address: object) -> Link:
    """A connected stream socket as a link."""
    connected.setblocking(False)
    if connected.family in (socket.AF_INET, socket.AF_INET6):
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    peer = "from a local socket"
    if isinstance(address, tuple):
        peer = f"from host {address[0]}, port {address[1]}"
    return Link(connected.fileno(), connected.fileno(), peer, owner=connected)


def open_listener(endpoint: Endpoint) -> Listener:
    """Bind, connect or open `endpoint`. Raises `UsageError` with the reason in one line."""
    return _OPENERS[endpoint.kind](endpoint)


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only."""
    return host.startswith("127.") or host == "::1"


def _tcp(endpoint: Endpoint) -> Listener:
    family, kind, protocol, address = _resolve(endpoint)
    made = socket.socket(family, kind, protocol)
    text = f"{endpoint.host}:{endpoint.port}"
    if endpoint.connect:
        return _connect(made, address, text)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _bind(made, address, "address")
    return SocketListener(made)


def _bind(made: socket.socket, address: object, what: str) -> None:
    try:
        made.bind(address)  # type: ignore[arg-type]
        made.listen(1)
    except OSError as error:
        made.close()
        raise UsageError(f"Can't bind {what}: {error.strerror or error}.") from None


def _resolve(endpoint: Endpoint) -> tuple[int, int, int, tuple[object, ...]]:
    """What to make a socket of."""
    host, family = endpoint.host, endpoint.family
    if host in LOCAL_NAMES:
        host = LOOPBACK[family]
    elif host == "*":
        host = EVERYBODY[family]
    # getaddrinfo imports `encodings.idna` first, a tenth of the time until the server listens.
    numeric = next((one for one in (4, 6) if family in (0, one) and _is_address(FAMILIES[one], host)), 0)
    if numeric:
        return FAMILIES[numeric], socket.SOCK_STREAM, 0, (host, endpoint.port)
    try:
        found = socket.getaddrinfo(host, endpoint.port, FAMILIES[family], socket.SOCK_STREAM)
    except OSError as error:
        raise UsageError(f"{endpoint.host}:{endpoint.port}: cannot resolve name: {error.strerror}") from None
    resolved, kind, protocol, _, address = found[0]
    return resolved, kind, protocol, address


def _is_address(family: int, host: str) -> bool:
    try:
        socket.inet_pton(family, host)
    except OSError:
        return False
    return True


def _connect(made: socket.socket, address: object, text: str) -> Listener:
    try:
        made.connect(address)  # type: ignore[arg-type]
    except OSError as error:
        made.close()
        raise UsageError(f"Can't connect to {text}: {error.strerror}.") from None
    return ReadyListener(socket_link(made, address))


def _unix(endpoint: Endpoint) -> Listener:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if endpoint.connect:
        return _connect(made, endpoint.path, endpoint.path)
    _remove_stale(endpoint.path)
    _bind(made, endpoint.path, endpoint.path)
    return SocketListener(made, path=endpoint.path)


def _remove_stale(path: str) -> None:
    """A socket that a server left behind when it was killed: nobody answers there, and it is in the way."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            import stat

            if stat.S_ISSOCK(os.stat(path).st_mode):
                os.unlink(path)
        except OSError:
            pass


def _abstract(endpoint: Endpoint) -> Listener:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    address = b"\0" + os.fsencode(endpoint.path)
    if endpoint.connect:
        return _connect(made, address, endpoint.path)
    _bind(made, address, f"the abstract socket {endpoint.path}")
    return SocketListener(made)


def _serial(endpoint: Endpoint) -> Listener:
    try:
        descriptor = os.open(endpoint.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError as error:
        raise UsageError(f"Can't open {endpoint.path}: {error.strerror}.") from None
    if os.isatty(descriptor):
        make_raw(descriptor, endpoint.speed, endpoint.path)
    return ReadyListener(Link(descriptor, descriptor, f"using {endpoint.path}", owner=None))


def make_raw(descriptor: int, speed: int, name: str) -> None:
    """Every byte as it is, 8 bits, no flow control; `speed` in baud, 0 to leave it. Raises `UsageError`."""
    import termios

    try:
        settings = termios.tcgetattr(descriptor)
        settings[0] = settings[1] = settings[3] = 0
        settings[2] = termios.CS8 | termios.CREAD | termios.CLOCAL
        settings[6][termios.VMIN], settings[6][termios.VTIME] = 1, 0
        if speed:
            settings[4] = settings[5] = getattr(termios, f"B{speed}")
        termios.tcsetattr(descriptor, termios.TCSANOW, settings)
    except AttributeError:
        raise UsageError(f"{name}: a serial line cannot be set to {speed} baud") from None
    except termios.error as error:
        raise UsageError(f"Can't set up {name}: {error.args[1]}.") from None


def _stdio(endpoint: Endpoint) -> Listener:
    """The connection gets descriptors of its own, and what the program prints goes to stderr, as in gdbserver: the
    client would take it for packets."""
    reading, writing = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return ReadyListener(Link(reading, writing, "using stdio", owner=None))


def _descriptor(endpoint: Endpoint) -> Listener:
    number = endpoint.descriptor
    try:
        os.set_inheritable(number, False)
        inherited = socket.socket(fileno=os.dup(number))
    except OSError as error:
        if error.errno != errno.ENOTSOCK:
            raise UsageError(f"descriptor {number}: {error.strerror}") from None
        return ReadyListener(Link(number, number, f"using descriptor {number}", owner=None))
    os.close(number)
    return ReadyListener(socket_link(inherited, None))


_OPENERS = {
    TCP: _tcp,
    UNIX: _unix,
    ABSTRACT: _abstract,
    SERIAL: _serial,
    STDIO: _stdio,
    DESCRIPTOR: _descriptor,
}
