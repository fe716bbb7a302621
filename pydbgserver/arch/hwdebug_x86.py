"""The debug registers of x86: four addresses (DR0 to DR3), DR7 to control them, DR6 to say which one fired.

Source: Intel SDM vol. 3, chapter 18.2. Pure values; the backend writes them.
There is no way to wait for reads alone, and a register watches 1, 2, 4 or 8
bytes at an address that is a multiple of the length.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Generic, NamedTuple, TypeVar

from pydbgserver.errors import NoDebugRegister, Unsupported

SLOTS = 4
LENGTHS = (8, 4, 2, 1)

_RW = {"execute": 0b00, "write": 0b01, "access": 0b11}
_KIND_NAMES = {code: name for name, code in _RW.items()}
_LEN = {1: 0b00, 2: 0b01, 4: 0b11, 8: 0b10}
_LENGTHS_BY_CODE = {code: length for length, code in _LEN.items()}

Kind = TypeVar("Kind", bound=Enum)
"""An enumeration whose values are "execute", "write", "read" and "access"."""


class Chunk(NamedTuple):
    """What one debug register can hold: `kind` is a value of `Kind`."""

    kind: str
    address: int
    length: int


class Watch(NamedTuple, Generic[Kind]):
    """A request as the client made it."""

    kind: Kind
    address: int
    length: int


def split_range(address: int, length: int) -> list[tuple[int, int]]:
    """The range as the fewest (address, length) pairs that one debug register each can watch."""
    chunks = []
    end = address + length
    while address < end:
        size = next(size for size in LENGTHS if address % size == 0 and size <= end - address)
        chunks.append((address, size))
        address += size
    return chunks


def split_request(kind: str, address: int, length: int) -> list[Chunk]:
    """The registers that a request needs. An execute register always has length 1 (SDM 18.2.4).

    Raises `Unsupported` for "read" and `NoDebugRegister` for what can never fit.
    """
    if kind not in _RW:
        raise Unsupported(f"x86 has no debug register for {kind} watchpoints")
    if kind == "execute":
        return [Chunk(kind, address, 1)]
    if not 0 < length <= SLOTS * max(LENGTHS):
        raise NoDebugRegister(f"the debug registers cannot watch {length} bytes")
    return [Chunk(kind, start, size) for start, size in split_range(address, length)]


def encode_control(slots: Sequence[Chunk | None]) -> int:
    """DR7 for what each slot holds (local enable bits; the kernel makes them per thread)."""
    control = 0
    for slot, chunk in enumerate(slots):
        if chunk is not None:
            control |= 1 << 2 * slot
            control |= (_RW[chunk.kind] | _LEN[chunk.length] << 2) << 16 + 4 * slot
    return control


def decode_control(control: int, addresses: Sequence[int]) -> list[Chunk | None]:
    """What each slot holds; None where it is neither locally nor globally enabled."""
    slots: list[Chunk | None] = []
    for slot, address in enumerate(addresses):
        code = control >> 16 + 4 * slot & 0xF
        kind = _KIND_NAMES.get(code & 0b11)
        enabled = control >> 2 * slot & 0b11
        slots.append(Chunk(kind, address, _LENGTHS_BY_CODE[code >> 2]) if enabled and kind else None)
    return slots


def triggered_slot(status: int, control: int) -> int | None:
    """The lowest enabled slot that DR6 (`status`) reports; the CPU may report disabled ones too (SDM 18.2.3)."""
    for slot in range(SLOTS):
        if status >> slot & 1 and control >> 2 * slot & 0b11:
            return slot
    return None


class DebugRegisters(Generic[Kind]):
    """What is being waited for, and the register values for it: `addresses` (DR0 to DR3) and `control` (DR7).

    Requests that need the same chunk share a slot. A chunk keeps its slot as long as some request needs it.
    """

    def __init__(self) -> None:
        self._requests: dict[Watch[Kind], tuple[Chunk, ...]] = {}
        self._slots: list[Chunk | None] = [None] * SLOTS

    @property
    def addresses(self) -> tuple[int, ...]:
        """DR0 to DR3; 0 in a free slot."""
        return tuple(0 if chunk is None else chunk.address for chunk in self._slots)

    @property
    def control(self) -> int:
        """DR7."""
        return encode_control(self._slots)

    def insert(self, kind: Kind, address: int, length: int) -> bool:
        """Wait for `kind` at `length` bytes from `address`; whether register values have changed.

        The same request twice is the same as once. Raises `NoDebugRegister`, with nothing changed, when the
        slots do not suffice, and `Unsupported` for reads.
        """
        watch = Watch(kind, address, length)
        if watch in self._requests:
            return False
        chunks = tuple(split_request(kind.value, address, length))
        missing = [chunk for chunk in chunks if chunk not in self._slots]
        free = [slot for slot, chunk in enumerate(self._slots) if chunk is None]
        if len(missing) > len(free):
            raise NoDebugRegister(f"{len(missing)} debug registers are needed, {len(free)} of {SLOTS} are free")
        self._requests[watch] = chunks
        for slot, chunk in zip(free, missing, strict=False):
            self._slots[slot] = chunk
        return bool(missing)

    def remove(self, kind: Kind, address: int, length: int) -> bool:
        """Undo `insert`; whether register values have changed. A request that was not made is no error."""
        if self._requests.pop(Watch(kind, address, length), None) is None:
            return False
        needed = {chunk for chunks in self._requests.values() for chunk in chunks}
        before = self._slots
        self._slots = [chunk if chunk in needed else None for chunk in before]
        return self._slots != before

    def clear(self) -> None:
        """Forget every request (an exec does so in the kernel)."""
        self._requests.clear()
        self._slots = [None] * SLOTS

    def watch_at(self, slot: int) -> Watch[Kind] | None:
        """The (first) request that uses `slot`, as the client made it; None if the slot is free."""
        chunk = self._slots[slot]
        if chunk is None:
            return None
        return next(watch for watch, chunks in self._requests.items() if chunk in chunks)
