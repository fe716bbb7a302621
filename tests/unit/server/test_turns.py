"""Sessions wait for their debuggers one client at a time."""

from __future__ import annotations

import pytest

from pydbgserver.server.turns import CONNECT_SECONDS, Turns

HERE, ELSEWHERE = "10.0.0.1", "10.0.0.2"


class Lobby:
    """Makes sessions 1000, 1001... when it is their turn."""

    def __init__(self) -> None:
        self.now = 100.0
        self.turns = Turns(lambda: self.now)
        self.made: dict[int, int] = {}
        """By session, its owner."""

    def asks(self, owner: int, machine: str = HERE) -> None:
        def begin() -> None:
            session = 1000 + len(self.made)
            self.made[session] = owner
            self.turns.waits(session, owner, machine)

        self.turns.ask(owner, machine, begin)

    def connects(self, machine: str = HERE) -> int | None:
        """The owner of the session that a debugger from there gets."""
        session = self.turns.next_for(machine)
        if session is None:
            return None
        self.turns.over(session)
        return self.made[session]


@pytest.fixture
def lobby() -> Lobby:
    return Lobby()


def test_another_client_of_the_machine_waits_for_its_turn(lobby: Lobby) -> None:
    lobby.asks(1)
    lobby.asks(2)
    assert lobby.made == {1000: 1}
    assert lobby.connects() == 1
    assert lobby.made == {1000: 1, 1001: 2}
    assert lobby.connects() == 2
    assert lobby.connects() is None
    assert not lobby.turns


def test_the_same_client_and_other_machines_do_not_wait(lobby: Lobby) -> None:
    lobby.asks(1)
    lobby.asks(1)
    lobby.asks(3, ELSEWHERE)
    assert lobby.made == {1000: 1, 1001: 1, 1002: 3}
    assert lobby.connects(ELSEWHERE) == 3
    assert [lobby.connects(), lobby.connects()] == [1, 1]


def test_a_client_that_does_not_connect_loses_its_turn_to_others_only(lobby: Lobby) -> None:
    lobby.asks(1)
    lobby.now += 1000
    assert lobby.turns.next_time() is None and lobby.turns.overdue() == []
    lobby.asks(2)
    assert lobby.turns.next_time() == lobby.now + CONNECT_SECONDS
    lobby.now += CONNECT_SECONDS / 2
    lobby.asks(3)
    assert lobby.turns.overdue() == []
    lobby.now += CONNECT_SECONDS / 2
    assert lobby.turns.overdue() == [1000]
    assert not lobby.turns.is_waiting(1000)
    assert lobby.made == {1000: 1, 1001: 2}
    assert lobby.connects() == 2
    assert lobby.connects() == 3


def test_what_a_client_has_asked_for_lapses_with_it(lobby: Lobby) -> None:
    lobby.asks(1)
    lobby.asks(2)
    lobby.asks(3)
    lobby.turns.over(2)
    lobby.turns.over(1000)
    assert lobby.made == {1000: 1, 1001: 3}
