"""The server goes where its client is, and back."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator

import pytest

from pydbgserver.rsp.codec import library
from pydbgserver.server.placement import MOST_SAVED, MOVE, Placement

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells where a packet came from")


@pytest.fixture
def peer() -> Iterator[Peer]:
    anywhere = os.sched_getaffinity(0)
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        ours, _ = listener.accept()
        with ours:
            yield Peer(client, ours)
    left = os.sched_getaffinity(0)
    os.sched_setaffinity(0, anywhere)
    assert left == anywhere


@pytest.fixture
def wandering(peer: Peer) -> Peer:
    if len(peer.processors) < 2:
        pytest.skip("there is one processor, which nobody can leave")
    return peer


class Peer:
    """Sends from any processor."""

    def __init__(self, client: socket.socket, ours: socket.socket) -> None:
        self.client = client
        self.ours = ours
        self.processors = sorted(os.sched_getaffinity(0))

    def sends_from(self, processor: int) -> None:
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {processor})
        self.client.sendall(b"x")
        os.sched_setaffinity(0, before)
        assert self.ours.recv(1) == b"x"

    def goes_away_until_it_is_left_alone(self, placement: Placement) -> None:
        """It is followed `MOST_SAVED // MOVE` times."""
        for turn in range(MOST_SAVED // MOVE):
            self.sends_from(self.processors[turn % 2])
            placement.join()
            assert os.sched_getaffinity(0) == {self.processors[turn % 2]}
        self.sends_from(self.processors[0])
        placement.join()
        assert os.sched_getaffinity(0) == set(self.processors)


def test_joins_the_processor_of_the_peer_and_leaves_it(peer: Peer) -> None:
    placement = Placement(peer.ours.fileno())
    for processor in peer.processors:
        peer.sends_from(processor)
        placement.join()
        assert os.sched_getaffinity(0) == {processor}
        placement.leave()
        assert os.sched_getaffinity(0) == set(peer.processors)


def test_a_peer_that_goes_away_again_and_again_is_left_alone_for_a_while(wandering: Peer) -> None:
    placement = Placement(wandering.ours.fileno())
    wandering.goes_away_until_it_is_left_alone(placement)
    for _ in range(MOVE):
        assert os.sched_getaffinity(0) == set(wandering.processors)
        placement.join()
    assert os.sched_getaffinity(0) == {wandering.processors[0]}
    placement.leave()


def test_a_peer_that_stays_is_followed_as_often_as_at_first(wandering: Peer) -> None:
    placement = Placement(wandering.ours.fileno())
    wandering.sends_from(wandering.processors[1])
    placement.join()
    wandering.sends_from(wandering.processors[0])
    placement.join()
    for _ in range(2):
        placement.join()
    wandering.sends_from(wandering.processors[1])
    placement.join()
    placement.join()
    wandering.goes_away_until_it_is_left_alone(placement)
    placement.leave()


def test_how_long_the_peer_has_been_silent_is_known_whoever_was_late() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        ours, _ = listener.accept()
        with ours:
            began = time.monotonic()
            client.sendall(b"x")
            while library.rsp_peer_silence(ours.fileno()) < 50:
                assert time.monotonic() < began + 20
                os.sched_yield()
            assert ours.recv(1) == b"x"
            assert library.rsp_peer_silence(ours.fileno()) >= 50
            assert library.rsp_peer_silence(ours.fileno()) <= (time.monotonic() - began) * 1000 + 20
    read_end, write_end = os.pipe()
    try:
        assert library.rsp_peer_silence(read_end) < 0
    finally:
        os.close(read_end)
        os.close(write_end)


def test_stays_where_nothing_is_known_of_the_peer() -> None:
    anywhere = os.sched_getaffinity(0)
    read_end, write_end = os.pipe()
    try:
        placement = Placement(read_end)
        placement.join()
        assert os.sched_getaffinity(0) == anywhere
        placement.leave()
        assert os.sched_getaffinity(0) == anywhere
    finally:
        os.close(read_end)
        os.close(write_end)
