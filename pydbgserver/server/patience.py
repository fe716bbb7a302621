"""When to wait for the next packet in place, without the event loop.

A client that steps or reads memory answers each reply within some tens of
microseconds. To go to sleep in the event loop and come back costs about as
much again, and to look for the packet in a loop keeps a processor from the
client. So after a reply the receiver sleeps in poll(2) for a moment, but only
while that has paid lately: the other tasks wait meanwhile.
"""

from __future__ import annotations

WAIT_US = 2_000
"""How long one wait in place may take: what a person does not notice at the debuggee's terminal."""

QUICK_NS = WAIT_US * 1000
"""A packet that came this soon after the event loop was entered would have been worth waiting for."""

FULL = 4
ENOUGH = 2


class Patience:
    """Decides by what the last few waits were like."""

    __slots__ = ("_credit",)

    def __init__(self) -> None:
        self._credit = 0

    def wait_us(self) -> int:
        """Microseconds to wait in place now; 0: leave it to the event loop."""
        return WAIT_US if self._credit >= ENOUGH else 0

    def hit(self) -> None:
        """A packet was there at once, or came while it was waited for."""
        self._credit = min(self._credit + 1, FULL)

    def missed(self) -> None:
        """Nothing came while it lasted."""
        self._credit = 0

    def woken_after(self, nanoseconds: int) -> None:
        """The event loop was entered, and something came after this time."""
        self._credit = min(self._credit + 1, FULL) if nanoseconds < QUICK_NS else 0
