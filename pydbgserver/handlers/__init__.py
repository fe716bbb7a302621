"""The packets, one family per file. Importing this package fills `pydbgserver.rsp.registry.REGISTRY`.

Handlers are plain functions: they return what the reply says and raise what went wrong, and never frame a reply or
write "OK" or an error number themselves.
"""

from pydbgserver.handlers import (
    batches,
    breakpoints,
    control,
    core_files,
    environment,
    hostio,
    info,
    lifecycle,
    mac,
    memory,
    memory_tags,
    modules,
    monitor,
    non_stop,
    platform,
    processor_trace,
    registers,
    resume,
    settings,
    signal_table,
    thread_locals,
    threads,
    xfer,
)

__all__ = [
    "batches",
    "breakpoints",
    "control",
    "core_files",
    "environment",
    "hostio",
    "info",
    "lifecycle",
    "mac",
    "memory",
    "memory_tags",
    "modules",
    "monitor",
    "non_stop",
    "platform",
    "processor_trace",
    "registers",
    "resume",
    "settings",
    "signal_table",
    "thread_locals",
    "threads",
    "xfer",
]
