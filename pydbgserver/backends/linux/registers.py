"""Which CPU description fits a process on this machine."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from pydbgserver.arch.i386 import i386
from pydbgserver.arch.model import Arch
from pydbgserver.arch.x86 import XsaveLayout, amd64, x32
from pydbgserver.backends.linux import procfs, tracer
from pydbgserver.backends.linux.program import ELFCLASS32, ELFCLASS64, EM_386, EM_X86_64, Machine, machine
from pydbgserver.errors import AttachError

_DESCRIPTIONS: dict[Machine, Callable[[XsaveLayout], Arch]] = {
    Machine(ELFCLASS64, EM_X86_64): amd64,
    Machine(ELFCLASS32, EM_386): i386,
    Machine(ELFCLASS32, EM_X86_64): x32,
}


@cache
def _described(program: Machine, plain: bool) -> Arch:
    layout = XsaveLayout.from_cpuid(tracer.cpuid)
    return _DESCRIPTIONS[program](layout.plain() if plain else layout)


def describe_cpu(pid: int, *, plain: bool = False) -> Arch:
    """The CPU description of process `pid`; `plain`: with the registers alone that every such CPU has. Raises
    `AttachError` for a program that this machine has none for."""
    program = machine(pid)
    if program is None:
        procfs.status(pid)
        return _described(Machine(ELFCLASS64, EM_X86_64), plain)
    if program not in _DESCRIPTIONS:
        raise AttachError(f"{procfs.exec_file(pid)} is a program for another CPU (ELF machine {program.machine})", 8)
    return _described(program, plain)
