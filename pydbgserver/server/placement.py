"""On which processor the server runs while a client sends one packet after another.

A packet wakes the server, its reply wakes the client. Where both run on one processor that is a change of tasks; where
they do not, each wakes a processor that has gone to sleep, which in a virtual machine takes longer than the whole
packet (measured: 20 us against 90). The kernel knows where the client's last packet came from (socket(7),
SO_INCOMING_CPU); left to itself the scheduler brings the two together sometimes (sched/fair.c, wake_affine).

It may also take the client away again as soon as the server has come: the processor that the server has left is idle,
and has been for a moment only (select_idle_sibling). It does not once that one has slept for longer (measured: after
1 ms sometimes, after 3 ms always), so that a server which finds its client gone lets it sleep.
"""

from __future__ import annotations

import os
import time

from pydbgserver.rsp.codec import library

PAUSE = 0.003
"""Seconds, before a reply. They are earned back within some forty packets."""

MOST_MOVES = 4
"""Where the client goes away as often as this, it is left alone as long as its packets come one after another."""


class Placement:
    """Keeps the calling thread where the peer of the socket `descriptor` is, from `join` to `leave`."""

    __slots__ = ("_anywhere", "_at", "_descriptor", "_moves")

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._at = -1
        self._moves = 0
        self._anywhere: set[int] = set()

    def join(self) -> None:
        """Go where the peer is. Where that cannot be told, or is not allowed, nothing is changed."""
        processor = library.rsp_peer_processor(self._descriptor)
        if processor < 0 or processor == self._at or not hasattr(os, "sched_setaffinity"):
            return
        if self._at < 0:
            self._anywhere = os.sched_getaffinity(0)
        if processor in self._anywhere and self._moves < MOST_MOVES:
            os.sched_setaffinity(0, {processor})
            self._at = processor
            if self._moves:
                time.sleep(PAUSE)
            self._moves += 1

    def leave(self) -> None:
        """Run anywhere again, as before."""
        self._moves = 0
        if self._at >= 0:
            self._at = -1
            os.sched_setaffinity(0, self._anywhere)
