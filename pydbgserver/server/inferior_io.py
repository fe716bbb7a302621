"""The terminals of debuggees that the server owns: what they print goes to the client, or nowhere without one."""

from __future__ import annotations

import errno
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from pydbgserver.target.api import Backend
from pydbgserver.target.capabilities import StandardStreams

if TYPE_CHECKING:
    import trio

CHUNK = 16384
"""Bytes in one O packet at most; a terminal gives no more than 4096 at once anyway."""

Take = Callable[[int, bytes], None]
TakeSlowly = Callable[[int, bytes], Awaitable[None]]


class Terminals:
    """Reads every terminal for as long as its debuggee has it open, across connections: a program whose terminal
    nobody reads would block. Until `forward` is called only `collect` reads them.

    `on_output`: takes (pid, bytes) and may wait; None discards. `on_output_nowait`: the same for `collect`.
    """

    def __init__(self, backend: Backend) -> None:
        self.on_output: TakeSlowly | None = None
        self.on_output_nowait: Take | None = None
        self._backend = backend
        self._nursery: trio.Nursery | None = None
        self._open: dict[int, int] = {}

    def forward(self, nursery: trio.Nursery) -> None:
        """Read from now on, as tasks of `nursery`. Once is enough."""
        if self._nursery is None:
            self._nursery = nursery
            for pid, descriptor in self._open.items():
                nursery.start_soon(self._forward, pid, descriptor)

    def adopt(self) -> None:
        """Begin to read the terminals of processes that are new."""
        for pid, process in self._backend.processes.items():
            if pid not in self._open:
                streams = process.capability(StandardStreams)
                terminal = -1 if streams is None else streams.terminal
                if terminal >= 0:
                    # A descriptor of our own: the backend closes its one when the process ends, and what was printed
                    # last is still to be read then.
                    self._open[pid] = descriptor = os.dup(terminal)
                    os.set_blocking(descriptor, False)
                    if self._nursery is not None:
                        self._nursery.start_soon(self._forward, pid, descriptor)

    def collect(self) -> None:
        """Take what has been printed up to now, without waiting."""
        for pid, descriptor in self._open.items():
            while data := _read(descriptor):
                if self.on_output_nowait is not None:
                    self.on_output_nowait(pid, data)

    async def _forward(self, pid: int, descriptor: int) -> None:
        import trio

        try:
            while (data := _read(descriptor)) != b"":
                if data is None:
                    await trio.lowlevel.wait_readable(descriptor)
                elif self.on_output is not None:
                    await self.on_output(pid, data)
        finally:
            del self._open[pid]
            os.close(descriptor)


def _read(descriptor: int) -> bytes | None:
    """What there is, None for nothing yet, b"" when nobody has the other end any more."""
    try:
        return os.read(descriptor, CHUNK)
    except BlockingIOError:
        return None
    except OSError as error:
        # Linux says EIO to the reader of a terminal that nobody has open any more.
        if error.errno != errno.EIO:
            raise
        return b""
