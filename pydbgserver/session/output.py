"""What debuggees print, on its way to the client."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pydbgserver.rsp.replies import console_output

if TYPE_CHECKING:
    from pydbgserver.session.session import Session


class DebuggeeOutput:
    """``O`` packets. A client reads them only while it waits for a stop, so that what comes at other times is held for
    the next resume. In non-stop mode lldb takes output as notifications, and gdb takes none.

    `collect`: set by the server; called before a stop is reported, to hand over by `printed` what has been printed up
    to then.
    """

    __slots__ = ("_held", "_session", "collect")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._held = bytearray()
        self.collect: Callable[[], None] | None = None

    def printed(self, data: bytes) -> bytes | None:
        """A debuggee has printed `data`: gives the packet to send, None while the client could not take one."""
        session = self._session
        if session.non_stop is not None and session.non_stop.printed(data):
            return None
        self._held += data
        if not session.running or session.non_stop is not None:
            return None
        return self._take()

    def flush(self) -> None:
        """The client takes output now: what is held goes out before the next reply."""
        if self._held:
            self._session.outbox.append(self._take())

    def _take(self) -> bytes:
        body = console_output(self._held)
        self._held.clear()
        return body
