from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pydbgserver.rsp.framing import Control, Framing, Item
from tests.unit.rsp import wire

INTERRUPT, OVERSIZE, RESEND = Control.INTERRUPT, Control.OVERSIZE, Control.RESEND

CASES: list[tuple[str, bytes, list[Item], bytes]] = [
    # name, what arrives, what it means, what is answered at once in ack mode
    ("nothing", b"", [], b""),
    ("packet", b"$qC#b4", [b"qC"], b"+"),
    ("empty packet", b"$#00", [b""], b"+"),
    ("two packets", b"$qC#b4$g#67", [b"qC", b"g"], b"++"),
    ("upper-case checksum", b"$m1000,40#BE", [b"m1000,40"], b"+"),
    ("acknowledgements", b"+$qC#b4+", [b"qC"], b"+"),
    ("junk between frames", b"\r\n xy$qC#b4zz$g#67#00", [b"qC", b"g"], b"++"),
    ("interrupt", b"\x03", [INTERRUPT], b""),
    ("interrupt between packets", b"$qC#b4\x03$g#67", [b"qC", INTERRUPT, b"g"], b"++"),
    ("interrupt byte is data inside a frame", b"$X0,1:\x03#22", [b"X0,1:\x03"], b"+"),
    ("escapes stay", b"$X0,1:}]#f9", [b"X0,1:}]"], b"+"),
    ("control bytes inside a frame", b"$X0,3:+-%#9e", [b"X0,3:+-%"], b"+"),
    ("runs are expanded", b"$0*~#d8", [b"0" * 98], b"+"),
    ("frame started over", b"$m1000,$qC#b4", [b"qC"], b"+"),
    ("frame started over twice", b"$a$b$qC#b4", [b"qC"], b"+"),
    ("frame started over in the checksum", b"$a#$qC#b4", [b"qC"], b"+"),
    ("frame started over in the second digit", b"$a#6$qC#b4", [b"qC"], b"+"),
    ("resend without anything sent", b"-", [], b""),
    ("oversize", b"$" + b"a" * 101 + b"#00", [OVERSIZE], b"+"),
    ("as large as allowed", wire.framed(b"a" * 100), [b"a" * 100], b"+"),
    ("oversize, then more", b"$" + b"a" * 300 + b"#00$qC#b4", [OVERSIZE, b"qC"], b"++"),
    ("oversize with control bytes", b"$" + b"\x03+-" * 50 + b"#00", [OVERSIZE], b"+"),
    ("oversize started over", b"$" + b"a" * 300 + b"$qC#b4", [b"qC"], b"+"),
    ("oversize started over in the checksum", b"$" + b"a" * 300 + b"#$qC#b4", [b"qC"], b"+"),
    ("oversize once expanded", b"$0*~0* #52", [OVERSIZE], b"+"),
]

BAD_CHECKSUMS: list[tuple[str, bytes, list[Item], bytes]] = [
    ("wrong", b"$qC#00", [b"qC"], b"-"),
    ("no digits", b"$qC#zz", [b"qC"], b"-"),
    ("signs and blanks", b"$qC# 4$g#+7", [b"qC", b"g"], b"--"),
    ("wrong, then right", b"$g#00$qC#b4", [b"g", b"qC"], b"-+"),
]

UNFINISHED = [b"$", b"$qC", b"$qC#", b"$qC#b", b"$" + b"a" * 300, b"$" + b"a" * 300 + b"#", b"$" + b"a" * 300 + b"#0"]


def whole(data: bytes) -> list[bytes]:
    return [data]


def byte_by_byte(data: bytes) -> list[bytes]:
    return [data[index : index + 1] for index in range(len(data))]


def in_sevens(data: bytes) -> list[bytes]:
    return [data[index : index + 7] for index in range(0, len(data), 7)]


CUTS = pytest.mark.parametrize("cut", [whole, byte_by_byte, in_sevens])
MODES = pytest.mark.parametrize("no_ack", [False, True], ids=["ack", "no-ack"])


def make(*, no_ack: bool = False) -> Framing:
    framing = Framing(max_packet=100)
    framing.no_ack = no_ack
    return framing


def feed(framing: Framing, pieces: Iterable[bytes]) -> list[Item]:
    return [item for piece in pieces for item in framing.receive(piece)]


