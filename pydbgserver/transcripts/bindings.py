"""What was recorded and what it is now: process ids, thread ids, addresses and random values."""

from __future__ import annotations

import re

from pydbgserver.rsp.codec import unescape
from pydbgserver.transcripts.specs import BREAKPOINT_PACKETS, packet_name

NEAR = 24
"""Addresses that are the same but for so many low bits have moved by the same distance."""
LOWEST_ID = 9
LOWEST_ADDRESS = 0x10000
HIGHEST_ADDRESS = 1 << 47
WORD, HALF = 8, 4

_HEX = re.compile(rb"(?<![0-9a-zA-Z])(?:p)?([0-9a-f]{2,16})(?:\.([0-9a-f]{2,16}))?(?![0-9a-zA-Z])")

# Packets of the client whose numbers are ids, and those whose numbers are addresses.
WITH_IDS = frozenset(
    [
        "Hg",
        "Hc",
        "T",
        "D",
        "vKill",
        "vAttach",
        "vCont",
        "qAttached",
        "qThreadExtraInfo",
        "qThreadStopInfo",
        "qXfer:exec-file:read",
        "vFile:setfs",
        "p",
        "g",
        "G",
        "P",
        "QSaveRegisterState",
        "QRestoreRegisterState",
        "qProcessInfoPID",
        "qGetTLSAddr",
        "vCont;",
    ]
)
WITH_ADDRESSES = frozenset(
    [
        "m",
        "x",
        "M",
        "X",
        *BREAKPOINT_PACKETS,
        "qMemoryRegionInfo",
        "vCont",
        "qCRC",
        "qSearch:memory",
    ]
)


WITH_DATA = frozenset({"P", "G", "M", "X"})
WITH_FILE = frozenset({"vFile:pread", "vFile:pwrite", "vFile:fstat", "vFile:close"})

_FILE = re.compile(rb"(?<=:)[0-9a-f]+")

_JSON_THREAD = re.compile(rb'("thread":)([0-9]+)')

_ESCAPED = re.compile(rb"[#$}*]")


def escape_binary(data: bytes) -> bytes:
    """Binary data as a client writes it."""
    return _ESCAPED.sub(lambda match: bytes((0x7D, match[0][0] ^ 0x20)), data)


