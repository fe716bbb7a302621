"""Agent expressions: the bytecode in which gdb sends conditions and commands of breakpoints, checked and run in C.

Facts about the bytecode are in native/agent_expr*.c alone. Here are its
errors in words, and a way to run an expression for targets that have no C of
their own.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydbgserver import native
from pydbgserver.errors import BadAddress, DebugError, NoSuchRegister

_lib = native.lib
_ffi = native.ffi

REGISTER_SIZES = (1, 2, 4, 8)
"""Bytes of the registers that an expression can have."""

_IN_WORDS: dict[int, str] = {
    _lib.AGENT_CUT_SHORT: "it is cut short at {at}",
    _lib.AGENT_UNKNOWN: "the instruction at {at} is unknown",
    _lib.AGENT_JUMPS_OUT: "the jump at {at} leads out of it",
    _lib.AGENT_JUMPS_INTO: "the jump at {at} leads into the middle of an instruction",
    _lib.AGENT_UNDERFLOW: "the instruction at {at} takes more from the stack than there is",
    _lib.AGENT_OVERFLOW: "the instruction at {at} overflows the stack",
    _lib.AGENT_HEIGHTS: "after the instruction at {at} the stack is not as high as on another way there",
    _lib.AGENT_ENDLESS: "the loop at {at} never ends",
    _lib.AGENT_NO_VALUE: "it ends at {at} without a value",
    _lib.AGENT_FORMAT: "the format of the printf at {at} does not fit it",
    _lib.AGENT_REGISTER: "the register of the instruction at {at} cannot be had",
    _lib.AGENT_VARIABLE: "the trace state variable of the instruction at {at} is not defined",
    _lib.AGENT_NO_ROOM: "there is no memory for it",
    _lib.AGENT_TOO_LARGE: f"it is longer than {_lib.AGENT_SIZE} bytes",
    _lib.AGENT_DIVISION: "division by zero at {at}",
    _lib.AGENT_BAD_MEMORY: "cannot read memory at {at:#x}",
    _lib.AGENT_BAD_REGISTER: "the register of the instruction at {at} cannot be read",
    _lib.AGENT_TOO_LONG: f"it does not end within {_lib.AGENT_STEPS} instructions",
}


class BadExpression(DebugError):
    """An agent expression that is not sound, or that has failed."""

    code = errno.EINVAL


def in_words(result: int, at: int) -> str:
    """What is wrong with an expression; `at`: the offset of the instruction, of unreadable memory the address."""
    return _IN_WORDS[result].format(at=at)


@dataclass(frozen=True, slots=True)
class BreakpointProgram:
    """What a breakpoint does with a hit before anybody is told: any of `conditions` has to be true (if there are any);
    then `commands` run, and with commands nobody is told at all. `persist`: the commands outlive the client."""

    conditions: tuple[bytes, ...] = ()
    commands: tuple[bytes, ...] = ()
    persist: bool = False

    def check(self, register_sizes: bytes) -> None:
        """Raises `BadExpression`. `register_sizes`: by number the bytes of each register, 0 for one that cannot be
        had."""
        for name, codes, wants_value in (("condition", self.conditions, 1), ("command", self.commands, 0)):
            for code in codes:
                at = _ffi.new("int32_t *")
                result = _lib.agent_expr_check(code, len(code), wants_value, register_sizes, len(register_sizes), at)
                if result:
                    raise BadExpression(f"the {name} of the breakpoint is no good: {in_words(result, at[0])}")


def run(
    code: bytes, read_register: Callable[[int], bytes], read_memory: Callable[[int, int], bytes]
) -> tuple[int, bytes]:
    """The value of the checked expression `code` (0 if it leaves none), and what it has printed.

    `read_register(number)` and `read_memory(address, length)` give little-endian bytes. Raises `BadExpression`.
    """
    state = _ffi.new("agent_run *")
    data, got = b"", 0
    while result := _lib.agent_expr_run(code, len(code), state, data, got):
        try:
            if result == _lib.AGENT_WANTS_REGISTER:
                data = read_register(state.address)
            elif result == _lib.AGENT_WANTS_MEMORY:
                data = read_memory(state.address, state.wanted)
            else:
                raise BadExpression(in_words(result, state.address if result == _lib.AGENT_BAD_MEMORY else state.at))
            got = len(data)
        except (BadAddress, NoSuchRegister):
            data, got = b"", -1
    return state.value, bytes(_ffi.buffer(state.text, state.text_size))


def holds(
    conditions: Sequence[bytes], read_register: Callable[[int], bytes], read_memory: Callable[[int, int], bytes]
) -> bool:
    """Whether any of `conditions` is true, or there is none. Raises `BadExpression` if one fails before that."""
    return not conditions or any(run(code, read_register, read_memory)[0] for code in conditions)