@MODES
@CUTS
@pytest.mark.parametrize(("data", "items", "answer"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_arrives(
    data: bytes, items: list[Item], answer: bytes, cut: Callable[[bytes], list[bytes]], no_ack: bool
) -> None:
    framing = make(no_ack=no_ack)
    assert feed(framing, cut(data)) == items
    assert framing.out == (b"" if no_ack else answer)
    # Whatever came before, and whatever junk follows, the next packet is understood.
    assert feed(framing, cut(b"junk#00+$vCont?#49\x03")) == [b"vCont?", INTERRUPT]


@CUTS
@pytest.mark.parametrize(("data", "items", "answer"), [one[1:] for one in BAD_CHECKSUMS])
def test_checksums_count_in_ack_mode_only(
    data: bytes, items: list[Item], answer: bytes, cut: Callable[[bytes], list[bytes]]
) -> None:
    strict, lenient = make(), make(no_ack=True)
    accepted = [item for item, ack in zip(items, answer, strict=True) if ack == ord("+")]
    assert feed(strict, cut(data)) == accepted
    assert strict.out == answer
    assert feed(lenient, cut(data)) == items
    assert lenient.out == b""


@CUTS
@MODES
@pytest.mark.parametrize("start", UNFINISHED)
def test_an_unfinished_frame_gives_nothing_and_a_new_one_replaces_it(
    start: bytes, no_ack: bool, cut: Callable[[bytes], list[bytes]]
) -> None:
    framing = make(no_ack=no_ack)
    assert feed(framing, cut(start)) == []
    assert feed(framing, cut(b"$qC#b4")) == [b"qC"]


def test_an_oversize_packet_is_not_kept() -> None:
    framing = make(no_ack=True)
    feed(framing, [b"$", *[b"a" * 50] * 1000])
    assert len(framing._buffer) <= 101
    assert framing.receive(b"#00$qC#b4") == [OVERSIZE, b"qC"]


def test_a_reply_is_sent_again_until_it_is_acknowledged() -> None:
    framing = make()
    framing.send(b"OK")
    assert framing.out == b"$OK#9a"
    framing.out.clear()
    assert framing.receive(b"-") == [RESEND]
    assert framing.receive(b"-") == [RESEND]
    assert framing.out == b"$OK#9a" * 2
    framing.out.clear()
    assert framing.receive(b"+-") == []
    assert framing.out == b""


def on_a_socket() -> Framing:
    framing = make()
    framing.lossless = True
    return framing


@CUTS
def test_a_packet_that_was_sent_again_is_answered_once(cut: Callable[[bytes], list[bytes]]) -> None:
    """gdb's first packets, when the server is slow to answer: each comes again after 2 seconds."""
    framing = on_a_socket()
    assert feed(framing, cut(b"+$qC#b4$qC#b4")) == [b"qC"]
    framing.send(b"QC1")
    assert feed(framing, cut(b"$qC#b4")) == []
    assert framing.out == b"+$QC1#c5"
    assert feed(framing, cut(b"+$qC#b4")) == [b"qC"], "the reply was acknowledged: this is a packet of its own"
    framing.send(b"QC1")
    assert feed(framing, cut(b"$?#3f$qC#b4")) == [b"?", b"qC"]


def test_a_packet_that_was_sent_again_as_acknowledgements_end() -> None:
    framing = on_a_socket()
    assert framing.receive(b"+$QStartNoAckMode#b0") == [b"QStartNoAckMode"]
    framing.send(b"OK")
    framing.no_ack = True
    assert framing.receive(b"$QStartNoAckMode#b0") == []
    assert framing.receive(b"+$QStartNoAckMode#b0$qC#b4") == [b"QStartNoAckMode", b"qC"]
    assert framing.out == b"+$OK#9a"
    assert framing.receive(b"$qC#b4") == framing.receive(b"$qC#b4") == [b"qC"]


@pytest.mark.parametrize("lossless", [False, True])
def test_a_client_that_acknowledges_nothing_gets_every_reply(lossless: bool) -> None:
    framing = make()
    framing.lossless = lossless
    assert framing.receive(b"$qC#b4$qC#b4") == [b"qC", b"qC"]


def test_on_a_serial_line_what_was_sent_again_may_have_got_lost() -> None:
    framing = make()
    assert framing.receive(b"+$qC#b4$qC#b4") == [b"qC", b"qC"]


def test_the_switch_to_no_ack_mode() -> None:
    framing = make()
    assert framing.receive(b"$QStartNoAckMode#b0") == [b"QStartNoAckMode"]
    framing.send(b"OK")
    framing.no_ack = True
    assert framing.out == b"+$OK#9a"
    framing.out.clear()
    assert framing.receive(b"-") == [RESEND]
    assert framing.receive(b"+$qC#00") == [b"qC"]
    framing.send(b"QC1")
    assert framing.receive(b"-") == []
    assert framing.out == b"$OK#9a$QC1#c5"


def test_notifications_are_not_sent_again() -> None:
    framing = make()
    framing.notify("Stop", b"T05thread:p1.1;")
    name_and_body = b"Stop:T05thread:p1.1;"
    assert framing.out == b"%" + name_and_body + b"#" + wire.checksum(name_and_body)
    assert framing.receive(b"-") == []


def test_runs_are_only_encoded_when_asked_for() -> None:
    framing = make(no_ack=True)
    framing.send(b"0" * 16)
    framing.rle = True
    framing.send(b"0" * 16)
    assert framing.out == b"$0000000000000000#00$0*,#86"


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[first:second] for first, second in itertools.pairwise(edges)]


BODIES = st.lists(st.binary(max_size=100), max_size=6)
CUT_POINTS = st.lists(st.integers(0, 2000), max_size=8)
NOISE = st.lists(st.sampled_from([b"$", b"#", b"}", b"*", b"+", b"-", b"\x03", b"%", b"a", b"00", b"$qC#b4", b"*~"]))


@given(BODIES, CUT_POINTS, st.booleans())
def test_every_frame_gives_exactly_its_body(bodies: list[bytes], cuts: list[int], no_ack: bool) -> None:
    framing = Framing()
    framing.no_ack = no_ack
    data = b"".join(wire.framed(body) for body in bodies)
    assert feed(framing, pieces_of(data, cuts)) == [wire.escaped(body) for body in bodies]
    assert framing.out == (b"" if no_ack else b"+" * len(bodies))


@given(BODIES, st.booleans())
def test_what_is_sent_can_be_received(bodies: list[bytes], rle: bool) -> None:
    sender, receiver = Framing(), Framing()
    sender.rle = rle
    for body in bodies:
        sender.send(body)
    assert receiver.receive(bytes(sender.out)) == [wire.escaped(body) for body in bodies]


@given(NOISE.map(b"".join) | st.binary(max_size=400), CUT_POINTS, st.booleans())
def test_garbage_means_the_same_however_it_is_cut(data: bytes, cuts: list[int], no_ack: bool) -> None:
    at_once, in_pieces = make(no_ack=no_ack), make(no_ack=no_ack)
    assert feed(in_pieces, pieces_of(data, cuts)) == feed(at_once, [data])
    assert in_pieces.out == at_once.out
    assert feed(in_pieces, [b"$qC#b4"])[-1] == b"qC"
