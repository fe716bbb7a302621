"""Notifications: what a server says in non-stop mode without being asked, one at a time.

The first of a queue is sent as ``%Name:data``; the client answers with the packet that acknowledges it (``vStopped``
for ``Stop``, ``vStdio`` for ``Stdio``), whose reply is the next of the queue, and so on until the reply is OK. Only
then another notification is sent. gdb manual, "Notification Packets".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Notifications(Generic[Item]):
    """One queue. The item that the client has been told of, `in_flight`, stays the first until it is acknowledged.

    `send`: sends a notification of this item. `compose`: the item as the client reads it.
    """

    __slots__ = ("_compose", "_send", "in_flight", "queue")

    def __init__(self, compose: Callable[[Item], bytes], send: Callable[[bytes], None]) -> None:
        self.queue: deque[Item] = deque()
        self.in_flight = False
        self._compose = compose
        self._send = send

    def push(self, item: Item) -> None:
        """Tell the client, now or after what comes first."""
        self.queue.append(item)
        self.announce()

    def announce(self) -> None:
        """Send the first one if none is under way."""
        if self.queue and not self.in_flight:
            self.in_flight = True
            self._send(self._compose(self.queue[0]))

    def acknowledged(self) -> Item | None:
        """The client has read what was in flight: gives it; None if nothing was."""
        if not self.in_flight:
            return None
        self.in_flight = False
        return self.queue.popleft()

    def next(self) -> bytes | None:
        """The first one as a reply, which is in flight from then on; None if there is nothing."""
        self.in_flight = bool(self.queue)
        return self._compose(self.queue[0]) if self.queue else None

    @property
    def untold(self) -> Sequence[Item]:
        """Those that the client has not been told of."""
        return list(self.queue)[self.in_flight :]

    def withdraw(self, unwanted: Callable[[Item], bool]) -> None:
        """Drop what has become untrue; not what is in flight, lest its acknowledgement be taken for that of another."""
        first = [self.queue.popleft()] if self.in_flight else []
        self.queue = deque([*first, *(item for item in self.queue if not unwanted(item))])

    def restart(self, *items: Item) -> None:
        """These, and nothing of before, are what there is to tell; nothing is in flight."""
        self.queue = deque(items)
        self.in_flight = False
