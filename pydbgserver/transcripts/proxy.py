"""Sits between any client and any server, passes on what they say, and writes it down."""

from __future__ import annotations

from contextlib import suppress

import trio

from pydbgserver.rsp.codec import Wire
from pydbgserver.rsp.transcript import Mark
from pydbgserver.server.ending import end_by_signal
from pydbgserver.server.listen import Link, Listener
from pydbgserver.session.dialect import Dialect
from pydbgserver.transcripts.recorder import Recorder
from pydbgserver.transcripts.tap import Tap


class Proxy:
    """One session between the two links; `run` ends when either side has gone, and closes the other."""

    def __init__(self, client: Link, server: Link, recorder: Recorder) -> None:
        self._recorder = recorder
        self._client = Wire(client.read_descriptor, client.write_descriptor)
        self._server = Wire(server.read_descriptor, server.write_descriptor)
        self._from_client = Tap(to_client=False)
        self._from_server = Tap(to_client=True)
        self._dialect = Dialect()

    async def run(self) -> None:
        """Pass everything on until one side has gone."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._pump, self._client, self._server, self._from_client, nursery.cancel_scope)
            await self._pump(self._server, self._client, self._from_server, nursery.cancel_scope)

    async def _pump(self, source: Wire, sink: Wire, tap: Tap, whole: trio.CancelScope) -> None:
        gone = await self._pass_on(source, sink, tap)
        if not whole.cancel_called:
            self._recorder.mark(gone)
        whole.cancel()

    async def _pass_on(self, source: Wire, sink: Wire, tap: Tap) -> Mark:
        """Until one of the two has gone, and which: the one that nothing comes from, or that takes nothing more."""
        gone, other = Mark.CLIENT_GONE, Mark.SERVER_GONE
        if tap is self._from_server:
            gone, other = other, gone
        while data := await _receive(source):
            self._record(tap, data)
            try:
                await _send(sink, data)
            except OSError:
                return other
        return gone

    def _record(self, tap: Tap, data: bytes) -> None:
        recorder = self._recorder
        for mark, body in tap.take(data):
            if mark is Mark.TO_SERVER:
                recorder.received(body)
                if self._dialect.presumed:
                    self._identify(body)
            elif mark is Mark.TO_CLIENT:
                recorder.sent(body)
            else:
                recorder.mark(mark, body)
        if tap.refused:
            tap.refused = False
            (self._from_server if tap is self._from_client else self._from_client).resend()

    def _identify(self, body: bytes) -> None:
        self._dialect.observe(body)
        if not self._dialect.presumed:
            self._recorder.name_client(self._dialect.client.value)


async def _receive(wire: Wire) -> bytes:
    """What has come; nothing when the other side has gone, in order or with a reset."""
    with suppress(OSError):
        while (data := wire.receive()) is None:
            await trio.lowlevel.wait_readable(wire.read_descriptor)
        return data
    return b""


async def _send(wire: Wire, data: bytes) -> None:
    view = memoryview(data)
    while view:
        sent = wire.send(view)
        view = view[sent:]
        if view:
            await trio.lowlevel.wait_writable(wire.write_descriptor)


async def serve(listener: Listener, target: Listener, recorder: Recorder) -> None:
    """Wait for a client, connect it with `target`, and record their session to its end, or until a signal ends it."""
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(end_by_signal, nursery.cancel_scope)
            await _serve_client(listener, target, recorder)
            nursery.cancel_scope.cancel()
    finally:
        recorder.close()


async def _serve_client(listener: Listener, target: Listener, recorder: Recorder) -> None:
    client = await listener.accept()
    try:
        server = await target.accept()
        try:
            await Proxy(client, server, recorder).run()
        finally:
            server.close()
    finally:
        client.close()
