"""Register sets: what one PTRACE_GETREGSET or thread_get_state transfers, as the kernel lays it out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple


class Component(NamedTuple):
    """A part of a register set that is stored only while it is in use.

    `needs`: its bytes count when any of these bits of the presence word is
    set, else it has its initial value whatever the bytes say. `sets`: the bits
    to set when it is changed. `spans`: (offset, size) of its bytes.
    """

    needs: int
    sets: int
    spans: tuple[tuple[int, int], ...]

    def holds(self, offset: int) -> bool:
        """Whether the byte at `offset` of the register set belongs to this component."""
        return any(start <= offset < start + size for start, size in self.spans)


@dataclass(frozen=True, slots=True, eq=False)
class RegSet:
    """One register set: its `name`, the Linux note type (on a Mac the thread state's flavor), and `size` in bytes.

    A set with `components` has an 8-byte little-endian presence word at
    `presence_offset` and an image of all initial values, `initial`
    (XSAVE: XSTATE_BV, Intel SDM vol. 1, 13.4.2).
    """

    name: str
    nt_type: int
    size: int
    presence_offset: int = 0
    components: tuple[Component, ...] = ()
    initial: bytes = b""
    writable: bool = True
    """False: the kernel says what it is and lets nobody set it."""

    def component_at(self, offset: int) -> Component | None:
        """The component that holds the byte at `offset`; None: it is always stored."""
        return next((component for component in self.components if component.holds(offset)), None)

    def presence(self, data: bytes | bytearray) -> int:
        """The presence word."""
        start = self.presence_offset
        return int.from_bytes(data[start : start + 8], "little")

    def settled(self, data: bytes) -> bytearray:
        """A copy of `data` in which every absent component holds its initial bytes; the presence word is the same."""
        image = bytearray(data)
        if self.components:
            for start, end, initial in _absent_spans(self, self.presence(data)):
                image[start:end] = initial
        return image

    def mark_present(self, image: bytearray, offset: int) -> None:
        """Set the presence bits of the component at `offset`."""
        component = self.component_at(offset)
        if component is not None:
            start = self.presence_offset
            word = int.from_bytes(image[start : start + 8], "little") | component.sets
            image[start : start + 8] = word.to_bytes(8, "little")


@lru_cache(maxsize=64)
def _absent_spans(regset: RegSet, presence: int) -> tuple[tuple[int, int, bytes], ...]:
    """(start, end, initial bytes) of everything that is not stored under this presence word."""
    return tuple(
        (start, start + size, regset.initial[start : start + size])
        for component in regset.components
        if not component.needs & presence
        for start, size in component.spans
    )
