from __future__ import annotations

import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pydbgserver.rsp import codec
from pydbgserver.rsp.codec import Wire
from tests.unit.rsp import wire

RUNNY = st.lists(
    st.tuples(st.sampled_from(b"0f}#$*+-]\n\x03a"), st.integers(1, 210)).map(lambda run: bytes([run[0]]) * run[1]),
    max_size=12,
).map(b"".join)

FRAMES = [
    (b"", b"$#00"),
    (b"OK", b"$OK#9a"),
    (b"}#$*", b"$}]}\x03}\x04}\n#62"),
    (b"E01", b"$E01#a6"),
]


@pytest.mark.parametrize(("body", "frame"), FRAMES)
def test_frame_escapes_what_a_client_may_not_see_plain(body: bytes, frame: bytes) -> None:
    assert codec.frame(body) == frame
    assert wire.decoded(frame) == body


@pytest.mark.parametrize(
    ("run", "encoded"),
    [
        (3, b"000"),
        (4, b"0* "),
        (6, b'0*"'),
        (7, b'0*"0'),
        (8, b'0*"00'),
        (9, b"0*%"),
        (14, b"0**"),
        (15, b"0**0"),
        (17, b"0*,0"),
        (18, b"0*."),
        (98, b"0*~"),
        (99, b"0*~0"),
        (102, b"0*~0* "),
    ],
)
def test_runs_avoid_the_counts_that_look_like_framing(run: int, encoded: bytes) -> None:
    assert codec.frame(b"0" * run, rle=True)[1:-3] == encoded


@given(st.binary(max_size=300) | RUNNY)
def test_a_frame_decodes_to_its_body(body: bytes) -> None:
    assert wire.decoded(codec.frame(body)) == body
    assert wire.decoded(codec.frame(body, rle=True)) == body
    assert codec.frame(body) == wire.framed(body)
    assert len(codec.frame(body, rle=True)) <= len(codec.frame(body))


@given(RUNNY | st.binary(max_size=300))
def test_expand_and_unescape_undo_what_frame_does(body: bytes) -> None:
    packed = codec.frame(body, rle=True)[1:-3]
    expanded = codec.expand(packed, 10_000)
    assert expanded == wire.expanded(packed)
    assert codec.unescape(expanded) == body


@given(st.binary(max_size=200))
def test_anything_at_all_expands_and_unescapes(garbage: bytes) -> None:
    expanded = codec.expand(garbage, 20_000)
    assert expanded is not None
    assert len(codec.unescape(expanded)) <= len(expanded)


def test_expand_gives_up_at_the_limit() -> None:
    assert codec.expand(b"0*~", 98) == b"0" * 98
    assert codec.expand(b"0*~", 97) is None
    assert codec.expand(b"000", 2) is None


@pytest.mark.parametrize("plain", [b"*", b"*~", b"a*", b"a*\x1f", b"a*\x7f"])
def test_a_star_that_is_no_run_stays(plain: bytes) -> None:
    assert codec.expand(plain, 100) == plain


def test_an_encoder_grows_for_one_large_frame_and_goes_on() -> None:
    encoder = codec.Encoder()
    large = bytes(range(256)) * 512
    assert encoder.frame(b"OK") == b"$OK#9a"
    assert wire.decoded(encoder.frame(large)) == large
    assert encoder.frame(b"OK") == b"$OK#9a"


def test_checksum_is_modulo_256() -> None:
    assert codec.checksum(b"\xff\xff\x03") == 1


def test_a_socket_wire_receives_sends_and_ends() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        connection = Wire(ours.fileno())
        assert connection.receive() is None
        assert connection.receive(wait_us=50) is None
        theirs.sendall(b"$qC#b4")
        assert connection.receive(wait_us=1000) == b"$qC#b4"
        assert connection.send(bytearray(b"$OK#9a")) == 6
        assert theirs.recv(100) == b"$OK#9a"
        while connection.send(b"x" * 65536):
            pass
        theirs.close()
        with pytest.raises(BrokenPipeError):
            connection.send(b"x")
        with pytest.raises(ConnectionResetError):
            connection.receive()
        assert connection.receive() == b""


def test_a_wire_of_two_pipes_works_as_well() -> None:
    (read_end, to_us), (from_us, write_end) = os.pipe(), os.pipe()
    try:
        os.set_blocking(read_end, False)
        os.set_blocking(write_end, False)
        connection = Wire(read_end, write_end)
        assert connection.receive(wait_us=20) is None
        os.write(to_us, b"+")
        assert connection.receive() == b"+"
        assert connection.send(b"hello") == 5
        assert os.read(from_us, 10) == b"hello"
        os.close(to_us)
        assert connection.receive() == b""
    finally:
        for descriptor in (read_end, from_us, write_end):
            os.close(descriptor)


def test_a_wire_on_a_closed_descriptor_raises() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    os.close(write_end)
    with pytest.raises(OSError, match="Bad file descriptor"):
        Wire(read_end).receive()
    with pytest.raises(OSError, match="Bad file descriptor"):
        Wire(write_end).send(b"x")
