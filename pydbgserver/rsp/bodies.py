"""The side file of a transcript: its large bodies, each once, under names that their bytes give them.

Sans-IO. It is the line `FIRST_LINE` and for each body a line ``HASH:LENGTH SIZE``, SIZE bytes and a newline. HASH is
XXH3's of 128 bits, as 32 hexadecimal digits. The bytes are the body's, as they are while it is recorded, or, if SIZE is
less than LENGTH, a zlib stream of them. In files of version 1 HASH is the first 24 digits of the SHA-256, and all are
zlib streams.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from pydbgserver import native
from pydbgserver.rsp.codec import library
from pydbgserver.rsp.transcript import TranscriptError

FIRST_LINE = b"pydbgserver bodies 2"
_FIRST_LINES = (FIRST_LINE, b"pydbgserver bodies 1")

_LEAST_HASHED = 241
_SHA256_DIGITS = 24


def body_name(body: bytes) -> bytes:
    """The name of `body`, of at least 241 bytes: digits of its hash and its length."""
    halves, name = native.ffi.new("uint64_t[2]"), native.ffi.new("uint8_t[]", library.RSP_BODY_NAME)
    library.rsp_hash(body, len(body), halves)
    text: bytes = native.ffi.buffer(name)[: library.rsp_body_name(halves, len(body), name)]
    return text


class Bodies:
    """A side file that is being written. `compiled` is the `rsp_bodies` of C."""

    __slots__ = ("_names", "compiled")

    def __init__(self) -> None:
        self.compiled = native.ffi.new("rsp_bodies *")
        self._names: Any = None
        self._have_slots(64)

    @property
    def end(self) -> int:
        """How many bytes are written."""
        end: int = self.compiled.end
        return end

    def begin(self, descriptor: int) -> None:
        """Write the first line there, and from now on the bodies. Raises `OSError`."""
        self.compiled.end = os.write(descriptor, FIRST_LINE + b"\n")
        self.compiled.descriptor = descriptor

    def leave(self) -> None:
        """Nothing more is written."""
        self.compiled.descriptor = 0

    def make_place(self) -> None:
        """See to it that one more name can be remembered."""
        if 2 * (self.compiled.count + 1) > self.compiled.slots:
            self._have_slots(4 * self.compiled.slots)

    def _have_slots(self, count: int) -> None:
        names = native.ffi.new("uint64_t[]", 2 * count)
        library.rsp_move_names(self.compiled, names, count)
        self._names = names  # C has its address only.


# Reading.


def parse_bodies(data: bytes, file: str) -> dict[bytes, bytes]:
    """The bodies of a side file by their names. Raises `TranscriptError`."""
    bodies: dict[bytes, bytes] = {}
    for name, stored in _records(data, file):
        body = _unpacked(name, stored, file)
        if not _is_name(name, body):
            raise TranscriptError(file, 0, f"corrupted: {name.decode('latin-1')} is not the hash of its bytes")
        bodies[name] = body
    return bodies


def _records(data: bytes, file: str) -> Iterator[tuple[bytes, bytes]]:
    """Names and what is stored. A record cut short ends it."""
    first, _, rest = data.partition(b"\n")
    if first not in _FIRST_LINES:
        raise TranscriptError(file, 1, f"not {FIRST_LINE.decode()!r} but {first[:60]!r}")
    view, at = memoryview(rest), 0
    while at < len(rest):
        newline = rest.find(b"\n", at)
        if newline < 0:
            return
        name, _, size = rest[at:newline].partition(b" ")
        if not size.isdigit() or not name.rpartition(b":")[2].isdigit():
            raise TranscriptError(file, 0, f"corrupted: {rest[at:newline][:60]!r} does not begin a record")
        start, at = newline + 1, newline + 1 + int(size) + 1
        if at - 1 > len(rest):
            return
        yield name, bytes(view[start : at - 1])


def _unpacked(name: bytes, stored: bytes, file: str) -> bytes:
    import zlib

    if len(stored) == int(name.rpartition(b":")[2]):
        return stored
    try:
        return zlib.decompress(stored)
    except zlib.error as error:
        raise TranscriptError(file, 0, f"corrupted: {name.decode('latin-1')}: {error}") from None


def _is_name(name: bytes, body: bytes) -> bool:
    if name.find(b":") == _SHA256_DIGITS:
        from hashlib import sha256

        return name == b"%s:%d" % (sha256(body).hexdigest()[:_SHA256_DIGITS].encode(), len(body))
    return len(body) >= _LEAST_HASHED and name == body_name(body)


# Making small.


def packed(data: bytes, file: str) -> bytes:
    """The side file `data` with each body compressed that becomes smaller by it. Raises `TranscriptError`."""
    import zlib

    parts = [FIRST_LINE + b"\n"]
    for name, body in parse_bodies(data, file).items():
        small = zlib.compress(body, 1)
        stored = small if len(small) < len(body) else body
        parts.append(b"%s %d\n%s\n" % (name, len(stored), stored))
    return b"".join(parts)
