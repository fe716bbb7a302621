"""What goes out: a client that takes nothing is waited for, by whoever has something to send."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydbgserver.rsp.codec import Wire
from pydbgserver.rsp.framing import Framing

if TYPE_CHECKING:
    import trio


class Outgoing:
    """Sends what `framing` has queued."""

    __slots__ = ("_drained", "_framing", "_wire")

    def __init__(self, wire: Wire, framing: Framing) -> None:
        self._wire = wire
        self._framing = framing
        self._drained: trio.Event | None = None

    def send_nowait(self) -> bool:
        """Send what can be sent at once; True if that was all. Raises `OSError` when the client is gone."""
        out = self._framing.out
        sent = self._wire.send(out)
        if sent == len(out):
            out.clear()
            return True
        del out[:sent]
        return False

    async def send(self) -> None:
        """Send everything. Raises `OSError` when the client is gone."""
        if self._framing.out and not self.send_nowait():
            await self.wait_sent()

    async def wait_sent(self) -> None:
        """Wait until a slow client has taken everything. The descriptor can be waited for by one task only."""
        import trio

        if self._drained is not None:
            await self._drained.wait()
            return
        self._drained = trio.Event()
        try:
            while self._framing.out:
                await trio.lowlevel.wait_writable(self._wire.write_descriptor)
                self.send_nowait()
        finally:
            self._drained.set()
            self._drained = None
