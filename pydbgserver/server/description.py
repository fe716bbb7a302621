"""What a transcript says of the process that its session is about."""

from __future__ import annotations

from shlex import join

from pydbgserver.errors import DebugError
from pydbgserver.target.api import Backend, Process


def describe(backend: Backend, process: Process) -> dict[str, str]:
    """Header lines: what is known of `pid`, `program`, `arguments`, `arch` and `endian`."""
    found = {"pid": str(process.pid), "arch": process.arch.gdb_architecture, "endian": process.arch.byte_order}
    try:
        info = backend.process_info(process.pid)
    except (DebugError, OSError):
        return found
    return {"program": info.name, "arguments": join(info.arguments[1:]), **found}
