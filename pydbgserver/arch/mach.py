"""What the Mach flavours of all CPUs share: numbering, and the register set of what the kernel does not give.

Register sets of a Mac are thread states: `RegSet.nt_type` is the flavor for thread_get_state, `RegSet.size` what its
structure in <mach/*/_structs.h> takes.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count

from pydbgserver.arch.model import Feature, Reg
from pydbgserver.arch.regset import RegSet

GENERAL = "general"
FLOAT = "float"
EXCEPTION = "exception"
DEBUG = "debug"
FIXED = "fixed"

FIXED_FLAVOR = 0
"""No thread state: a backend answers this set with zeros and lets nothing be changed in it."""


def fixed_set(size: int) -> RegSet:
    """Registers that a client's description has to have, and that the kernel neither gives nor takes: they are 0."""
    return RegSet(FIXED, FIXED_FLAVOR, size, initial=bytes(size), writable=False)


def numbered(features: Iterable[Feature]) -> tuple[Feature, ...]:
    """The features with their registers numbered in order."""
    numbers = count()
    return tuple(
        feature._replace(regs=tuple(register._replace(number=next(numbers)) for register in feature.regs))
        for feature in features
    )


def numbered_views(features: Iterable[Feature], views: Iterable[Reg]) -> tuple[Reg, ...]:
    """Views are numbered on from the last register."""
    first = sum(len(feature.regs) for feature in features)
    return tuple(view._replace(number=number) for number, view in enumerate(views, start=first))
