"""Why a process of a Mac cannot be debugged, in words, with what to do about it.

macOS has five gates, and task_for_pid says KERN_FAILURE at each of them: the server's entitlement, developer mode, the
group _developer, System Integrity Protection, the hardened runtime. Which of them is closed is found out afterwards.
"""

from __future__ import annotations

import errno
import os
import plistlib
from collections.abc import Callable
from dataclasses import dataclass

from pydbgserver.backends.macos import kernel_errors
from pydbgserver.backends.macos.host_calls import Description
from pydbgserver.backends.macos.tracer import Tracer
from pydbgserver.errors import AttachError, DebugError

# enum mach_stage of native/cdef/mach.h.
STAGE_TASK, STAGE_PORTS, STAGE_PTRACE, STAGE_STOP = 3, 4, 5, 6

# csops status words (<sys/codesign.h>).
CS_GET_TASK_ALLOW = 0x4
CS_RESTRICT = 0x800
CS_RUNTIME = 0x10000
CS_PLATFORM_BINARY = 0x4000000

DEBUGGER = "com.apple.security.cs.debugger"
GET_TASK_ALLOW = "com.apple.security.get-task-allow"
DEVELOPER_GROUP = "_developer"
DEVELOPER_MODE = "security.mac.amfi.developer_mode_status"
"""sysctl, from macOS 13 on."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What decides whether the server may debug a process. `status`: the target's csops word, 0 if not known."""

    path: str
    root: bool
    same_user: bool
    owner: int
    entitled: bool
    developer_mode: bool
    in_group: bool
    status: int


def _protected(one: Situation) -> bool:
    return bool(one.status & (CS_PLATFORM_BINARY | CS_RESTRICT))


def _hardened(one: Situation) -> bool:
    return bool(one.status & CS_RUNTIME) and not one.status & CS_GET_TASK_ALLOW


GATES: tuple[tuple[Callable[[Situation], bool], str], ...] = (
    (
        _protected,
        "{path} belongs to the system, and System Integrity Protection lets nobody debug it; "
        "debug a program of your own, or a copy of it that you sign yourself (codesign -f -s - COPY)",
    ),
    (
        _hardened,
        "{path} is signed for the hardened runtime without the entitlement "
        f"{GET_TASK_ALLOW}; sign it anew: codesign -f -s - --entitlements scripts/macos/get-task-allow.plist {{path}}",
    ),
    (
        lambda one: not one.developer_mode,
        "developer mode is off on this Mac; switch it on: sudo DevToolsSecurity -enable (macOS 13 and later also: "
        "System Settings, Privacy & Security, Developer Mode)",
    ),
    (
        lambda one: not one.same_user and not one.root,
        "it belongs to user {owner}; run the server as that user, or as root (sudo)",
    ),
    (
        lambda one: not one.entitled and not one.root,
        f"this server's Python has not the entitlement {DEBUGGER}; sign it: scripts/macos/sign_python, or run the "
        "server as root (sudo)",
    ),
    (
        lambda one: not one.in_group and not one.root,
        f"you are not in the group {DEVELOPER_GROUP}; add yourself: "
        f"sudo dseditgroup -o edit -a $USER -t user {DEVELOPER_GROUP}, and log in again",
    ),
)
"""In the order in which they are told: what can be done about the target comes before what concerns the server."""

PTRACE_REASONS = {
    errno.EPERM: "the program forbids it (PT_DENY_ATTACH), or another debugger has it already",
    errno.EBUSY: "another debugger has it already",
    errno.ESRCH: "there is no such process",
    errno.ENOTSUP: "the system does not let this process be debugged",
}


def explain(one: Situation) -> str:
    """The first gate that is closed, with what to do; "" if all of them are open."""
    return next((text.format(path=one.path, owner=one.owner) for closed, text in GATES if closed(one)), "")


def situation(tracer: Tracer, target: Description) -> Situation:
    """How things are for the target on this Mac."""
    mode = tracer.sysctl(DEVELOPER_MODE)
    return Situation(
        path=target.path or target.name,
        root=os.geteuid() == 0,
        same_user=target.effective_uid == os.geteuid(),
        owner=target.effective_uid,
        entitled=_has_entitlement(tracer.entitlements(os.getpid())),
        developer_mode=not mode or any(mode),
        in_group=_in_group(),
        status=tracer.signing_status(target.pid) or 0,
    )


def _has_entitlement(plist: bytes) -> bool:
    """csops gives the property list behind a header of 8 bytes."""
    from xml.parsers.expat import ExpatError

    start = plist.find(b"<?xml")
    try:
        return start >= 0 and bool(plistlib.loads(plist[start:].rstrip(b"\0")).get(DEBUGGER))
    except (ValueError, AttributeError, ExpatError):
        return False


def _in_group() -> bool:
    import grp

    try:
        return grp.getgrnam(DEVELOPER_GROUP).gr_gid in {os.getegid(), *os.getgroups()}
    except KeyError:
        return True


def reason(tracer: Tracer, path: str, pid: int, result: int, stage: int) -> str:
    """Why `stage` failed with `result`; `path` is for a process that is not there any more (pid 0)."""
    if stage == STAGE_STOP:
        return "its first stop did not come in time; it may hang in an uninterruptible call"
    if stage == STAGE_PTRACE and kernel_errors.is_errno(result):
        return PTRACE_REASONS.get(-result, os.strerror(-result))
    words = str(tracer.error(result, "the kernel says"))
    if stage != STAGE_TASK:
        return words
    try:
        target = tracer.describe_process(pid or os.getpid())
    except DebugError:
        return "there is no such process"
    if not pid:
        target = Description(0, 0, 0, 0, os.geteuid(), 0, 0, False, path, path)
    return explain(situation(tracer, target)) or words


def attach_error(tracer: Tracer, pid: int, result: int, stage: int) -> AttachError:
    """The `AttachError` for a failed attempt to attach to `pid`."""
    if pid == os.getpid():
        return AttachError(f"cannot attach to process {pid}: it is this server", errno.EINVAL)
    if result in kernel_errors.GONE:
        return AttachError(f"cannot attach to process {pid}: there is no such process", errno.ESRCH)
    words = reason(tracer, "", pid, result, stage)
    return AttachError(f"cannot attach to process {pid}: {words}", tracer.error(result, "").code)
