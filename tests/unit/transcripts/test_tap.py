"""Packets out of a stream that is cut anywhere."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pydbgserver.rsp.codec import checksum, frame
from pydbgserver.rsp.transcript import Mark
from pydbgserver.transcripts.tap import Tap


def taken(tap: Tap, data: bytes, *, size: int) -> list[tuple[Mark, bytes]]:
    return [one for start in range(0, len(data), size) for one in tap.take(data[start : start + size])]


@given(st.lists(st.binary(max_size=40), max_size=6), st.booleans(), st.integers(1, 30))
def test_replies_come_back_whatever_the_cut(bodies: list[bytes], rle: bool, size: int) -> None:
    data = b"".join(b"+" + frame(body, rle=rle) for body in bodies)
    assert taken(Tap(to_client=True), data, size=size) == [(Mark.TO_CLIENT, body) for body in bodies]


@given(st.integers(1, 30))
def test_requests_stay_as_on_the_wire(size: int) -> None:
    wire = b"X1000,2:}\x03\x03"
    data = b"+\x03$" + wire + b"#%02x" % checksum(wire) + b"\x03"
    expected = [(Mark.INTERRUPT, b""), (Mark.TO_SERVER, wire), (Mark.INTERRUPT, b"")]
    assert taken(Tap(to_client=False), data, size=size) == expected


def test_notifications_and_repeated_frames() -> None:
    tap = Tap(to_client=True)
    assert list(tap.take(b"%Stop:T05#00")) == [(Mark.NOTIFICATION, b"Stop:T05")]
    tap.resend()
    assert list(tap.take(b"$OK#9a")) == []
    assert list(tap.take(b"$OK#9a")) == [(Mark.TO_CLIENT, b"OK")]
    other = Tap(to_client=False)
    assert list(other.take(b"-")) == []
    assert other.refused
