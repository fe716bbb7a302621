"""Why a process could not be attached to, in words, with what to do about it."""

from __future__ import annotations

import errno
import os

from pydbgserver.backends.linux import procfs, system
from pydbgserver.errors import AttachError, KernelError, NoSuchProcess

CAP_SYS_PTRACE = 19
PF_KTHREAD_PARENT = "2"

_YAMA = {
    "1": "kernel.yama.ptrace_scope is 1: only descendants may be traced; "
    "run as root, or 'sysctl kernel.yama.ptrace_scope=0'",
    "2": "kernel.yama.ptrace_scope is 2: only root (CAP_SYS_PTRACE) may attach",
    "3": "kernel.yama.ptrace_scope is 3: nobody may attach until the machine is rebooted",
}


def attach_error(pid: int, error: KernelError) -> AttachError:
    """The `AttachError` for a failed attempt to attach to `pid`."""
    try:
        reason = _reason(pid, procfs.status(pid), error.code)
    except NoSuchProcess:
        return AttachError(f"cannot attach to process {pid}: there is no such process", errno.ESRCH)
    return AttachError(f"cannot attach to process {pid}: {reason}", error.code)


def _reason(pid: int, status: dict[str, str], code: int) -> str:
    tracer = status.get("TracerPid", "0")
    if code == errno.EBUSY:
        return "it is being debugged by this server already"
    if tracer != "0":
        return f"it is already traced by process {tracer} ({procfs.thread_name(int(tracer))})"
    if status.get("State", "").startswith(("Z", "X")):
        return "it is a zombie: it has exited and waits for its parent"
    if pid == os.getpid():
        return "it is this server"
    if status.get("PPid") == PF_KTHREAD_PARENT and "VmSize" not in status:
        return "it is a kernel thread"
    if code == errno.EPERM:
        return _permission(status)
    return os.strerror(code)


def _permission(status: dict[str, str]) -> str:
    mine = procfs.status(os.getpid())
    capable = int(mine.get("CapEff", "0"), 16) >> CAP_SYS_PTRACE & 1
    owner = status.get("Uid", "").split()[:1]
    if mine.get("Seccomp", "0") == "2":
        return "a seccomp filter forbids ptrace; in a container allow it with --cap-add=SYS_PTRACE"
    if not capable and owner != [str(os.getuid())]:
        return f"it belongs to user {''.join(owner)}; run the server as that user or as root (CAP_SYS_PTRACE)"
    if not capable:
        return _YAMA.get(_yama_scope(), "not permitted (the program may be setuid, or not dumpable: prctl(2))")
    return "not permitted by a security module, or it belongs to another user namespace"


def _yama_scope() -> str:
    try:
        return system.read_file("/proc/sys/kernel/yama/ptrace_scope").decode().strip()
    except OSError:
        return "0"
