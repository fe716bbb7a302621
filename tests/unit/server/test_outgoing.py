"""Sending to a client that takes its time."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
import trio

from pydbgserver.rsp.codec import Wire
from pydbgserver.rsp.framing import Framing
from pydbgserver.server.outgoing import Outgoing

MUCH = b"x" * (4 << 20)
"""More than a socket pair holds."""


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        yield ours, theirs


async def test_everybody_who_has_something_to_send_waits(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    framing = Framing()
    outgoing = Outgoing(Wire(ours.fileno()), framing)
    theirs.setblocking(False)
    taken = 0
    async with trio.open_nursery() as nursery:
        for _ in range(2):
            framing.out += MUCH
            nursery.start_soon(outgoing.send)
        while taken < 2 * len(MUCH):
            await trio.lowlevel.wait_readable(theirs)
            taken += len(theirs.recv(1 << 20))
    assert not framing.out


async def test_a_client_that_is_gone(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    framing = Framing()
    outgoing = Outgoing(Wire(ours.fileno()), framing)
    framing.out += b"$OK#9a"
    theirs.shutdown(socket.SHUT_RDWR)
    with pytest.raises(OSError):
        await outgoing.send()
