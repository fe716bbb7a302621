"""Turns over a socket, and the layout of the register block for C."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import closing

import pytest

from pydbgserver import native
from pydbgserver.rsp.codec import Wire, library
from pydbgserver.rsp.conversation import (
    REPLY_CAPACITY,
    Conversation,
    DirectReads,
    Piece,
    RegisterLayout,
    RegsetForm,
)
from pydbgserver.rsp.journal import LINE_OVERHEAD, Journal

COPY = library.REGISTER_COPY
XSTATE = RegsetForm(2, 512)
ONE, ZERO, INFINITE, DENORMAL, UNNORMAL = (
    struct.pack("<QH", mantissa, exponent)
    for mantissa, exponent in ((1 << 63, 0x3FFF), (0, 0), (1 << 63, 0x7FFF), (1, 0), (1, 0x3FFF))
)


def fxsave(top: int, tag: int, stack: list[bytes], opcode: int = 0) -> bytes:
    image = bytearray(512)
    struct.pack_into("<HHBxH", image, 0, 0x37F, top << 11, tag, opcode)
    for index, value in enumerate(stack):
        image[32 + 16 * index : 42 + 16 * index] = value
    return bytes(image)


@pytest.mark.parametrize(
    ("image", "full"),
    [
        (fxsave(0, 0, []), 0xFFFF),
        # After FLD1: TOP is 7, ST(0) is physical register 7.
        (fxsave(7, 0x80, [ONE]), 0x3FFF),
        (fxsave(6, 0xC0, [ZERO, ONE]), 0x1FFF),
        (fxsave(4, 0xF0, [ONE, INFINITE, DENORMAL, UNNORMAL]), 0b10_10_10_00_11111111),
        (fxsave(0, 0xFF, [ONE] * 8), 0),
    ],
)
def test_the_tag_word_is_rebuilt_from_the_registers(image: bytes, full: int) -> None:
    layout = RegisterLayout([Piece(0, 4, 0, 1, library.REGISTER_FTAG, 0)], [XSTATE], 4)
    assert layout.gather(image) == full.to_bytes(4, "little")


def test_opcode_and_narrow_fields() -> None:
    pieces = [Piece(0, 6, 0, 2, library.REGISTER_MASK11, 1), Piece(0, 1, 4, 2, library.REGISTER_ZX, 0)]
    layout = RegisterLayout(pieces, [RegsetForm(1, 4), XSTATE], 8)
    assert layout.gather(b"\xff\x34\x12\xff", fxsave(0, 0, [], 0xFFFF)) == b"\xff\x07\0\0\x34\x12\0\0"


def test_what_is_not_present_has_its_initial_value() -> None:
    optional = RegsetForm(2, 16, presence=8, initial=b"initial!" + bytes(8))
    layout = RegisterLayout([Piece(4, 0, 0, 8, COPY, 0)], [optional], 8)
    assert layout.gather(b"AAAABBBB" + (4).to_bytes(8, "little")) == b"AAAABBBB"
    assert layout.gather(b"AAAABBBB" + (3).to_bytes(8, "little")) == b"initial!"


@pytest.mark.parametrize(
    "piece",
    [
        Piece(0, 0, 5, 4, COPY, 0),
        Piece(0, 0, 0, 4, COPY, 2),
        Piece(0, 1, 0, 1, library.REGISTER_FTAG, 0),
        Piece(0, 0, 0, 5, library.REGISTER_ZX, 0),
        Piece(0, 0, 0, 4, 9, 0),
        Piece(0, 15, 0, 2, COPY, 0),
        Piece(1, 0, 0, 2, COPY, 0),
    ],
)
def test_a_layout_refuses_pieces_outside_of_their_buffers(piece: Piece) -> None:
    with pytest.raises(ValueError, match="register"):
        RegisterLayout([piece], [RegsetForm(1, 16)], 8)


def test_a_layout_refuses_images_of_another_size() -> None:
    layout = RegisterLayout([Piece(0, 8, 0, 8, COPY, 0)], [RegsetForm(1, 16)], 8)
    with pytest.raises(ValueError, match="need"):
        layout.gather(bytes(15))


@pytest.fixture
def pair() -> Iterator[tuple[Conversation, socket.socket]]:
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        theirs.settimeout(5)
        yield Conversation(Wire(ours.fileno()), rle=False, wait_us=1000, most=4), theirs


def test_a_turn_gives_the_next_packet(pair: tuple[Conversation, socket.socket]) -> None:
    talk, client = pair
    client.sendall(b"$qC#b4")
    assert talk.turn(b"OK") == b"qC"
    assert client.recv(100) == b"$OK#9a"


def test_a_turn_tells_what_came_instead(pair: tuple[Conversation, socket.socket]) -> None:
    talk, client = pair
    assert talk.turn(b"") is None
    assert (talk.rest, talk.unsent) == (None, b"")
    client.sendall(b"\x03")
    assert talk.turn(b"") is None
    assert talk.rest == b"\x03"
    client.shutdown(socket.SHUT_WR)
    assert talk.turn(b"") is None
    assert talk.rest == b""


def test_what_a_turn_cannot_send_is_kept(pair: tuple[Conversation, socket.socket]) -> None:
    talk, client = pair
    body = b"x" * REPLY_CAPACITY
    sent = b""
    while not talk.unsent:
        assert talk.turn(body) is None
        sent += b"$" + body
    client.setblocking(False)
    received = b""
    while chunk := _some(client):
        received += chunk
    assert received + talk.unsent == b"".join(b"$" + body + b"#00" for _ in range(len(sent) // (len(body) + 1)))


def _some(client: socket.socket) -> bytes:
    try:
        return client.recv(1 << 20)
    except BlockingIOError:
        return b""


def test_a_reply_that_is_too_long_is_left_to_others(pair: tuple[Conversation, socket.socket]) -> None:
    talk, _ = pair
    body = b"y" * (REPLY_CAPACITY + 1)
    assert talk.turn(body) is None
    assert talk.unsent[:4] == b"$yyy"
    assert len(talk.unsent) == len(body) + 4


def test_a_closed_connection_raises(pair: tuple[Conversation, socket.socket]) -> None:
    talk, client = pair
    client.close()
    with pytest.raises(BrokenPipeError):
        talk.turn(b"OK")


def test_what_a_turn_answers_is_in_the_journal_before_it_is_sent() -> None:
    ours, theirs = socket.socketpair()
    journal, room = Journal(), bytearray(4096)
    journal.room.enter(room)
    with closing(ours), closing(theirs):
        theirs.settimeout(5)
        talk = Conversation(Wire(ours.fileno()), rle=False, wait_us=1000, most=1000, journal=journal)
        talk.read_directly(DirectReads(native.ffi.NULL, native.ffi.NULL, 1, 1, identity=b"QC1"))
        written = 0
        while True:
            theirs.sendall(b"$qC#b4")
            left = talk.turn(b"OK")
            if left is not None:
                break
            assert theirs.recv(100) == b"$OK#9a$QC1#c5"
            lines = bytes(room[written : journal.end]).splitlines()
            assert [line.partition(b" ")[2] for line in lines] == [b"<- qC", b"-> QC1"]
            written = journal.end
        # No room is left: it is for somebody else, and nothing is written.
        assert (left, journal.end) == (b"qC", written)
        assert len(room) - written < 2 * LINE_OVERHEAD + 4 * 5
        journal.room.leave()
        theirs.sendall(b"$qC#b4")
        assert talk.turn(b"OK") is None, "without a journal it is answered as ever"


def test_a_pipe_is_no_socket() -> None:
    ends = os.pipe()
    try:
        with pytest.raises(OSError, match="socket"):
            Conversation(Wire(*ends), rle=False, wait_us=1000, most=4)
    finally:
        for end in ends:
            os.close(end)
