"""One notification at a time, and the order of what follows it."""

from __future__ import annotations

from pydbgserver.session.notifications import Notifications


def make() -> tuple[Notifications[int], list[bytes]]:
    sent: list[bytes] = []
    return Notifications(lambda item: b"%d" % item, sent.append), sent


def test_only_the_first_is_sent() -> None:
    queue, sent = make()
    for item in (1, 2, 3):
        queue.push(item)
    assert sent == [b"1"]


def test_acknowledgements_bring_the_others_and_then_nothing() -> None:
    queue, sent = make()
    for item in (1, 2):
        queue.push(item)
    assert queue.acknowledged() == 1
    assert queue.next() == b"2"
    queue.push(3)
    assert queue.acknowledged() == 2
    assert queue.next() == b"3"
    assert queue.acknowledged() == 3
    assert queue.next() is None
    assert queue.acknowledged() is None
    queue.push(4)
    assert sent == [b"1", b"4"]


def test_what_is_in_flight_is_not_withdrawn() -> None:
    queue, _ = make()
    for item in (1, 2, 1, 3):
        queue.push(item)
    queue.withdraw(lambda item: item == 1)
    assert list(queue.queue) == [1, 2, 3]
    assert queue.acknowledged() == 1
    queue.withdraw(lambda item: item == 2)
    assert queue.next() == b"3"


def test_a_new_beginning_sends_nothing_by_itself() -> None:
    queue, sent = make()
    queue.push(1)
    queue.restart(5, 6)
    assert sent == [b"1"] and queue.acknowledged() is None
    assert queue.next() == b"5"
    queue.restart(7)
    queue.announce()
    assert sent == [b"1", b"7"]
