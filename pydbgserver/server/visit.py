"""One client of a server, from its coming to its going."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydbgserver.rsp.transcript import Mark
from pydbgserver.server.exchange import Exchange
from pydbgserver.server.listen import Link

if TYPE_CHECKING:
    from pydbgserver.transcripts.recorder import Recorder


class Visit:
    """What there is for one client: its link, and the exchange of packets with its session."""

    def __init__(self, link: Link, exchange: Exchange, recorder: Recorder | None) -> None:
        self.link = link
        self.exchange = exchange
        self.session = exchange.session
        self._recorder = recorder
        if link.no_ack:
            self.session.no_ack_requested = exchange.framing.no_ack = True
            if recorder is not None:
                # The lobby of the platform has answered it.
                recorder.received(b"QStartNoAckMode")
                recorder.sent(b"OK")

    def close(self) -> None:
        """The client has gone, or is sent away."""
        self.session.connection_lost()
        if self._recorder is not None:
            self._recorder.mark(Mark.SERVER_GONE if self.session.ended else Mark.CLIENT_GONE)
            self._recorder.close()
        self.link.close()
