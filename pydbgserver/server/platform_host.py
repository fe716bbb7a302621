"""What passes between a session of a platform server and its lobby, and the session's side of it.

Both ends are a socket pair whose messages keep their bounds. A session sends `REQUEST` and gets a decimal number; a
connection for it comes as a descriptor, with whether acknowledgements are off and the peer's address.
"""

from __future__ import annotations

import os
import socket
import struct

from pydbgserver.errors import DebugError

REPLY_SECONDS = 9.0
"""lldb waits 10 s for the reply to qLaunchGDBServer."""
MESSAGE = 8192
REQUEST = struct.Struct("<cq")
LAUNCH, KILL, QUERY, READY = b"L", b"K", b"Q", b"R"
"""Make a session; end one; is there one with the server's program; and from a new session: its program stands."""


class PlatformHost:
    """A session's way to the lobby: the requests that concern other sessions.

    `port`: where debuggers connect, as the client is told it; 0 where `socket_path` is it.
    """

    def __init__(self, channel: socket.socket, port: int, socket_path: str) -> None:
        self.port = port
        self.socket_path = socket_path
        self._channel = channel

    def launch(self) -> int:
        """Make a session that waits for a debugger, in the present working directory; gives its pid."""
        pid = self._ask(LAUNCH, 0, os.fsencode(os.getcwd()))
        if pid <= 0:
            raise DebugError("no session can be started now")
        return pid

    def waiting(self) -> bool:
        """Whether a session waits with the program of the server's command line, which the first question starts.

        Raises `DebugError` when the program cannot be started.
        """
        return bool(self._ask(QUERY, 0))

    def kill(self, pid: int) -> bool:
        """End a session that `launch` has made; False if it is none of this client's."""
        return bool(self._ask(KILL, pid))

    def _ask(self, what: bytes, number: int, data: bytes = b"") -> int:
        try:
            self._channel.settimeout(REPLY_SECONDS)
            self._channel.send(REQUEST.pack(what, number) + data)
            return int(self._channel.recv(MESSAGE) or b"0")
        except OSError as error:
            self._channel.close()  # An answer that comes later would be taken for that to another question.
            raise DebugError(f"the platform server does not answer: {error.strerror or error}") from error
