"""Which debug register waits for what: the same bookkeeping on every CPU.

A request of the client is split into chunks that one debug register each can hold; how, is the CPU's (``hwdebug_*``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Generic, NamedTuple, TypeVar

from pydbgserver.errors import NoDebugRegister

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


class SlotTable(Generic[Kind]):
    """`slots`: what each debug register holds, None in a free one.

    Requests that need the same chunk share a slot. A chunk keeps its slot as long as some request needs it.
    """

    def __init__(self, count: int, split: Callable[[str, int, int], Sequence[Chunk]]) -> None:
        """`split` gives the chunks of (kind, address, length); it raises `Unsupported` and `NoDebugRegister`."""
        self._split = split
        self._requests: dict[Watch[Kind], tuple[Chunk, ...]] = {}
        self.slots: list[Chunk | None] = [None] * count

    def insert(self, kind: Kind, address: int, length: int) -> bool:
        """Wait for `kind` at `length` bytes from `address`; whether register values have changed.

        The same request twice is the same as once. Raises `NoDebugRegister`, with nothing changed, when the
        slots do not suffice, and `Unsupported` for what the CPU cannot wait for.
        """
        watch = Watch(kind, address, length)
        if watch in self._requests:
            return False
        chunks = tuple(self._split(kind.value, address, length))
        missing = [chunk for chunk in chunks if chunk not in self.slots]
        free = [slot for slot, chunk in enumerate(self.slots) if chunk is None]
        if len(missing) > len(free):
            needed, count = len(missing), len(self.slots)
            raise NoDebugRegister(f"{needed} debug registers are needed, {len(free)} of {count} are free")
        self._requests[watch] = chunks
        for slot, chunk in zip(free, missing, strict=False):
            self.slots[slot] = chunk
        return bool(missing)

    def remove(self, kind: Kind, address: int, length: int) -> bool:
        """Undo `insert`; whether register values have changed. A request that was not made is no error."""
        if self._requests.pop(Watch(kind, address, length), None) is None:
            return False
        needed = {chunk for chunks in self._requests.values() for chunk in chunks}
        before = self.slots
        self.slots = [chunk if chunk in needed else None for chunk in before]
        return self.slots != before

    def clear(self) -> None:
        """Forget every request (an exec does so in the kernel)."""
        self._requests.clear()
        self.slots = [None] * len(self.slots)

    def watch_at(self, slot: int) -> Watch[Kind] | None:
        """The (first) request that uses `slot`, as the client made it; None if the slot is free."""
        chunk = self.slots[slot]
        if chunk is None:
            return None
        return next(watch for watch, chunks in self._requests.items() if chunk in chunks)
