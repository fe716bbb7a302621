"""What can stop a thread or end a process, without an OS or a protocol in sight.

Signal numbers here are always the target's own (Linux numbering on Linux);
the session translates them for its client.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


class WatchKind(Enum):
    """What a hardware debug register waits for."""

    EXECUTE = "execute"
    WRITE = "write"
    READ = "read"
    ACCESS = "access"


@dataclass(slots=True)
class ThreadEvent:
    """A thread of a live process has stopped. `pid` is its process, `tid` the thread."""

    pid: int
    tid: int


@dataclass(slots=True)
class BreakpointHit(ThreadEvent):
    """A planted trap or an execute debug register was reached; the PC is `address`.

    `failure`: why its condition or its commands could not be evaluated, "" if they could."""

    address: int
    hardware: bool = False
    failure: str = ""


@dataclass(slots=True)
class WatchpointHit(ThreadEvent):
    """The range watched at `address` was touched; `slot` is the debug register. `others`: kind and address of what else
    the same instruction touched."""

    address: int
    kind: WatchKind
    slot: int
    others: tuple[tuple[WatchKind, int], ...] = ()


@dataclass(slots=True)
class StepDone(ThreadEvent):
    """A requested single step (or range step) has ended."""


@dataclass(slots=True)
class SignalStop(ThreadEvent):
    """`signal` is about to be delivered. It is delivered only if the thread is resumed with it."""

    signal: int


@dataclass(slots=True)
class Interrupted(ThreadEvent):
    """The thread was stopped because the client asked; no signal is pending."""


@dataclass(slots=True)
class Halted(ThreadEvent):
    """The thread was stopped by the action STOP, without a signal."""


@dataclass(slots=True)
class SyscallStop(ThreadEvent):
    """A caught system call is being entered or has returned."""

    number: int
    entry: bool


@dataclass(slots=True)
class Forked(ThreadEvent):
    """The thread forked; the child `child_pid` is held stopped and is a process of the backend now."""

    child_pid: int
    vfork: bool = False


@dataclass(slots=True)
class VforkDone(ThreadEvent):
    """The vfork child of this thread has left the shared address space."""


@dataclass(slots=True)
class Execed(ThreadEvent):
    """The process has replaced its program by `path`; all breakpoints are forgotten."""

    path: str


@dataclass(slots=True)
class Cloned(ThreadEvent):
    """The thread has started the thread `child_tid`, which is stopped until it is resumed (`ThreadReports`)."""

    child_tid: int


@dataclass(slots=True)
class ThreadStarted(ThreadEvent):
    """A new thread is about to run (only when the client asked for it)."""


@dataclass(slots=True)
class ThreadExited(ThreadEvent):
    """The thread has ended with `status` (only when the client asked for it)."""

    status: int


@dataclass(slots=True)
class NoneResumed(ThreadEvent):
    """Every thread that was resumed has ended; `tid` is one of those that stay stopped."""


@dataclass(slots=True)
class ProcessExited:
    """The process is gone: `exit_code` when it exited, else `signal` that killed it."""

    pid: int
    exit_code: int | None = None
    signal: int | None = None


StopEvent: TypeAlias = ThreadEvent | ProcessExited
