"""The sessions of the corpus: what a person types at gdb and at lldb. `scripts/record_corpus` records them."""

from __future__ import annotations

from dataclasses import dataclass

from tests.programs import line_of

RESUME = "@resume"
INTERRUPT = "@interrupt"
"""Let the program run, and stop it by Ctrl-C."""
RESUME_IN_BACKGROUND = "@background"
INTERRUPT_ONE = "@interrupt one"
"""In gdb's non-stop mode: let every thread run without waiting, and stop the present one."""


BARE = "bare"
"""The program that is the same on every machine: its sessions with this server are played against it in the tests."""


@dataclass(frozen=True)
class Scenario:
    """One session; no commands for a client: not with it. `attach`: the program runs already when the server comes.
    `platform`: by lldb's platform mode. `before`: gdb's commands before it connects.

    In commands ``{home}`` is a directory of the client's and ``{program}`` the program; an argument that begins with
    ``@`` is the path of another program.
    """

    name: str
    program: str
    gdb: tuple[str, ...] = ()
    lldb: tuple[str, ...] = ()
    attach: bool = False
    arguments: tuple[str, ...] = ()
    platform: bool = False
    before: tuple[str, ...] = ()


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
    Scenario(
        "exec",
        "exec",
        ("catch exec", "continue", "info inferiors", "break tick", "continue", "kill"),
        ("continue", "thread list", "breakpoint set -n tick", "continue", "process kill"),
        arguments=("@bare", "bare"),
    ),
    Scenario(
        "core",
        BARE,
        ("break tick", "continue", "gcore {home}/core", "kill"),
        ("breakpoint set -n tick", "continue", "process save-core -s stack {home}/core", "process kill"),
    ),
    Scenario(
        "platform",
        BARE,
        lldb=(
            "platform settings -w /tmp/pydbgserver-corpus",
            "platform status",
            "platform get-size {program}",
            "platform get-file {program} {home}/fetched",
            "platform put-file {home}/fetched /tmp/pydbgserver-corpus/copied",
            "platform file-exists /tmp/pydbgserver-corpus/copied",
            "platform shell echo words",
            "file {program}",
            "breakpoint set -n tick",
            "process launch",
            "bt",
            "process kill",
        ),
        platform=True,
    ),
    Scenario(
        "bare-breakpoints",
        BARE,
        (
            "break tick if *(long *)&counter == 2",
            "continue",
            "print *(long *)&counter",
            "backtrace",
            "finish",
            "delete",
            "continue",
        ),
        (
            "breakpoint set -n tick",
            "continue",
            "continue",
            "memory read -s 8 -c 1 -f d &counter",
            "thread step-out",
            "breakpoint delete",
            "continue",
        ),
    ),
    Scenario(
        # The condition cannot be computed the first time, is false then, and true in the end.
        "bare-condition",
        BARE,
        (
            "break tick if 10 / (5 - $r13) == 2",
            "continue",
            "print *(long *)&counter",
            "continue",
            "print *(long *)&counter",
            "delete",
            "continue",
        ),
    ),
    Scenario(
        "bare-step",
        BARE,
        ("break tick", "continue", "step", "stepi", "next", "nexti", "until", "kill"),
        ("breakpoint set -n tick", "continue", "step", "stepi", "next", "nexti", "finish", "process kill"),
    ),
    Scenario(
        "bare-watch",
        BARE,
        ("watch *(long *)&counter", "continue", "continue", "delete", "continue"),
        (
            "watchpoint set expression -s 8 -- &counter",
            "continue",
            "continue",
            "watchpoint delete 1",
            "continue",
        ),
    ),
    Scenario(
        "bare-registers",
        BARE,
        (
            "break tick",
            "continue",
            "info registers rip rsp rax r13",
            "set $rbx = 0x1122",
            "print/x $rbx",
            "x/4i $pc",
            "print $xmm0",
            "kill",
        ),
        (
            "breakpoint set -n tick",
            "continue",
            "register read rip rsp rax r13",
            "register write rbx 0x1122",
            "register read rbx xmm0",
            "disassemble -p -c 4",
            "process kill",
        ),
    ),
    Scenario(
        "bare-memory",
        BARE,
        (
            "break tick",
            "continue",
            "info proc mappings",
            "x/6xb &words",
            "set {long}&counter = 40",
            "x/gx &counter",
            "find &words, +64, 'y'",
            "info symbol tick",
            "continue",
            "x/gx &counter",
            "kill",
        ),
        (
            "breakpoint set -n tick",
            "continue",
            "memory region tick",
            "memory read -c 6 &words",
            "memory write -s 8 &counter 40",
            "memory read -s 8 -c 1 &counter",
            "continue",
            "memory read -s 8 -c 1 &counter",
            "process kill",
        ),
    ),
    Scenario(
        "bare-signals",
        BARE,
        ("continue", "print $_siginfo.si_signo", "catch syscall exit_group", "continue", "continue"),
        ("continue", "thread info", "continue"),
        arguments=("s",),
    ),
    Scenario(
        "bare-crash",
        BARE,
        ("continue", "backtrace", "print $_siginfo._sifields._sigfault.si_addr", "continue"),
        ("continue", "bt", "thread info", "continue"),
        arguments=("c",),
    ),
    Scenario(
        "bare-fork",
        BARE,
        ("catch fork", "continue", "info inferiors", "continue"),
        ("breakpoint set -n tick", "continue", "breakpoint delete", "continue"),
        arguments=("f",),
    ),
    Scenario(
        "bare-threads",
        BARE,
        ("break started", "continue", "info threads", "thread apply all print $pc", "next", "kill"),
        ("breakpoint set -n started", "continue", "thread list", "thread backtrace all", "process kill"),
        arguments=("t",),
    ),
    Scenario(
        "bare-interrupt",
        BARE,
        # In its loop before it is let run: wherever the interrupt finds it, it is there.
        ("break *spin", "continue", "delete", RESUME, INTERRUPT, "print $pc", "stepi", "kill"),
        (
            "breakpoint set -n spin",
            "continue",
            "breakpoint delete --force",
            RESUME,
            INTERRUPT,
            "register read rip",
            "thread list",
            "process kill",
        ),
        arguments=("w",),
    ),
    Scenario(
        "bare-attach",
        BARE,
        ("print $pc", "print *(long *)&counter", "info threads", "detach"),
        ("register read rip", "memory read -s 8 -c 1 &counter", "thread list", "process detach"),
        attach=True,
        arguments=("w",),
    ),
    Scenario(
        "non-stop",
        BARE,
        ("break tick", "continue", "info threads", "next", "delete", "continue"),
        before=("set non-stop on",),
    ),
    Scenario(
        "non-stop-threads",
        "threads_pause",
        (RESUME_IN_BACKGROUND, "info threads", "thread 2", INTERRUPT_ONE, "backtrace 1", "info threads", "kill"),
        before=("set non-stop on",),
        arguments=("2",),
    ),
)
