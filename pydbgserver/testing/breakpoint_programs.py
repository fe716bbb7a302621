"""Conditions and commands of a simulated process: run by the C that runs them for real ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydbgserver.target.agent_expr import REGISTER_SIZES, BadExpression, BreakpointProgram, holds, run
from pydbgserver.target.capabilities import BreakpointPrograms
from pydbgserver.target.events import BreakpointHit

if TYPE_CHECKING:
    from pydbgserver.testing.sim import SimProcess


class SimBreakpointPrograms(BreakpointPrograms):
    """`printed` gathers what commands print."""

    def __init__(self, process: SimProcess) -> None:
        self.process = process
        self.printed = b""
        self._programs: dict[tuple[int, bool], BreakpointProgram] = {}

    def set(self, address: int, program: BreakpointProgram, *, hardware: bool) -> None:
        sizes = (one.width if one.width in REGISTER_SIZES else 0 for one in self.process.arch.registers)
        program.check(bytes(sizes))
        self._programs[address, hardware] = program

    def clear(self, address: int, *, hardware: bool) -> None:
        self._programs.pop((address, hardware), None)

    def persistent(self) -> bool:
        return any(program.persist and program.commands for program in self._programs.values())

    def hit(self, tid: int, address: int) -> BreakpointHit | None:
        """What is to be told of a hit of the software breakpoint at `address`."""
        program = self._programs.get((address, False), BreakpointProgram())
        process = self.process

        def read_register(number: int) -> bytes:
            return process.arch.read(process.arch.register(number), process.registers[tid])

        try:
            if not holds(program.conditions, read_register, process.memory.read):
                return None
            for code in program.commands:
                self.printed += run(code, read_register, process.memory.read)[1]
        except BadExpression as error:
            return BreakpointHit(process.pid, tid, address, failure=str(error))
        return None if program.commands else BreakpointHit(process.pid, tid, address)
