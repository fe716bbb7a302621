"""The test client against packets written by hand."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pydbgserver.testing.client import Client, ProtocolError, decode, frame


@pytest.fixture
def pair() -> Iterator[tuple[Client, socket.socket]]:
    ours, theirs = socket.socketpair()
    theirs.settimeout(5)
    with theirs, Client(ours, timeout=5) as client:
        yield client, theirs


def test_frame() -> None:
    assert frame(b"") == b"$#00"
    assert frame(b"OK") == b"$OK#9a"
    assert frame(b"a#$}b") == b"$a}\x03}\x04}]b#%02x" % (sum(b"a}\x03}\x04}]b") & 0xFF)


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (b"OK", b"OK"),
        (b"0* ", b"0000"),
        (b"xa*\"b*'", b"xaaaaaa" + b"b" * 11),
        (b"}\x03}]", b"#}"),
        (b"}\x0a", b"*"),
        (b"", b""),
    ],
)
def test_decode(raw: bytes, body: bytes) -> None:
    assert decode(raw) == body


def test_decode_without_run_lengths() -> None:
    assert decode(b"0* }\x03", expand=False) == b"0* #"


@given(st.binary().filter(lambda body: b"*" not in body))
def test_what_is_framed_is_decoded(body: bytes) -> None:
    assert decode(frame(body)[1:-3]) == body


def test_request_with_acknowledgements(pair: tuple[Client, socket.socket]) -> None:
    client, server = pair
    server.sendall(b"+$OK#9a")
    assert client.request("g") == b"OK"
    assert server.recv(64) == b"$g#67+"


def test_no_ack_mode(pair: tuple[Client, socket.socket]) -> None:
    client, server = pair
    server.sendall(b"+$OK#9a$T05#b9")
    client.start_no_ack_mode()
    assert not client.acknowledging
    assert client.receive() == b"T05"
    assert server.recv(64) == b"$QStartNoAckMode#b0+"


def test_refused_no_ack_mode(pair: tuple[Client, socket.socket]) -> None:
    client, server = pair
    server.sendall(b"+$#00")
    with pytest.raises(ProtocolError, match="QStartNoAckMode"):
        client.start_no_ack_mode()


def test_glued_and_split_packets(pair: tuple[Client, socket.socket]) -> None:
    client, server = pair
    server.sendall(b"$OK#9a$E0")
    assert client.receive() == b"OK"
    server.sendall(b"1#a6")
    assert client.receive() == b"E01"


def test_notifications_are_kept_apart(pair: tuple[Client, socket.socket]) -> None:
    client, server = pair
    server.sendall(b"%Stop:T05#46$OK#9a".replace(b"#46", b"#%02x" % (sum(b"Stop:T05") & 0xFF)))
    assert client.receive() == b"OK"
    assert client.notifications == [b"Stop:T05"]


def test_stop_skips_output(pair: tuple[Client, socket.socket]) -> None:
    client, server = pair
    server.sendall(frame(b"O6869") + frame(b"T02thread:1;"))
    assert client.stop() == b"T02thread:1;"
    assert server.recv(64)[:1] == b"\x03"


@pytest.mark.parametrize("sent", [b"$OK#00", b"OK#9a", b"\x00"])
def test_protocol_errors(pair: tuple[Client, socket.socket], sent: bytes) -> None:
    client, server = pair
    server.sendall(sent)
    with pytest.raises(ProtocolError):
        client.receive()


def test_end_of_the_connection(pair: tuple[Client, socket.socket]) -> None:
    client, server = pair
    server.shutdown(socket.SHUT_RDWR)
    with pytest.raises(ProtocolError, match="ended"):
        client.receive()


def test_timeout() -> None:
    ours, theirs = socket.socketpair()
    with theirs, Client(ours, timeout=0.01) as client, pytest.raises(TimeoutError):
        client.receive()
