"""When to look for the next packet without sleeping.

A client that steps or reads memory answers each reply within some tens of microseconds, while going to sleep and
being woken through the event loop costs as much again. So after a reply the receiver looks again and again for a
moment, but only while that has paid lately; an idle server uses no CPU.
"""

from __future__ import annotations

import os

SPIN_US = 50
"""How long one look may take: twice the turnaround of a lean client on the same machine."""

QUICK_NS = 120_000
"""A packet that came this soon after its receiver went to sleep would have been caught, but for the cost of waking."""

FULL = 4
ENOUGH = 2


def processors() -> int:
    """How many of them this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Spinning:
    """Decides by what the last few waits were like. On one processor it never spins: the client could not run."""

    __slots__ = ("_budget", "_credit")

    def __init__(self, *, allowed: bool) -> None:
        self._credit = 0
        self._budget = SPIN_US if allowed else 0

    def budget(self) -> int:
        """Microseconds that the next look may take."""
        return self._budget if self._credit >= ENOUGH else 0

    def hit(self) -> None:
        """The look has paid."""
        self._credit = FULL

    def missed(self) -> None:
        """Nothing came while it lasted."""
        self._credit -= 1

    def woken_after(self, nanoseconds: int) -> None:
        """Without looking, something came after this time of sleep."""
        if nanoseconds < QUICK_NS:
            self._credit = min(self._credit + 1, FULL)
        elif self._credit:
            self._credit -= 1
