"""The server goes where its client is, and back."""

from __future__ import annotations

import os
import socket
import sys
import time

import pytest

from pydbgserver.rsp.codec import library
from pydbgserver.server.placement import MOST_MOVES, Placement

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells where a packet came from")


def test_joins_the_processor_of_the_peer_and_leaves_it() -> None:
    anywhere = os.sched_getaffinity(0)
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        ours, _ = listener.accept()
        with ours:
            placement = Placement(ours.fileno())
            for processor in sorted(anywhere):
                os.sched_setaffinity(0, {processor})
                client.sendall(b"x")
                os.sched_setaffinity(0, anywhere)
                assert ours.recv(1) == b"x"
                placement.join()
                assert os.sched_getaffinity(0) == {processor}
                placement.leave()
                assert os.sched_getaffinity(0) == anywhere


def test_a_peer_that_goes_away_again_and_again_is_left_alone() -> None:
    anywhere = os.sched_getaffinity(0)
    two = sorted(anywhere)[:2]
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        ours, _ = listener.accept()
        with ours:
            placement = Placement(ours.fileno())
            for turn in range(MOST_MOVES + 2):
                before = os.sched_getaffinity(0)
                os.sched_setaffinity(0, {two[turn % len(two)]})
                client.sendall(b"x")
                os.sched_setaffinity(0, before)
                assert ours.recv(1) == b"x"
                placement.join()
                assert os.sched_getaffinity(0) == {two[min(turn, MOST_MOVES - 1) % len(two)]}
            placement.leave()
            assert os.sched_getaffinity(0) == anywhere


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
