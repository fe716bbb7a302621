"""The block of all registers (the ``g`` packet): which bytes come from where, and gathering them quickly.

`pieces` is the whole truth as data, ready for ``rsp_gather`` of the native
code. `BlockPlan` runs it in Python: neighbouring pieces become one step, and
steps are chosen by what CPython does in one call:

- a long piece is one slice;
- short ones out of the same 256 bytes are one ``bytes.translate``: the
  positions are the string, the window of the register set is the table, so
  every position is replaced by the byte that lies there;
- short ones further apart, in ascending order, are one ``struct`` unpacking;
- where something is computed (x87), the step is memoised on its window, which
  hardly ever changes in programs that compute with SSE;
- what is in its initial state is a constant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from operator import itemgetter
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from pydbgserver.arch.fields import Op, decode, source_span

if TYPE_CHECKING:
    from pydbgserver.arch.model import Reg
    from pydbgserver.arch.regset import Component, RegSet

WINDOW = 256
_LONG = 64
_MAX_COMPILED = 64

Step: TypeAlias = tuple[int, Callable[[bytes], bytes]]
"""(index of the register set, function from its bytes to bytes of the block)."""


class Piece(NamedTuple):
    """`size` stored bytes at `source` of register set number `regset`, seen from `target` on in the block."""

    op: Op
    regset: int
    source: int
    target: int
    size: int


def block_offsets(registers: Sequence[Reg]) -> tuple[int, ...]:
    """Where each register starts in the block; one more entry at the end, the block's size."""
    return tuple(accumulate((register.width for register in registers), initial=0))


def pieces(registers: Sequence[Reg], regsets: Sequence[RegSet]) -> tuple[Piece, ...]:
    """The block's layout, neighbouring copies merged; no piece reaches over the border of a component."""
    index = {regset.name: number for number, regset in enumerate(regsets)}
    merged: list[Piece] = []
    for register, target in zip(registers, block_offsets(registers), strict=False):
        number = index[register.regset]
        piece = Piece(register.op, number, register.offset, target, register.stored)
        last = merged[-1] if merged else None
        if last is not None and _continues(last, piece, regsets[number]):
            merged[-1] = last._replace(size=last.size + piece.size)
        else:
            merged.append(piece)
    return tuple(merged)


def _continues(last: Piece, piece: Piece, regset: RegSet) -> bool:
    return (
        last.op is piece.op is Op.COPY
        and last.regset == piece.regset
        and last.source + last.size == piece.source
        and regset.component_at(last.source) is regset.component_at(piece.source)
    )


def _span(group: Sequence[Piece]) -> tuple[int, int]:
    """Start and end of what a group needs to see of its register set."""
    spans = [source_span(piece.op, piece.source, piece.size) for piece in group]
    return min(start for start, _ in spans), max(end for _, end in spans)


def _is_one_step(group: Sequence[Piece]) -> bool:
    """Whether a translate, a memoised window or an unpack can serve all pieces of `group`."""
    low, high = _span(group)
    if high - low <= WINDOW:
        return True
    ascending = all(before.source + before.size <= after.source for before, after in pairwise(group))
    return ascending and all(piece.op is Op.COPY for piece in group)


def _groups(plan: Sequence[Piece], regsets: Sequence[RegSet]) -> list[tuple[Component | None, list[Piece]]]:
    """Runs of pieces that one step can serve, each with the component that they all belong to."""
    groups: list[tuple[Component | None, list[Piece]]] = []
    for piece in plan:
        component = regsets[piece.regset].component_at(piece.source)
        if groups and groups[-1][0] is component:
            group = groups[-1][1]
            short = group[-1].size < _LONG > piece.size
            if short and group[-1].regset == piece.regset and _is_one_step([*group, piece]):
                group.append(piece)
                continue
        groups.append((component, [piece]))
    return groups


def _decode_all(group: Sequence[Piece], image: bytes, base: int = 0) -> bytes:
    return b"".join([decode(piece.op, image, piece.source - base, piece.size) for piece in group])


def _step(group: Sequence[Piece]) -> Callable[[bytes], bytes]:
    """One function for a group whose component is stored."""
    low, high = _span(group)
    if any(piece.op is not Op.COPY for piece in group):
        return _computed(group, low, high)
    if len(group) == 1:
        return itemgetter(slice(low, high))
    if high - low > WINDOW:
        unpack = _unpacker(group)
        return lambda image: b"".join(unpack(image, low))
    positions = bytes(piece.source - low + byte for piece in group for byte in range(piece.size))
    return lambda image: positions.translate(image[low : low + WINDOW].ljust(WINDOW))


def _computed(group: Sequence[Piece], low: int, high: int) -> Callable[[bytes], bytes]:
    @lru_cache(maxsize=32)
    def memoised(window: bytes) -> bytes:
        return _decode_all(group, window, low)

    return lambda image: memoised(image[low:high])


def _unpacker(group: Sequence[Piece]) -> Callable[[bytes, int], tuple[bytes, ...]]:
    """`Struct.unpack_from` for ascending pieces, from the first one on."""
    code = f"{group[0].size}s"
    for before, after in pairwise(group):
        code += f"{after.source - before.source - before.size}x{after.size}s"
    return Struct(code).unpack_from


def _constant(value: bytes) -> Callable[[bytes], bytes]:
    return lambda image: value


class BlockPlan:
    """The compiled layout of one CPU's block of registers."""

    def __init__(self, registers: Sequence[Reg], regsets: Sequence[RegSet]) -> None:
        self.pieces = pieces(registers, regsets)
        self._regsets = regsets
        self._names = tuple(regset.name for regset in regsets)
        self._groups = _groups(self.pieces, regsets)
        self._presence = tuple(
            (index, slice(regset.presence_offset, regset.presence_offset + 8))
            for index, regset in enumerate(regsets)
            if regset.components
        )
        self._steps: dict[bytes, tuple[Step, ...]] = {}

    def gather(self, sets: Mapping[str, bytes]) -> bytes:
        """The block, from the raw register sets by name."""
        images = [sets[name] for name in self._names]
        key = b""
        for index, word in self._presence:
            key += images[index][word]
        steps = self._steps.get(key)
        if steps is None:
            if len(self._steps) >= _MAX_COMPILED:
                self._steps.clear()
            steps = self._steps[key] = self._compile(images)
        return b"".join([step(images[index]) for index, step in steps])

    def _compile(self, images: Sequence[bytes]) -> tuple[Step, ...]:
        """The steps for register sets whose presence words are those of `images`."""
        steps: list[Step] = []
        constant = b""
        for component, group in self._groups:
            index = group[0].regset
            regset = self._regsets[index]
            if component is not None and not component.needs & regset.presence(images[index]):
                constant += _decode_all(group, regset.initial)
                continue
            if constant:
                steps.append((0, _constant(constant)))
                constant = b""
            steps.append((index, _step(group)))
        if constant:
            steps.append((0, _constant(constant)))
        return tuple(steps)
