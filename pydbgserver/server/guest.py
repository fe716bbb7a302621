"""A session of a platform server: a process of its own for one connection."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from pydbgserver import logs
from pydbgserver.errors import DebugError
from pydbgserver.options import Options
from pydbgserver.server.listen import Link, Listener, ReadyListener, socket_link
from pydbgserver.server.platform_host import MESSAGE, READY, REQUEST, PlatformHost
from pydbgserver.session.options import SessionOptions

if TYPE_CHECKING:
    from pydbgserver.backends import Started, System
    from pydbgserver.transcripts.recorder import Recordings


def serve_guest(
    channel: socket.socket,
    options: Options,
    settings: SessionOptions,
    listener: Listener,
    recordings: Recordings | None = None,
    *,
    program: bool,
) -> int:
    """Wait for the connection that comes through `channel` and serve it. Gives the exit status.

    `program`: start the program of `settings` first, and tell the lobby that it stands.
    """
    from pydbgserver import backends
    from pydbgserver.server import serve

    system = backends.system(options.backend)
    started = None
    if program:
        started = _start_program(system, settings)
        if started is None:
            return 1
        channel.send(REQUEST.pack(READY, 0))
    link = _await_link(channel)
    if link is None:
        return 0
    port = (listener.port or 0) + (options.port_offset if listener.port else 0)
    host = PlatformHost(channel, port, "" if listener.port else listener.place)
    backend = system.make_backend(started)
    try:
        serve.run(options, settings._replace(platform=host), backend, ReadyListener(link), recordings)
    finally:
        backend.release()
    return 0


def _start_program(system: System, settings: SessionOptions) -> Started | None:
    assert settings.program is not None
    try:
        return system.launch(settings.program)
    except DebugError as error:
        logs.problem(f"failed to start {settings.program.program}: {error}")
        return None


def _await_link(channel: socket.socket) -> Link | None:
    """The connection, None when the lobby has gone instead."""
    from ast import literal_eval

    message, descriptors, _, _ = socket.recv_fds(channel, MESSAGE, 1)
    if not descriptors:
        return None
    link = socket_link(socket.socket(fileno=descriptors[0]), literal_eval(message[1:].decode()))
    link.no_ack = message[:1] == b"1"
    return link
