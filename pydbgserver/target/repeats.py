"""Packets that come again: calls of C functions that carry them out with what was worked out when they came first."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

from pydbgserver.target.api import Process, ResumeAction
from pydbgserver.target.events import StopEvent


class NativeCall(NamedTuple):
    """A C function as `carry_out` of `rsp_repeat` (native/cdef/rsp.h), and what it is given.

    `kept`: what the arguments point to, to be kept as long as them.
    """

    function: object
    arguments: Any
    kept: object = None


class ReplyPart(NamedTuple):
    """ASCII text, and behind it the hex digits of `size` bytes at `offset` of the register set of the PC."""

    text: bytes
    offset: int = 0
    size: int = 0


class RunReplies(NamedTuple):
    """The stop replies of the thread `tid`: after a step, and at a software breakpoint."""

    tid: int
    after_step: Sequence[ReplyPart]
    at_breakpoint: Sequence[ReplyPart]


class NativeRepeats(ABC):
    """Makes such calls. What they do is what the methods of `Process` and `Backend` with the same arguments do."""

    @abstractmethod
    def insertion(self, process: Process, address: int, kind: int) -> NativeCall:
        """`Process.insert_breakpoint`."""

    @abstractmethod
    def removal(self, process: Process, address: int, kind: int) -> NativeCall:
        """`Process.remove_breakpoint`."""

    @abstractmethod
    def run(self, actions: Sequence[ResumeAction], replies: RunReplies, *, budget_us: int) -> NativeCall:
        """`Backend.resume`."""

    @abstractmethod
    def stops(self, run: NativeCall) -> Sequence[StopEvent]:
        """What `run` has brought, which was the last one: as the result of `Backend.resume`."""
