"""Conditions and commands of breakpoints: handed to the tracer, which runs them in C (native/linux_points.c)."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from pydbgserver.arch.fields import Op
from pydbgserver.arch.model import Arch, Reg
from pydbgserver.backends.linux import tracer
from pydbgserver.target.capabilities import BreakpointPrograms

if TYPE_CHECKING:
    from pydbgserver.backends.linux.process import LinuxProcess
    from pydbgserver.target.agent_expr import BreakpointProgram

# Registers whose visible form is only a zero-extended stored one can be read as they are stored.
_PLAIN = frozenset({Op.COPY, Op.ZX})


def _size(register: Reg) -> int:
    from pydbgserver.target.agent_expr import REGISTER_SIZES

    size = register.stored
    return size if register.op in _PLAIN and size in REGISTER_SIZES else 0


@cache
def _places(arch: Arch) -> tuple[tuple[int, int, int], ...]:
    """By number: register set type, offset, bytes (0: an expression cannot have it)."""
    types = {regset.name: regset.nt_type for regset in arch.regsets}
    return tuple((types[one.regset], one.offset, _size(one)) for one in arch.registers)


class LinuxBreakpointPrograms(BreakpointPrograms):
    def __init__(self, process: LinuxProcess) -> None:
        self._process = process

    def set(self, address: int, program: BreakpointProgram, *, hardware: bool) -> None:
        places = _places(self._process.arch)
        program.check(bytes(size for _, _, size in places))
        tracer.set_registers(self._process.pid, places)
        tracer.set_program(self._process.pid, address, hardware, program)

    def clear(self, address: int, *, hardware: bool) -> None:
        from pydbgserver.target.agent_expr import BreakpointProgram

        tracer.set_program(self._process.pid, address, hardware, BreakpointProgram())

    def persistent(self) -> bool:
        return tracer.has_persistent(self._process.pid)
