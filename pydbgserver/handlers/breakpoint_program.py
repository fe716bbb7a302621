"""The options of Z0 and Z1: conditions and commands in agent bytecode (gdb manual, "Packets").

gdb writes ``X`` length ``,`` bytes, one after another for the conditions, and after ``cmds:`` persist ``,`` the same
for the commands.
"""

from __future__ import annotations

import re

from pydbgserver.errors import MalformedPacket
from pydbgserver.target.agent_expr import BreakpointProgram

MOST_EXPRESSIONS = 64
"""Each breakpoint that gdb has at one address sends one."""

_PROGRAM = re.compile(
    r"(?P<conditions>(?:;?X[0-9a-fA-F]{1,8},[0-9a-fA-F]*)*)"
    r"(?:;?cmds:(?P<persist>[01]),(?P<commands>(?:;?X[0-9a-fA-F]{1,8},[0-9a-fA-F]*)+))?;?"
)
_EXPRESSION = re.compile(r"X([0-9a-fA-F]+),([0-9a-fA-F]*)")


def parse(options: str) -> BreakpointProgram:
    """Raises `MalformedPacket`; whether the expressions make sense is not looked at."""
    found = _PROGRAM.fullmatch(options)
    if found is None:
        raise MalformedPacket(f"conditions and commands of a breakpoint do not look like {options[:60]!r}")
    return BreakpointProgram(
        _expressions(found["conditions"]), _expressions(found["commands"] or ""), found["persist"] == "1"
    )


def _expressions(text: str) -> tuple[bytes, ...]:
    expressions = []
    for length, digits in _EXPRESSION.findall(text):
        if len(digits) != 2 * int(length, 16):
            raise MalformedPacket(f"an expression of {int(length, 16)} bytes has {len(digits)} digits")
        expressions.append(bytes.fromhex(digits))
    if len(expressions) > MOST_EXPRESSIONS:
        raise MalformedPacket(f"a breakpoint cannot have more than {MOST_EXPRESSIONS} expressions")
    return tuple(expressions)
