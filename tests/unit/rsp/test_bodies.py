"""Side files: what is in them, and what is wrong with them."""

from __future__ import annotations

import errno
import random
import zlib
from functools import partial
from hashlib import sha256

import pytest

from pydbgserver import native
from pydbgserver.rsp.bodies import BODY_OVERHEAD, FIRST_LINE, Bodies, packed, parse_bodies
from pydbgserver.rsp.codec import library
from pydbgserver.rsp.journal import Journal
from pydbgserver.rsp.transcript import LONGEST_LINE, TranscriptError, format_header, parse

BODIES = [number.to_bytes(2) * LONGEST_LINE for number in range(300)]


def body_name(body: bytes) -> bytes:
    halves, name = native.ffi.new("uint64_t[2]"), native.ffi.new("uint8_t[]", library.RSP_BODY_NAME)
    library.rsp_hash(body, len(body), halves)
    return bytes(native.ffi.buffer(name)[: library.rsp_body_name(halves, len(body), name)])


def record(name: bytes, stored: bytes) -> bytes:
    return b"%s %d\n%s\n" % (name, len(stored), stored)


def side_file(*records: bytes, first: bytes = FIRST_LINE) -> bytes:
    return first + b"\n" + b"".join(records)


def of_version_1(body: bytes) -> tuple[bytes, bytes]:
    name = b"%s:%d" % (sha256(body).hexdigest()[:24].encode(), len(body))
    return name, record(name, zlib.compress(body))


def test_what_is_written_is_read() -> None:
    journal, bodies, text, side = Journal(), Bodies(), bytearray(1 << 20), bytearray(8 << 20)
    journal.room.enter(text)
    journal.add_text(format_header({}))
    assert journal.add(b"->", BODIES[0]) == -errno.ENOSPC
    bodies.room.enter(side)
    bodies.begin()
    journal.keep_in(bodies)
    for body in BODIES * 2:
        bodies.make_place()
        assert not journal.add(b"->", body)
    whole = sum(map(len, BODIES))
    assert whole < bodies.end <= len(FIRST_LINE) + 1 + whole + len(BODIES) * BODY_OVERHEAD
    for data in (bytes(side), bytes(side[: bodies.end]), packed(bytes(side), "f")):
        lines = parse(bytes(text[: journal.end]), "f", partial(parse_bodies, data, "f.bodies")).lines
        assert [line.body for line in lines] == BODIES * 2
    assert len(packed(bytes(side), "f")) < bodies.end // 10
    bodies.room.leave()
    assert journal.add(b"->", BODIES[0]) == -errno.ENOSPC


def test_of_hexadecimal_digits_the_bytes_are_kept() -> None:
    bodies, side, journal = Bodies(), bytearray(1 << 20), Journal()
    journal.room.enter(bytearray(1 << 16))
    bodies.room.enter(side)
    bodies.begin()
    journal.keep_in(bodies)
    plain = random.Random(1).randbytes(LONGEST_LINE)
    said = [plain.hex().encode(), plain.hex().upper().encode(), plain.hex().encode() + b"0"]
    for body in said:
        bodies.make_place()
        assert not journal.add(b"->", body)
    kept = bytes(side[: bodies.end])
    assert 5 * len(plain) < len(kept) <= len(FIRST_LINE) + 1 + 5 * len(plain) + 1 + 3 * BODY_OVERHEAD
    for data in (kept, packed(kept, "f")):
        assert list(parse_bodies(data, "f").values()) == said
    assert len(packed(kept, "f")) < len(kept)


def test_a_body_that_cannot_be_made_smaller_stays() -> None:
    noise = b"".join(sha256(b"%d" % number).digest() for number in range(300))
    side = side_file(record(body_name(noise), noise))
    assert packed(side, "f") == side


def test_earlier_versions_are_read() -> None:
    name, one = of_version_1(BODIES[0])
    assert parse_bodies(side_file(one, first=b"pydbgserver bodies 1"), "f") == {name: BODIES[0]}
    digits = BODIES[0].hex().encode()
    for body in (BODIES[0], digits):
        for stored in (body, zlib.compress(body)):
            side = side_file(record(body_name(body), stored), first=b"pydbgserver bodies 2")
            assert parse_bodies(side, "f") == {body_name(body): body}


@pytest.mark.parametrize("missing", [1, 2, 5000, 2 * LONGEST_LINE + 20])
def test_a_side_file_cut_short_keeps_what_is_whole(missing: int) -> None:
    names = [body_name(body) for body in BODIES[:2]]
    records = [record(name, body) for name, body in zip(names, BODIES, strict=False)]
    side = side_file(*records)[:-missing]
    assert parse_bodies(side, "f") == dict(zip(names[: 2 if missing == 1 else 1], BODIES, strict=False))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"pydbgserver bodies 4\n", "f:1: not 'pydbgserver bodies 3' but b'pydbgserver bodies 4'"),
        (side_file(b"hello world\n"), "does not begin a record"),
        (side_file(b"hello:5 world\n"), "does not begin a record"),
        (side_file(record(body_name(BODIES[0]), BODIES[1])), "is not the hash of its bytes"),
        (side_file(record(body_name(BODIES[0]), zlib.compress(BODIES[1]))), "is not the hash of its bytes"),
        (side_file(record(body_name(BODIES[0]), b"no stream")), "corrupted: .* incorrect header"),
        (side_file(record(of_version_1(BODIES[0])[0], zlib.compress(BODIES[1]))), "is not the hash of its bytes"),
        (side_file(record(b"0" * 32 + b":5", b"short")), "is not the hash of its bytes"),
    ],
)
def test_a_corrupted_side_file(data: bytes, why: str) -> None:
    with pytest.raises(TranscriptError, match=why):
        parse_bodies(data, "f")
