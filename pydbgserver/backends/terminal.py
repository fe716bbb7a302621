"""A debuggee's terminal, seen from the server's end."""

from __future__ import annotations

import os

from pydbgserver.target.capabilities import StandardStreams


class ServerTerminal(StandardStreams):
    """The server's end of the debuggee's terminal, a descriptor that it owns."""

    def __init__(self, terminal: int) -> None:
        self.terminal = terminal

    def write_stdin(self, data: bytes) -> None:
        while data:
            data = data[os.write(self.terminal, data) :]

    def close(self) -> None:
        if self.terminal >= 0:
            os.close(self.terminal)
        self.terminal = -1
