"""Negative results of the Mach calls -> exceptions in words.

How the four kinds of errors are packed into one number is said in native/cdef/mach.h.
"""

from __future__ import annotations

import errno

from pydbgserver.errors import DebugError, KernelError

KERN = 0x10000
MIG = 0x20000
MESSAGE = 0x10000000

KERN_INVALID_ADDRESS = 1
KERN_PROTECTION_FAILURE = 2
KERN_NO_SPACE = 3
KERN_INVALID_ARGUMENT = 4
KERN_FAILURE = 5
KERN_RESOURCE_SHORTAGE = 6
KERN_NO_ACCESS = 8
KERN_TERMINATED = 37
MACH_SEND_INVALID_DEST = 0x10000003

WIRE_NUMBERS = {
    KERN_INVALID_ADDRESS: errno.EFAULT,
    KERN_PROTECTION_FAILURE: errno.EACCES,
    KERN_NO_SPACE: errno.ENOMEM,
    KERN_INVALID_ARGUMENT: errno.EINVAL,
    KERN_RESOURCE_SHORTAGE: errno.ENOMEM,
    KERN_NO_ACCESS: errno.EPERM,
    KERN_TERMINATED: errno.ESRCH,
}
"""By kern_return_t, the errno whose meaning to a client is nearest; EIO for all others."""

GONE = frozenset({-errno.ESRCH, -(KERN + KERN_TERMINATED), -MACH_SEND_INVALID_DEST})
"""The task or thread is no more: its port is dead."""


class MachError(DebugError):
    """A Mach call failed: `result` as the C core gave it, negative; the message has the kernel's name of it."""

    def __init__(self, result: int, doing: str, words: str) -> None:
        super().__init__(f"{doing}: {words}")
        self.result = result
        self.code = WIRE_NUMBERS.get(kern_return(result) or 0, errno.EIO)


def kern_return(result: int) -> int | None:
    """The kern_return_t in a negative result, None if it is something else."""
    return -result - KERN if KERN < -result < MIG else None


def is_errno(result: int) -> bool:
    """Whether a negative result is -errno."""
    return 0 < -result < KERN


def error(result: int, doing: str, words: str) -> DebugError:
    """The exception for a negative result; `words`: the C core's words for it."""
    return KernelError(-result, doing) if is_errno(result) else MachError(result, doing, words)
