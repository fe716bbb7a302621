"""`monitor threads`: where every thread is, in words, for whoever has no symbols at hand."""

from __future__ import annotations

from contextlib import suppress

from pydbgserver.errors import DebugError, Unsupported
from pydbgserver.session.session import Session
from pydbgserver.target.api import Process
from pydbgserver.target.capabilities import MemoryMap
from pydbgserver.target.elf_symbols import Places
from pydbgserver.target.registers import pc

LONGEST_INSTRUCTION = 16
"""Bytes; x86 has 15 (Intel's manual, volume 2, 2.3.11)."""


def show(session: Session) -> str:
    """A line for each thread: process, thread, name, program counter, place, instruction there, reason of the stop."""
    places = Places()
    lines = []
    for pid, process in session.backend.processes.items():
        for tid in process.threads():
            event = session.stops.reasons.get(tid)
            why = "" if event is None else f"  [{type(event).__name__}]"
            lines.append(f"{pid} {tid} {process.thread_name(tid)} {_where(process, tid, places)}{why}\n")
    return "".join(lines) or "There is no process.\n"


def _where(process: Process, tid: int, places: Places) -> str:
    try:
        address = pc(process, tid)
    except DebugError:
        return "running"
    return f"{address:#x}{_place(process, address, places)}{_instruction(process, address)}"


def _place(process: Process, address: int, places: Places) -> str:
    memory_map = process.capability(MemoryMap)
    if memory_map is None:
        return ""
    region = memory_map.region_at(address)
    if region.name.startswith("/"):
        return f" {places.name(region.name, address - region.start + region.offset)}"
    return f" in {region.name}" if region.name else ""


def _instruction(process: Process, address: int) -> str:
    from pydbgserver.arch.disasm import disassemble

    with suppress(Unsupported, DebugError):
        code = process.read_memory(address, LONGEST_INSTRUCTION)
        return f": {disassemble(process.arch, code, address)[0][2]}"
    return ""
