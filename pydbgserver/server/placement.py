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

MOVE = 16
"""What a move costs. A client that has stayed from one `join` to the next has paid for one; where client and server are
apart, sixteen such times have (1024 packets, which take 100 ms), since what has disturbed them may be over."""

MOST_SAVED = 4 * MOVE


class Placement:
    """Keeps the calling thread where the peer of the socket `descriptor` is, from `join` to `leave`.

    `join` is to be called again and again meanwhile. A client that goes away each time is left alone.
    """

    __slots__ = ("_anywhere", "_at", "_descriptor", "_has_moved", "_saved")

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._at = -1
        self._saved = MOST_SAVED
        self._has_moved = False
        self._anywhere: set[int] = set()

    def join(self) -> None:
        """Go where the peer is. Where that cannot be told, or is not allowed, nothing is changed."""
        processor = library.rsp_peer_processor(self._descriptor)
        if processor < 0 or not hasattr(os, "sched_setaffinity"):
            return
        if processor == self._at:
            self._saved = min(self._saved + MOVE, MOST_SAVED)
        elif self._saved >= MOVE:
            self._saved -= MOVE
            self._follow(processor)
        else:
            self._saved += 1
            self._run_anywhere()

    def _follow(self, processor: int) -> None:
        if self._at < 0:
            self._anywhere = os.sched_getaffinity(0)
        if processor in self._anywhere:
            os.sched_setaffinity(0, {processor})
            self._at = processor
            if self._has_moved:
                time.sleep(PAUSE)
            self._has_moved = True

    def _run_anywhere(self) -> None:
        if self._at >= 0:
            self._at = -1
            os.sched_setaffinity(0, self._anywhere)

    def leave(self) -> None:
        """Run anywhere again, as before."""
        self._saved = MOST_SAVED
        self._has_moved = False
        self._run_anywhere()
