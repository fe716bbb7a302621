"""The quick way through a socket while a client sends one packet after another and waits for each reply.

For connections without acknowledgements. A turn is two system calls (native/rsp_turn.c). Packets that only read a
stopped thread or an open file are answered in C (native/rsp_answer.c) when it is told which that is. Whatever is not
one plain packet is left to `Framing`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydbgserver import native
from pydbgserver.rsp.codec import FRAMED_OVERHEAD, RECEIVE_CAPACITY, Encoder, Wire, library
from pydbgserver.rsp.journal import Journal

REPLY_CAPACITY = 64 * 1024
"""The longest reply that is made or sent this way."""

MOST_REPEATS = 32
"""Packets that a conversation can carry out in C."""

FXSAVE_TAG_SPAN = (-2, 28 + 8 * 16)
"""What the x87 tag word is computed from, in bytes from the abridged tag."""

_new = native.ffi.new
_buffer = native.ffi.buffer
_NULL = native.ffi.NULL


class Piece(NamedTuple):
    """A row of `rsp_piece`: how one run of bytes of the block comes from a register set."""

    needs: int
    source: int
    target: int
    size: int
    op: int
    regset: int


class RegsetForm(NamedTuple):
    """A row of `rsp_regset`. `presence`: offset of the presence word, -1 without; `initial`: as long as the set."""

    type: int
    size: int
    presence: int = -1
    initial: bytes = b""


class RegisterLayout:
    """How the block of the ``g`` packet is put together from raw register sets, compiled for C.

    Every offset is checked here, once; C trusts them. Raises `ValueError` for a piece that lies outside.
    """

    __slots__ = ("_kept", "block_size", "compiled", "sizes")

    def __init__(self, pieces: Sequence[Piece], sets: Sequence[RegsetForm], block_size: int) -> None:
        if len(sets) > library.RSP_REGSETS:
            raise ValueError(f"{len(sets)} register sets, at most {library.RSP_REGSETS} are provided for")
        for piece in pieces:
            self._check(piece, sets, block_size)
        rows = _new("rsp_piece[]", [tuple(piece) for piece in pieces])
        images = [_new("uint8_t[]", one.initial) if one.initial else _NULL for one in sets]
        self._kept = (rows, images)
        self.block_size = block_size
        self.sizes = tuple(one.size for one in sets)
        self.compiled = _new("rsp_layout *")
        self.compiled.pieces, self.compiled.count = rows, len(pieces)
        self.compiled.block_size, self.compiled.sets = block_size, len(sets)
        for index, (one, image) in enumerate(zip(sets, images, strict=True)):
            self.compiled.set[index] = (one.type, one.size, one.presence, image)

    @staticmethod
    def _check(piece: Piece, sets: Sequence[RegsetForm], block_size: int) -> None:
        first, end, in_block = _extent(piece)
        inside = piece.regset in range(len(sets)) and first >= 0 and end <= sets[piece.regset].size
        if not inside or piece.target < 0 or piece.target + in_block > block_size:
            raise ValueError(f"register {piece} lies outside its buffers")
        regset = sets[piece.regset]
        if piece.needs and not (0 <= regset.presence <= regset.size - 8 and len(regset.initial) == regset.size):
            raise ValueError(f"register {piece} is optional, but its set says nothing of presence")

    def gather(self, *images: bytes) -> bytes:
        """The block. Bytes that no piece covers are zero. Raises `ValueError` for an image of another size."""
        if tuple(len(image) for image in images) != self.sizes:
            raise ValueError(f"register sets of {[len(image) for image in images]} bytes, need {self.sizes}")
        held = [native.ffi.from_buffer("uint8_t[]", image) for image in images]
        block = bytearray(self.block_size)
        library.rsp_gather(self.compiled, _new("uint8_t *[]", held), native.ffi.from_buffer(block))
        return bytes(block)


def _extent(piece: Piece) -> tuple[int, int, int]:
    """First byte and end of what a piece looks at in its register set, and its size in the block."""
    if piece.op == library.REGISTER_COPY:
        return piece.source, piece.source + piece.size, piece.size
    if piece.op == library.REGISTER_FTAG:
        return piece.source + FXSAVE_TAG_SPAN[0], piece.source + FXSAVE_TAG_SPAN[1], 4
    if piece.op == library.REGISTER_MASK11:
        return piece.source, piece.source + 2, 4
    if piece.op == library.REGISTER_ZX and 0 < piece.size <= 4:
        return piece.source, piece.source + piece.size, 4
    raise ValueError(f"no register operation {piece.op} of {piece.size} bytes")


class DirectReads(NamedTuple):
    """What C may answer by itself: the fields of `rsp_reads`.

    `read_memory` and `read_regset` are C functions, None to leave their packets; `identity` is the reply to ``qC``, ""
    to leave it. `files`: the client's numbers of open files and the descriptors, those of ``vFile:pread`` in
    hexadecimal.
    """

    read_memory: Any = None
    read_regset: Any = None
    pid: int = 0
    tid: int = 0
    registers: RegisterLayout | None = None
    identity: bytes = b""
    reads_binary: int = 0
    files: Sequence[tuple[int, int]] = ()


@dataclass(slots=True, eq=False)
class Repeat:
    """A packet body and how C carries it out: the fields of `rsp_repeat`.

    `account` notes elsewhere what that has changed; None: it lets the target run, and what comes of that has to be
    asked for.
    """

    body: bytes
    carry_out: Any
    arguments: Any
    account: Callable[[], None] | None = None


_NOWHERE = (1 << 64) - 1
"""Where no file is read."""


class Conversation:
    """Turns over the socket of `wire`. Raises `OSError` when that is no socket."""

    __slots__ = (
        "_always",
        "_c",
        "_in",
        "_kept",
        "_out",
        "_repeats",
        "_rows",
        "_texts",
        "rest",
        "unfinished",
        "unsent",
    )

    def __init__(self, wire: Wire, *, rle: bool, wait_us: int, most: int, journal: Journal | None = None) -> None:
        """`wait_us`: how long a turn waits for the next packet. `most`: how many packets it may answer by itself; they
        and their replies go into `journal`, and those that have no room there are handed over."""
        reply = _new("uint8_t[]", REPLY_CAPACITY)
        out = _new("uint8_t[]", 2 * REPLY_CAPACITY + FRAMED_OVERHEAD)
        self._c = c = _new("rsp_conversation *")
        c.descriptor, c.flags = wire.read_descriptor, library.RSP_RLE if rle else 0
        c.wait_us, c.most = wait_us, most
        c.reply, c.capacity = reply, REPLY_CAPACITY
        c.out, c.out_capacity = out, len(out)
        c.incoming, c.incoming_capacity = wire.room, RECEIVE_CAPACITY
        self._in, self._out = wire.view, _buffer(out)
        c.journal = _NULL if journal is None else journal.compiled
        self._always: tuple[Any, ...] = (wire, reply, out, journal)
        self._kept: tuple[Any, ...] = ()
        self.rest: bytes | None = None
        """After a turn without a packet: what came instead, None if nothing did in time, b"" at the end."""
        self.unsent = b""
        """After a turn without a packet: what could not be sent."""
        self.unfinished: Repeat | None = None
        """After a turn without a packet: what has been carried out, but for its reply."""
        self._rows = c.repeats = _new("rsp_repeat[]", MOST_REPEATS)
        self._repeats: Sequence[Repeat] = ()
        self._texts: list[object] = []
        result = library.rsp_converse(c)
        if result < 0:
            raise OSError(-result, os.strerror(-result))

    def read_directly(self, reads: DirectReads | None) -> None:
        """From now on answer these reads in C; None: hand every packet over."""
        self._c.reads = {}
        if reads is None:
            self._kept = ()
            return
        layout = reads.registers
        scratch = _new("uint8_t[]", sum(layout.sizes) + layout.block_size if layout else 1)
        identity = _new("uint8_t[]", reads.identity)
        files = _new("rsp_file[]", [(*file, _NOWHERE) for file in reads.files])
        self._kept = (layout, scratch, identity, files)
        self._c.reads = {
            "read_memory": reads.read_memory or _NULL,
            "read_regset": reads.read_regset or _NULL,
            "pid": reads.pid,
            "tid": reads.tid,
            "plain": self._c.out,  # It is free until the reply is framed.
            "registers": layout.compiled if layout else _NULL,
            "scratch": scratch,
            "identity": identity,
            "identity_size": len(reads.identity),
            "reads_binary": reads.reads_binary,
            "files": files,
            "files_count": len(reads.files),
        }

    def repeat(self, packets: Sequence[Repeat]) -> None:
        """From now on carry out these in C, and no others; at most `MOST_REPEATS`. A list may have grown since."""
        if packets is not self._repeats:
            self._c.repeats_count = 0
            if not packets:
                return
            self._repeats, self._texts = packets, []
        for index in range(len(self._texts), len(packets)):
            packet = packets[index]
            text = _new("uint8_t[]", packet.body)
            self._texts.append(text)
            self._rows[index] = (text, len(packet.body), packet.carry_out, packet.arguments, 0)
        self._c.repeats_count = len(packets)

    def take_repeated(self) -> list[tuple[int, Repeat]]:
        """What the last turns have repeated, in this order, with the number of each packet among those that they
        answered, from 1; a packet that came several times is there once."""
        if not self._c.repeated:
            return []
        self._c.repeated = 0
        rows = self._rows[0 : len(self._texts)]
        found = sorted((row.at, index) for index, row in enumerate(rows) if row.at)
        for _, index in found:
            rows[index].at = 0
        return [(number, self._repeats[index]) for number, index in found]

    def turn(self, body: bytes) -> bytes | None:
        """Reply with `body` and wait for the next packet; None if none came, see `rest` and `unsent`.

        Raises `OSError`.
        """
        size = library.rsp_turn(self._c, body, len(body))
        if size >= 0:
            packet: bytes = self._in[1 : size + 1]
            return packet
        self._explain(-1 - size, body)
        return None

    def take_answered(self) -> int:
        """How many packets the last turns have answered by themselves; counts from 0 again."""
        count: int = self._c.answered
        if count:
            self._c.answered = 0
        return count

    def _explain(self, status: int, body: bytes) -> None:
        self.rest, self.unsent, self.unfinished = None, b"", None
        if status == library.RSP_TURN_OTHER:
            self.rest = self._in[: self._c.count]
        elif status == library.RSP_TURN_NOT_SENT:
            self.unsent = self._out[self._c.count : self._c.framed]
        elif status == library.RSP_TURN_REPEATED:
            self.unfinished = self._repeats[self._c.count]
        elif status == library.RSP_TURN_TOO_LONG:
            self.unsent = Encoder().frame(body, self._c.flags)
        elif status != library.RSP_TURN_SILENCE:
            error = status - 999
            raise OSError(error, os.strerror(error))
