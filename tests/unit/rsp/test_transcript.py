"""The format: what is written is what is read, and what is none says where."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pydbgserver.rsp.journal import Journal
from pydbgserver.rsp.transcript import (
    FIRST_LINE,
    Mark,
    TranscriptError,
    console_text,
    escape,
    format_header,
    format_later_header,
    parse,
    unescape,
)

HEAD = format_header({"server": "gdbserver", "match": "qC ignore\nm exact"})
SESSION = HEAD + b"0.000000 <- qC\n0.000012 -> QC1f\n"


@given(st.binary())
def test_bodies_come_back(body: bytes) -> None:
    text = escape(body)
    assert text.isascii()
    assert text.decode().isprintable()
    assert not text.endswith(b" ")
    assert not text.startswith(b"@")
    assert unescape(text) == body


def written(byte: int) -> bytes:
    """One byte inside a line, by docs/transcripts.md."""
    if byte in b"\\\n\r\t":
        return {b"\\": b"\\\\", b"\n": b"\\n", b"\r": b"\\r", b"\t": b"\\t"}[bytes([byte])]
    return bytes([byte]) if 0x20 <= byte <= 0x7E else b"\\x%02x" % byte


BODIES = st.binary(max_size=300) | st.text(" @a\\\n\x7f\xff", max_size=300).map(lambda text: text.encode("latin-1"))


@given(BODIES)
def test_each_byte_is_written_as_the_format_says(body: bytes) -> None:
    pieces = [written(byte) for byte in body]
    if body[-1:] == b" ":
        pieces[-1] = b"\\x20"
    if body[:1] == b"@":
        pieces[0] = b"\\x40"
    assert escape(body) == b"".join(pieces)


@given(st.lists(st.tuples(st.sampled_from([Mark.TO_SERVER, Mark.TO_CLIENT, Mark.OUTPUT]), st.binary()), max_size=8))
def test_sessions_come_back(said: list[tuple[Mark, bytes]]) -> None:
    journal, room = Journal(), bytearray(1 << 16)
    journal.room.enter(room)
    assert journal.add_text(HEAD)
    assert not any(journal.add(mark.value.encode(), body) for mark, body in said)
    transcript = parse(bytes(room[: journal.end]), "f")
    assert [(line.mark, line.body) for line in transcript.lines] == said


def test_header() -> None:
    transcript = parse(SESSION, "f")
    assert transcript.header == {"server": "gdbserver", "match": "qC ignore\nm exact"}
    assert transcript.duration_us == 12
    assert transcript.lines[1].text == "-> QC1f"


def test_whatever_a_session_is_cut_at_it_can_be_read() -> None:
    for end in range(len(HEAD), len(SESSION) + 1):
        assert len(parse(SESSION[:end], "f").lines) == SESSION[len(HEAD) : end].count(b"\n")
    assert len(parse(SESSION + b"\0" * 100, "f").lines) == 2


def test_what_turned_out_later_is_in_the_header() -> None:
    later = {"program": "/tmp/a b", "arguments": "'two\nlines' three"}
    transcript = parse(SESSION + format_later_header(later) + b"# no: header\n#x: neither\n", "f")
    assert transcript.header == parse(SESSION, "f").header | later
    assert [line.text for line in transcript.lines] == [line.text for line in parse(SESSION, "f").lines]


@pytest.mark.parametrize(
    ("data", "line", "why"),
    [
        (b"", 1, "not a transcript"),
        (b"hello\n", 1, "not a transcript"),
        (b"pydbgserver transcript 2\n\n", 1, "format '2'"),
        (FIRST_LINE.encode() + b"\nNo Header\n\n", 2, "neither"),
        (SESSION + b"#: No Header\n", len(SESSION.splitlines()) + 1, "neither"),
        (SESSION + b"0.000100 -> a\\q\n", len(SESSION.splitlines()) + 1, r"no escape \\q"),
        (SESSION + b"0.000100 => a\n", len(SESSION.splitlines()) + 1, "not a line"),
        (SESSION + b"0.000001 -> a\n", len(SESSION.splitlines()) + 1, "backwards"),
        (SESSION + b"0.000100 <! a\n", len(SESSION.splitlines()) + 1, "no body"),
        (SESSION + b"0.000100 -> @00:9\n", len(SESSION.splitlines()) + 1, "side file has no body 00:9"),
    ],
)
def test_what_is_no_transcript_says_where(data: bytes, line: int, why: str) -> None:
    with pytest.raises(TranscriptError, match=why) as caught:
        parse(data, "file.rsp")
    assert caught.value.line == line
    assert str(caught.value).startswith(f"file.rsp:{line}: ")


def test_logs_are_transcripts() -> None:
    log = b"[events] x\n1700.000100 [packets] <- qC\n1700.000300 [packets] -> QC1\n1700.000400 [packets] <!\n"
    transcript = parse(b"1700.000000 " + log, "log")
    assert [(line.time_us, line.text) for line in transcript.lines] == [(0, "<- qC"), (200, "-> QC1"), (300, "<!")]


def test_console_packets_that_can_be_made_again() -> None:
    assert console_text(b"O68690a") == b"hi\n"
    assert console_text(b"OK") is None
    assert console_text(b"O6A") is None
    assert console_text(b"O6") is None
