"""The sessions of the corpus: what a person types at gdb and at lldb. `scripts/record_corpus` records them."""

from __future__ import annotations

from dataclasses import dataclass

from tests.programs import line_of

RESUME = "@resume"
INTERRUPT = "@interrupt"
"""Let the program run, and stop it by Ctrl-C."""


@dataclass(frozen=True)
class Scenario:
    """One session. `attach`: the program runs already when the server comes."""

    name: str
    program: str
    gdb: tuple[str, ...]
    lldb: tuple[str, ...]
    attach: bool = False
    arguments: tuple[str, ...] = ()


SCENARIOS = (
    Scenario("launch", "loop", ("continue",), ("continue",)),
    Scenario(
        "breakpoints",
        "loop",
        ("break tick if i == 3", "continue", "backtrace", "finish", "delete", "continue"),
        (
            "breakpoint set -n tick -c 'i == 3'",
            "continue",
            "thread backtrace",
            "thread step-out",
            "breakpoint delete",
            "continue",
        ),
    ),
    Scenario(
        "step",
        "loop",
        ("break main", "continue", "next", "step", "stepi", "next", "kill"),
        ("breakpoint set -n main", "continue", "next", "step", "stepi", "next", "process kill"),
    ),
    Scenario(
        "watch",
        "watch",
        ("break main", "continue", "watch counter", "continue", "continue", "delete", "continue"),
        (
            "breakpoint set -n main",
            "continue",
            "watchpoint set variable counter",
            "continue",
            "continue",
            "watchpoint delete 1",
            "continue",
        ),
    ),
    Scenario(
        "values",
        "values",
        (
            f"break {line_of('values', 'local_number += ')}",
            "continue",
            "backtrace",
            "info locals",
            "print *where",
            "continue",
        ),
        (
            f"breakpoint set -f values.c -l {line_of('values', 'local_number += ')}",
            "continue",
            "bt",
            "frame variable",
            "continue",
        ),
    ),
    Scenario(
        "expression",
        "values",
        (
            "break inner",
            "continue",
            "print add(20, 3)",
            "set variable global_number = 77",
            "print global_number",
            "kill",
        ),
        (
            "breakpoint set -n inner",
            "continue",
            "expression add(20, 3)",
            "expression global_number = 77",
            "process kill",
        ),
    ),
    Scenario(
        "registers",
        "values",
        ("break add", "continue", "info registers", "set $rbx = 0x1122", "print/x $rbx", "x/4i $pc", "kill"),
        (
            "breakpoint set -n add",
            "continue",
            "register read",
            "register write rbx 0x1122",
            "disassemble -p -c 4",
            "process kill",
        ),
    ),
    Scenario(
        "threads",
        "threads",
        ("break worker", "continue", "info threads", "thread apply all backtrace 1", "kill"),
        ("breakpoint set -n worker", "continue", "thread list", "thread backtrace all", "process kill"),
    ),
    Scenario(
        "signals",
        "signals",
        ("continue", "info program", "continue", "continue"),
        ("continue", "thread list", "continue", "continue"),
        arguments=("self",),
    ),
    Scenario(
        "crash",
        "segfault",
        ("continue", "backtrace", "print $_siginfo.si_signo", "continue"),
        ("continue", "bt", "thread info", "continue"),
    ),
    Scenario(
        "fork",
        "fork",
        ("set follow-fork-mode parent", "break main", "continue", "delete", "continue"),
        ("breakpoint set -n main", "continue", "breakpoint delete", "continue"),
    ),
    Scenario("exit-code", "exit_code", ("continue",), ("continue",)),
    Scenario(
        "interrupt",
        "spinner",
        (RESUME, INTERRUPT, "backtrace", "kill"),
        (RESUME, INTERRUPT, "bt", "process kill"),
    ),
    Scenario(
        "attach",
        "spinner",
        ("backtrace", "info threads", "detach"),
        ("bt", "thread list", "process detach"),
        attach=True,
    ),
    Scenario(
        "memory",
        "memory",
        ("info proc mappings", "x/16xb $sp", "set {int}($sp-256) = 7", "x/dw $sp-256", "kill"),
        (
            "memory region --all",
            "memory read -c 16 $sp",
            "memory write `$sp-256` 7",
            "memory read -c 4 `$sp-256`",
            "process kill",
        ),
    ),
)
