"""Whose debugger the next connection is.

All connections come to one port, and a debugger's shows the machine that it comes from and no more. So of the clients
on one machine only one at a time has sessions that wait for their debuggers: what another one asks for begins when they
have come. lldb connects as soon as it has been told the session's pid; a client that does not loses the session once
somebody else needs the turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

CONNECT_SECONDS = 3.0
"""How long others wait for a client's connection. lldb waits 10 s for the reply to qLaunchGDBServer."""


@dataclass
class _Waiting:
    owner: int
    machine: str
    until: float | None = None
    """When the turn ends, once somebody else has asked for it."""


@dataclass
class _Asked:
    owner: int
    machine: str
    begin: Callable[[], None]


class Turns:
    """Sessions and their owners are told apart by their pids. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting: dict[int, _Waiting] = {}
        self._asked: list[_Asked] = []

    def ask(self, owner: int, machine: str, begin: Callable[[], None]) -> None:
        """Call `begin`, which may say `waits`, now or when it is the turn of `owner`, a client on that machine."""
        self._asked.append(_Asked(owner, machine, begin))
        self._go_on()

    def waits(self, session: int, owner: int, machine: str) -> None:
        """The session waits for its debugger."""
        self._waiting[session] = _Waiting(owner, machine)

    def is_waiting(self, session: int) -> bool:
        return session in self._waiting

    def __bool__(self) -> bool:
        """Whether any session waits."""
        return bool(self._waiting)

    def next_for(self, machine: str) -> int | None:
        """The session that a debugger from that machine is for. `over` is to be told once it has it."""
        return next((pid for pid, one in self._waiting.items() if one.machine == machine), None)

    def over(self, session: int) -> None:
        """The session has its debugger or has ended: it does not wait any more, and does not ask for anything."""
        self._waiting.pop(session, None)
        self._asked = [one for one in self._asked if one.owner != session]
        self._go_on()

    def overdue(self) -> list[int]:
        """The sessions whose time is over; they wait no longer."""
        now = self._clock()
        late = [pid for pid, one in self._waiting.items() if one.until is not None and one.until <= now]
        for pid in late:
            self.over(pid)
        return late

    def next_time(self) -> float | None:
        """When `overdue` has something to say, if nothing happens before."""
        return min((one.until for one in self._waiting.values() if one.until is not None), default=None)

    def _go_on(self) -> None:
        for asked in list(self._asked):
            others = [
                one for one in self._waiting.values() if one.machine == asked.machine and one.owner != asked.owner
            ]
            for one in others:
                one.until = one.until or self._clock() + CONNECT_SECONDS
            if not others and asked in self._asked:
                self._asked.remove(asked)
                asked.begin()