class Bindings:
    """What was recorded and what it is now."""

    def __init__(self) -> None:
        self.ids: dict[int, int] = {}
        self.values: dict[int, int] = {}
        self.texts: list[tuple[bytes, bytes]] = []
        self._files: dict[bytes, bytes] = {}
        self._moves: dict[int, int] = {}

    # Ids.

    def same_id(self, recorded: int, actual: int) -> bool:
        """Whether these may be the same process or thread; binds them."""
        if recorded not in self.ids:
            self.ids[recorded] = actual
            if recorded != actual and recorded > LOWEST_ID:
                # Paths below /proc name processes and threads in decimal.
                pair = b"/%d" % recorded, b"/%d" % actual
                self.texts += [pair, (pair[0].hex().encode(), pair[1].hex().encode())]
        return self.ids[recorded] == actual

    # Files.

    def open_file(self, recorded: bytes, actual: bytes) -> None:
        """Binds the numbers in two replies to `vFile:open`, in the client's digits, until the first is given again."""
        if recorded[:1] == actual[:1] == b"F" and recorded[1:2] != b"-" and actual[1:2] != b"-":
            self._files[recorded[1:]] = actual[1:]

    # Addresses.

    def moved(self, recorded: int) -> int | None:
        """How far what was at `recorded` has moved, None if nothing near it is known."""
        place = recorded >> NEAR
        return next((self._moves[one] for one in (place, place + 1, place - 1) if one in self._moves), None)

    def same_address(self, recorded: int, actual: int) -> bool:
        """Whether these may be the same place; binds them."""
        move = self.moved(recorded)
        if move is None:
            self._moves[recorded >> NEAR] = actual - recorded
            return True
        return actual - recorded == move

    def same_word(self, recorded: int, actual: int) -> bool:
        """Whether a word of memory or a register may have the same meaning."""
        if recorded == actual:
            if LOWEST_ADDRESS <= recorded < HIGHEST_ADDRESS:
                self._moves.setdefault(recorded >> NEAR, 0)
            return True
        if self.ids.get(recorded & 0xFFFFFFFF) == actual & 0xFFFFFFFF:
            return True
        if all(LOWEST_ADDRESS <= one < HIGHEST_ADDRESS for one in (recorded, actual)):
            return self.same_address(recorded, actual)
        # A stack protector's value: random but for its first byte, which ends strings.
        if all(one >= HIGHEST_ADDRESS and one & 0xFF == 0 for one in (recorded, actual)):
            return self.values.setdefault(recorded, actual) == actual
        return False

    # What the client says now.

    def translate(self, body: bytes) -> bytes:
        """A recorded packet of the client, for this run."""
        name = packet_name(body)
        for recorded, actual in self.texts:
            body = body.replace(recorded, actual)
        if name in WITH_IDS and any(key != value for key, value in self.ids.items()):
            start = len(name) if name != "vCont" else 5
            body = body[:start] + _HEX.sub(self._translate_id, b":" + body[start:])[1:]
        if name in WITH_FILE:
            start = len(name)
            body = body[:start] + _FILE.sub(lambda match: self._files.get(match[0], match[0]), body[start:], count=1)
        if name == "jThreadExtendedInfo":
            body = _JSON_THREAD.sub(self._translate_decimal, body)
        if name in WITH_ADDRESSES and any(self._moves.values()):
            start = 1 if len(name) == 1 else len(name)
            head, colon, data = body.partition(b":") if name in ("M", "X") else (body, b"", b"")
            body = head[:start] + _HEX.sub(self._translate_address, b":" + head[start:])[1:] + colon + data
        if name in WITH_DATA and any(self._moves.values()):
            body = self._translate_data(name, body)
        return body

    def _translate_data(self, name: str, body: bytes) -> bytes:
        """What the client writes, with the addresses in it moved."""
        start = body.index({"P": b"=", "G": b"G"}.get(name, b":")) + 1
        data, _, suffix = body[start:].partition(b";thread:") if name != "X" else (unescape(body[start:]), b"", b"")
        if name != "X":
            try:
                data = bytes.fromhex(data.decode("ascii"))
            except ValueError:
                return body
        moved = self._move_words(data)
        if moved == data:
            return body
        written = escape_binary(moved) if name == "X" else moved.hex().encode()
        return body[:start] + written + (b";thread:" + suffix if suffix else b"")

    def _move_words(self, data: bytes) -> bytes:
        out, start = bytearray(data), 0
        while start + WORD <= len(data):
            value = int.from_bytes(data[start : start + WORD], "little")
            move = self.moved(value) if LOWEST_ADDRESS <= value < HIGHEST_ADDRESS else None
            if move:
                out[start : start + WORD] = (value + move).to_bytes(WORD, "little")
            start += WORD if move is not None else HALF
        return bytes(out)

    def _translate_id(self, match: re.Match[bytes]) -> bytes:
        def one(digits: bytes) -> bytes:
            value = int(digits, 16)
            return b"%x" % self.ids[value] if value in self.ids else digits

        text = match[0]
        prefix = b"p" if text[:1] == b"p" else b""
        return prefix + one(match[1]) + (b"." + one(match[2]) if match[2] else b"")

    def _translate_decimal(self, match: re.Match[bytes]) -> bytes:
        value = int(match[2])
        return match[1] + b"%d" % self.ids.get(value, value)

    def _translate_address(self, match: re.Match[bytes]) -> bytes:
        if match[0][:1] == b"p" or match[2]:
            return match[0]
        value = int(match[1], 16)
        move = self.moved(value) if value >= LOWEST_ADDRESS else None
        return b"%x" % (value + move) if move else match[0]
