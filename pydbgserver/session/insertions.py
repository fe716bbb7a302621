"""What the client has inserted into the debugged programs."""

from __future__ import annotations


class Insertions:
    """Sets of places, each with its pid first; a place is there from its insertion to its removal by the client, or
    until its program is no more."""

    __slots__ = ("breakpoints", "programmed", "watchpoints")

    def __init__(self) -> None:
        self.breakpoints: set[tuple[int, int]] = set()
        """(pid, address) of software and hardware breakpoints."""
        self.watchpoints: set[tuple[int, int]] = set()
        """(pid, address)."""
        self.programmed: set[tuple[int, int, bool]] = set()
        """(pid, address, hardware) of the breakpoints that have conditions or commands."""

    def __contains__(self, place: tuple[int, int]) -> bool:
        """Whether a breakpoint or a watchpoint is at this (pid, address)."""
        return place in self.breakpoints or place in self.watchpoints

    def forget(self, pid: int) -> None:
        """The process is gone, or has become another program."""
        self.breakpoints = {one for one in self.breakpoints if one[0] != pid}
        self.watchpoints = {one for one in self.watchpoints if one[0] != pid}
        self.programmed = {one for one in self.programmed if one[0] != pid}
