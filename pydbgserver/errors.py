"""Everything that can go wrong, in words, with the number that goes on the wire.

Handlers and backends raise; only ``Session.dispatch`` turns an exception into
a reply (`code` as ``Exx``, `str(error)` as text for clients that take one).
"""

from __future__ import annotations

import errno
import os


class DebugError(Exception):
    """A request that failed for a reason the client should be told.

    `code` is the number sent as ``Exx``; where an errno describes the failure
    it is that errno (Linux numbering), as lldb-server and gdb expect.
    """

    code: int = 1

    def __init__(self, message: str = "", code: int | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class MalformedPacket(DebugError):
    """The packet's arguments do not fit its grammar."""

    code = 1


class Unsupported(DebugError):
    """The target cannot do this at all; the client gets the empty reply."""


class BadAddress(DebugError):
    """No byte at `address` can be read, or not all of a write fits."""

    code = errno.EFAULT

    def __init__(self, address: int, length: int, doing: str = "read", why: str = "the memory is not mapped") -> None:
        super().__init__(f"cannot {doing} {length} bytes at {address:#x}: {why}")
        self.address = address
        self.length = length


class NoSuchThread(DebugError):
    """The client named a thread that is not there (any more)."""

    code = errno.ESRCH

    def __init__(self, tid: int) -> None:
        super().__init__(f"no thread {tid}")
        self.tid = tid


class NoSuchProcess(DebugError):
    """The client named a process that is not being debugged, or none is."""

    code = errno.ESRCH

    def __init__(self, pid: int | None = None) -> None:
        super().__init__("no process is being debugged" if pid is None else f"process {pid} is not being debugged")
        self.pid = pid


class NoSuchRegister(DebugError):
    """The client named a register that the target description does not have."""

    code = errno.EINVAL

    def __init__(self, number: int | str) -> None:
        super().__init__(f"no register {number}")


class NoDebugRegister(DebugError):
    """All hardware breakpoint and watchpoint registers are taken, or the range does not fit one."""

    code = errno.ENOSPC


class TargetRunning(DebugError):
    """The request needs a stopped target."""

    code = errno.EBUSY

    def __init__(self, what: str = "the target is running") -> None:
        super().__init__(what)


class LaunchError(DebugError):
    """The program could not be started; `code` is the errno of the step that failed."""

    def __init__(self, message: str, code: int = errno.ENOEXEC) -> None:
        super().__init__(message)
        self.code = code


class AttachError(DebugError):
    """The process could not be attached to; the message says what to do about it."""

    def __init__(self, message: str, code: int = errno.EPERM) -> None:
        super().__init__(message)
        self.code = code


class KernelError(DebugError):
    """A system call failed: `what` was being done, `code` is its errno."""

    def __init__(self, code: int, what: str) -> None:
        super().__init__(f"{what}: {os.strerror(code)}")
        self.code = code


class UsageError(Exception):
    """The command line is wrong; the message goes to stderr and the exit status is 1."""
