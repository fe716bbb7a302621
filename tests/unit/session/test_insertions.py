"""What the client has inserted is known by process and place."""

from __future__ import annotations

from pydbgserver.session.insertions import Insertions


def test_places_are_of_breakpoints_and_watchpoints() -> None:
    inserted = Insertions()
    inserted.breakpoints.add((100, 0x10))
    inserted.watchpoints.add((100, 0x20))
    assert (100, 0x10) in inserted and (100, 0x20) in inserted
    assert (100, 0x30) not in inserted and (200, 0x10) not in inserted


def test_a_program_that_is_no_more_has_none() -> None:
    inserted = Insertions()
    for pid in (100, 200):
        inserted.breakpoints.add((pid, 0x10))
        inserted.watchpoints.add((pid, 0x20))
        inserted.programmed.add((pid, 0x10, True))
    inserted.forget(100)
    assert inserted.breakpoints == {(200, 0x10)}
    assert inserted.watchpoints == {(200, 0x20)}
    assert inserted.programmed == {(200, 0x10, True)}
