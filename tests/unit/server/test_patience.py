"""When the receiver waits in place instead of through the event loop."""

from __future__ import annotations

from pydbgserver.server.patience import ENOUGH, QUICK_NS, WAIT_US, Patience


def dense() -> Patience:
    patience = Patience()
    for _ in range(ENOUGH):
        patience.woken_after(QUICK_NS // 2)
    return patience


def test_a_new_connection_goes_to_the_event_loop() -> None:
    assert Patience().wait_us() == 0


def test_quick_packets_make_it_wait_in_place() -> None:
    assert dense().wait_us() == WAIT_US


def test_slow_packets_never_do() -> None:
    patience = Patience()
    for _ in range(100):
        patience.woken_after(QUICK_NS * 10)
    assert patience.wait_us() == 0


def test_one_slow_packet_starts_the_count_over() -> None:
    patience = Patience()
    for _ in range(10):
        patience.woken_after(QUICK_NS // 2)
        patience.woken_after(QUICK_NS * 10)
    assert patience.wait_us() == 0


def test_it_goes_on_while_it_pays_and_ends_with_the_first_miss() -> None:
    patience = dense()
    for _ in range(10):
        patience.hit()
    assert patience.wait_us() == WAIT_US
    patience.missed()
    assert patience.wait_us() == 0


def test_packets_that_are_there_at_once_make_it_wait_in_place() -> None:
    patience = Patience()
    for _ in range(ENOUGH):
        patience.hit()
    assert patience.wait_us() == WAIT_US
