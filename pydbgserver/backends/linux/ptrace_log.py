"""The log channel ptrace: the C core writes its lines itself."""

from __future__ import annotations

from pydbgserver import logs, native


def follow() -> bool:
    """Log ptrace calls from now on if the channel is on; gives whether it is."""
    native.lib.linux_log_to(logs.descriptor() if logs.ptrace.enabled else -1)
    return logs.ptrace.enabled
