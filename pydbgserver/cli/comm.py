"""COMM arguments and connection URLs -> `Endpoint`.

gdbserver takes HOST:PORT, a device, ``-`` and ``stdio``; lldb-server takes [HOST]:PORT, URLs and paths of unix
sockets. Both command lines take all of these here, except that a bare word is only a socket to lldb-server.
"""

from __future__ import annotations

from pydbgserver.errors import UsageError
from pydbgserver.options import ABSTRACT, DESCRIPTOR, SERIAL, STDIO, TCP, UNIX, Endpoint

MAX_PORT = 65535

FAMILY_PREFIXES = {"tcp:": 0, "tcp4:": 4, "tcp6:": 6}

# lldb's ConnectionFileDescriptor schemes, and the three that lldb-server turns into listening ones: what kind of
# address follows, and whether the server connects (None: it does if --reverse-connect says so).
SCHEMES: dict[str, tuple[str, bool | None]] = {
    "tcp": (TCP, None),
    "tcp4": (TCP, None),
    "tcp6": (TCP, None),
    "unix": (UNIX, None),
    "unix-abstract": (ABSTRACT, None),
    "listen": (TCP, False),
    "accept": (TCP, False),
    "connect": (TCP, True),
    "tcp-connect": (TCP, True),
    "unix-accept": (UNIX, False),
    "unix-connect": (UNIX, True),
    "unix-abstract-accept": (ABSTRACT, False),
    "unix-abstract-connect": (ABSTRACT, True),
    "fd": (DESCRIPTOR, None),
    "file": (SERIAL, None),
    "serial": (SERIAL, None),
}


def parse_comm(text: str) -> Endpoint:
    """gdbserver's COMM. Raises `UsageError`."""
    if text in ("-", "stdio"):
        return Endpoint(kind=STDIO)
    if "://" in text:
        return parse_url(text, reverse=False)
    for prefix, family in FAMILY_PREFIXES.items():
        if text.startswith(prefix):
            return _tcp(text[len(prefix) :], text, family, connect=False)
    if "/" in text:
        return _path(text)
    if ":" in text or text.isdigit():
        return _tcp(text, text, 0, connect=False)
    raise UsageError(f"{text}: neither HOST:PORT, nor a path with a slash, nor - for standard input and output")


def parse_lldb(text: str, *, reverse: bool = False) -> Endpoint:
    """lldb-server's [HOST]:PORT, URL or path. `reverse`: connect there. Raises `UsageError`."""
    if "://" in text:
        return parse_url(text, reverse=reverse)
    host, colon, port = text.rpartition(":")
    if port.isdigit() and (colon or not host) and "/" not in host:
        return _tcp(text, text, 0, connect=reverse)
    if _is_device(text):
        return Endpoint(kind=SERIAL, path=text)
    return Endpoint(kind=UNIX, path=text, connect=reverse)


def parse_url(text: str, *, reverse: bool) -> Endpoint:
    """SCHEME://ADDRESS; `reverse` decides for the schemes that may mean both. Raises `UsageError`."""
    scheme, _, address = text.partition("://")
    if scheme not in SCHEMES:
        raise UsageError(f"{text}: no connection is made by {scheme}://; known are {', '.join(SCHEMES)}")
    kind, connect = SCHEMES[scheme]
    if connect is None:
        connect = reverse
    if kind == TCP:
        return _tcp(address, text, int(scheme[3:]) if scheme[3:].isdigit() else 0, connect=connect)
    if kind == DESCRIPTOR:
        return Endpoint(kind=DESCRIPTOR, descriptor=parse_number(address, text))
    if not address:
        raise UsageError(f"{text}: the path is missing")
    if kind == SERIAL:
        path, _, query = address.partition("?")
        speed = next((one[5:] for one in query.split("&") if one.startswith("baud=")), "0")
        return Endpoint(kind=SERIAL, path=path, speed=parse_number(speed, text))
    return Endpoint(kind=kind, path=address, connect=connect)


def parse_number(text: str, whole: str) -> int:
    """A non-negative decimal number that is (a part of) the argument `whole`. Raises `UsageError`."""
    if not (text.isascii() and text.isdigit()):
        raise UsageError(f"{whole}: {text or 'nothing'} is not a number")
    return int(text)


def _tcp(address: str, whole: str, family: int, *, connect: bool) -> Endpoint:
    """HOST:PORT, [V6]:PORT, :PORT or PORT alone; whether a host of that name exists turns out later."""
    host, _, port = address.rpartition(":")
    number = parse_number(port, whole)
    if number > MAX_PORT:
        raise UsageError(f"{whole}: port {number} is greater than {MAX_PORT}")
    if host.startswith("["):
        if not host.endswith("]"):
            raise UsageError(f"{whole}: the ] is missing")
        host = host[1:-1]
    if connect and not number:
        raise UsageError(f"{whole}: a port to connect to is needed")
    return Endpoint(kind=TCP, host=host, port=number, family=family, connect=connect)


def _path(path: str) -> Endpoint:
    return Endpoint(kind=SERIAL if _is_device(path) else UNIX, path=path)


def _is_device(path: str) -> bool:
    """A character device, or what would have to be one."""
    import os
    import stat

    try:
        return stat.S_ISCHR(os.stat(path).st_mode)
    except OSError:
        return path.startswith("/dev/") and not path.startswith("/dev/shm/")
