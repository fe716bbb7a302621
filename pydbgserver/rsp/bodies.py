"""The side file of a transcript: its large bodies, each once, under names that their bytes give them.

Sans-IO. It is the line `FIRST_LINE` and for each body a line ``HASH:LENGTH SIZE``, SIZE bytes and a newline; leading
zeros of SIZE do not count, and a NUL stands behind the last record while the file is written. What is kept of a body
are its LENGTH bytes, or, if it is nothing but lower-case hexadecimal digits, the LENGTH / 2 bytes that they stand for.
HASH is XXH3's of 128 bits of that, as 32 hexadecimal digits. The SIZE bytes are what is kept, or a zlib stream of it.

In files of version 2 bodies are kept as they are. In those of version 1 HASH is the first 24 digits of the SHA-256,
too, and all are zlib streams.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydbgserver import native
from pydbgserver.rsp.codec import library
from pydbgserver.rsp.room import Room
from pydbgserver.rsp.transcript import TranscriptError

FIRST_LINE = b"pydbgserver bodies 3"
_FIRST_LINES = (FIRST_LINE, b"pydbgserver bodies 2", b"pydbgserver bodies 1")

BODY_OVERHEAD = library.RSP_BODY_OVERHEAD
"""How many bytes a record has at most beside its body."""

_XXH3_DIGITS = 32
_SHA256_DIGITS = 24


def _hash(kept: bytes) -> bytes:
    halves, name = native.ffi.new("uint64_t[2]"), native.ffi.new("uint8_t[]", library.RSP_BODY_NAME)
    library.rsp_hash(kept, len(kept), halves)
    library.rsp_body_name(halves, len(kept), name)
    digits: bytes = native.ffi.buffer(name)[:_XXH3_DIGITS]
    return digits


class Bodies:
    """A side file that is being written. `compiled` is the `rsp_bodies` of C."""

    __slots__ = ("_names", "compiled", "room")

    def __init__(self) -> None:
        self.compiled = native.ffi.new("rsp_bodies *")
        self.room = Room(self.compiled)
        self._names: Any = None
        self._have_slots(64)

    @property
    def end(self) -> int:
        """How many bytes are written."""
        end: int = self.compiled.end
        return end

    def begin(self) -> None:
        """Write the first line, for which there is room."""
        self.room.put(0, FIRST_LINE + b"\n")
        self.compiled.end = len(FIRST_LINE) + 1

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
    return {name: kept if len(kept) == _length(name) else kept.hex().encode() for name, kept in _kept(data, file)}


def _kept(data: bytes, file: str) -> Iterator[tuple[bytes, bytes]]:
    """Names and what is kept of each body."""
    for name, stored in _records(data, file):
        kept = stored if _is_name(name, stored) else _unpacked(name, stored, file)
        if not _is_name(name, kept):
            raise TranscriptError(file, 0, f"corrupted: {name.decode('latin-1')} is not the hash of its bytes")
        yield name, kept


def _records(data: bytes, file: str) -> Iterator[tuple[bytes, bytes]]:
    """Names and what is stored. A record cut short ends it, as does a NUL."""
    first, _, rest = data.partition(b"\n")
    if first not in _FIRST_LINES:
        raise TranscriptError(file, 1, f"not {FIRST_LINE.decode()!r} but {first[:60]!r}")
    view, at = memoryview(rest), 0
    while at < len(rest) and rest[at]:
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


def _length(name: bytes) -> int:
    return int(name.rpartition(b":")[2])


def _unpacked(name: bytes, stored: bytes, file: str) -> bytes:
    import zlib

    try:
        return zlib.decompress(stored)
    except zlib.error as error:
        if len(stored) in (_length(name), _length(name) / 2):
            return stored
        raise TranscriptError(file, 0, f"corrupted: {name.decode('latin-1')}: {error}") from None


def _is_name(name: bytes, kept: bytes) -> bool:
    digits = name.partition(b":")[0]
    if _length(name) not in (len(kept), 2 * len(kept)):
        return False
    if len(digits) == _SHA256_DIGITS:
        from hashlib import sha256

        return digits == sha256(kept).hexdigest()[:_SHA256_DIGITS].encode()
    return len(kept) >= library.RSP_LEAST_HASHED and digits == _hash(kept)


# Making small.


def packed(data: bytes, file: str) -> bytes:
    """The side file `data` with each body compressed that becomes smaller by it. Raises `TranscriptError`."""
    import zlib

    parts = [FIRST_LINE + b"\n"]
    for name, kept in _kept(data, file):
        small = zlib.compress(kept, 1)
        stored = small if len(small) < len(kept) else kept
        parts.append(b"%s %d\n%s\n" % (name, len(stored), stored))
    return b"".join(parts)
