"""Everyday debugging: breakpoints, stepping, stacks, values, calls, watchpoints and how programs end."""

from __future__ import annotations

import pytest

from tests.e2e.clients import ClientKind
from tests.e2e.conftest import Debug
from tests.e2e.servers import with_peers
from tests.e2e.session import KILL, Step
from tests.programs import line_of


def test_breakpoints_and_steps(debug: Debug, kind: ClientKind) -> None:
    session = debug.start(kind, "loop")
    session.run(
        Step("break main", "breakpoint set -n main", r"Breakpoint 1", lldb_sees=r"loop`main"),
        Step("continue", "continue", (), r"Breakpoint 1, main", r"stop reason = breakpoint 1\.1"),
        Step("break tick if i == 3", "breakpoint set -n tick -c 'i == 3'", r"Breakpoint 2"),
        Step(
            "continue",
            "continue",
            (),
            r"Breakpoint 2, tick \(i=3\)",
            (r"stop reason = breakpoint 2\.1", r"tick\(i=3\)"),
        ),
        Step(
            "backtrace",
            "thread backtrace",
            (),
            (r"#0 +tick \(i=3\)", r"#1 .*main"),
            (r"frame #0: .*tick\(i=3\)", r"#1: .*main"),
        ),
        Step("finish", "thread step-out", (), r"Value returned is .* = 6$", (r"step out", r"\(int\) \$\d+ = 6")),
        Step("print total", "expression total", r"= 6$"),
        Step("next", "thread step-over", r"tick\(i\);"),
        Step("disable 2", "breakpoint disable 2"),
        Step("step", "thread step-in", (), r"tick \(i=4\)", r"tick\(i=4\)"),
        Step("next", "thread step-over", r"return total;"),
        Step("stepi", "thread step-inst", (), r"^(0x[0-9a-f]+\s)?\d+\s", r"stop reason = instruction step into"),
        Step("info breakpoints", "breakpoint list", (), r"already hit 1 time", r"resolved = 1, hit count = 1"),
        Step("delete", "breakpoint delete", (), (), r"All breakpoints removed"),
        Step("continue", "continue", (), r"exited normally", r"exited with status = 0 "),
    )
    assert session.wait_for_output(r"total \d+") == "total 45"


def test_breakpoint_forms(debug: Debug, kind: ClientKind) -> None:
    """By line, once only, ignored some times, in hardware, disabled and enabled again."""
    line = line_of("loop", "return total;")
    session = debug.start(kind, "loop")
    session.run(
        Step("tbreak main", "breakpoint set -o true -n main", r"reakpoint 1"),
        Step("continue", "continue", (), r"Temporary breakpoint 1, main", r"stop reason = (breakpoint 1\.1|one-shot)"),
        Step(f"break loop.c:{line}", f"breakpoint set -f loop.c -l {line}", r"Breakpoint 2"),
        Step("ignore 2 4", "breakpoint modify -i 4 2", (), r"ignore next 4"),
        Step("continue", "continue", (), r"Breakpoint 2, tick \(i=4\)", r"tick\(i=4\)"),
        Step("disable 2", "breakpoint disable 2", (), (), r"1 breakpoints disabled"),
        Step("break tick", "breakpoint set -n tick", r"Breakpoint 3"),
        Step("continue", "continue", (), r"Breakpoint 3, tick \(i=5\)", (r"breakpoint 3\.1", r"tick\(i=5\)")),
        Step("delete 3", "breakpoint delete 3", (), (), r"1 breakpoints deleted"),
        Step("enable 2", "breakpoint enable 2", (), (), r"1 breakpoints enabled"),
        Step("continue", "continue", (), r"Breakpoint 2, tick \(i=5\)", r"tick\(i=5\)"),
        *KILL,
    )


def test_hardware_breakpoint(debug: Debug, kind: ClientKind) -> None:
    if with_peers() and kind.name == "lldb":
        pytest.skip("lldb-server 19 refuses every Z1 on x86")
    session = debug.start(kind, "loop")
    session.run(
        Step("hbreak main", "breakpoint set -H -n main", (), r"Hardware assisted breakpoint 1", r"Breakpoint 1"),
        Step("continue", "continue", (), r"Breakpoint 1, main", r"stop reason = breakpoint 1\.1"),
        Step("hbreak tick", "breakpoint set -H -n tick", (), r"Hardware assisted breakpoint 2", r"Breakpoint 2"),
        Step("continue", "continue", (), r"Breakpoint 2, tick \(i=0\)", (r"breakpoint 2\.1", r"tick\(i=0\)")),
        Step("continue", "continue", (), r"Breakpoint 2, tick \(i=1\)", (r"breakpoint 2\.1", r"tick\(i=1\)")),
        Step("delete", "breakpoint delete"),
        Step("continue", "continue", (), r"exited normally", r"exited with status = 0 "),
    )


def test_stack_and_values(debug: Debug, kind: ClientKind) -> None:
    session = debug.start(kind, "values")
    line = line_of("values", "local_number += ")
    session.run(
        Step(f"break {line}", f"breakpoint set -f values.c -l {line}", r"Breakpoint 1"),
        Step("continue", "continue", r"inner"),
        Step(
            "backtrace",
            "thread backtrace",
            (),
            (r"#0 +inner \(depth=3\)", r"#1 .*middle", r"#2 .*outer", r"#3 .*main"),
            (r"#0: .*inner\(depth=3\)", r"#1: .*middle", r"#2: .*outer", r"#3: .*main"),
        ),
        Step("info locals", "frame variable", (r"local_number = 6$", r"local_real = 1\.5"), (), ()),
        Step("up", "up", r"#1.*middle"),
        Step("print *where", "frame variable *where", (r"x = 3", r"y = 4", r'name = .*"corner"')),
        Step("print where->name", "expression where->name", r'"corner"'),
        Step("print global_number", "target variable global_number", r"= 1234$"),
        Step("print global_text", "target variable global_text", r'"global text"'),
        Step("print add(20, 3)", "expression add(20, 3)", r"= 23$"),
        Step('print $_strlen("four")', "expression (int)getppid()", (), r"= 4$", r"= [1-9]\d*$"),
        Step("set variable global_number = 77", "expression global_number = 77"),
        Step("print global_number", "target variable global_number", r"= 77$"),
        Step("frame 0", "frame select 0", r"inner"),
        Step("print depth = 10", "expression depth = 10", r"= 10$"),
        Step("finish", "thread step-out", (), r"Value returned is .* = 7$", r"\(int\) \$\d+ = 7$"),
        Step("continue", "continue", (), r"exited normally", r"exited with status = 0 "),
    )
    assert session.wait_for_output(r"result .*global text") == "result 12 3 global text"


def test_registers_and_code(debug: Debug, kind: ClientKind) -> None:
    session = debug.start(kind, "values")
    session.run(
        Step("break add", "breakpoint set -n add", r"Breakpoint 1"),
        Step("continue", "continue", r"add"),
        Step(
            "info registers",
            "register read",
            (r"rax +", r"rbx +", r"rsp +", r"rip +", r"eflags|rflags", r"fs_base|gs|fs"),
        ),
        Step(
            "info all-registers",
            "register read --all",
            (r"rax", r"st0|fctrl|fcw", r"mxcsr|xmm0"),
            r"[xyz]mm0",
            r"[xyz]mm0",
        ),
        Step("print/x $cs", "register read cs", r"0x0*33"),
        Step("set $rbx = 0x1122334455667788", "register write rbx 0x1122334455667788"),
        Step("print/x $rbx", "register read rbx", r"0x1122334455667788"),
        Step("print/x $bx", "register read bx", r"0x7788"),
        Step(
            "set $xmm1.v2_int64[0] = 0x1234",
            "register write xmm1 '{0x34 0x12 0 0 0 0 0 0 0 0 0 0 0 0 0 0}'",
        ),
        Step("print/x $xmm1.v2_int64[0]", "register read xmm1", (), r"0x1234", r"\{0x34 0x12 0x00"),
        Step("set $eflags = 0x202", "register write rflags 0x202"),
        Step("print $eflags", "register read rflags", (), r"IF", r"0x0*202"),
        Step("disassemble /r add", "disassemble -b -n add", (r"add", r"55 ", r"push", r"ret")),
        Step("x/2i $pc", "disassemble -p -c 2", (r"add\+?|add", r"mov|sub|add")),
        Step("info line add", "source info -n add", r"values\.c"),
        *KILL,
    )


def test_watchpoint(debug: Debug, kind: ClientKind) -> None:
    session = debug.start(kind, "watch")
    session.run(
        Step("break main", "breakpoint set -n main", r"Breakpoint 1"),
        Step("continue", "continue", r"main"),
        Step("watch counter", "watchpoint set variable counter", (), r"Hardware watchpoint 2", r"Watchpoint created"),
        Step("continue", "continue", (), (r"Old value = 0", r"New value = 10"), (r"old value: 0", r"new value: 10")),
        Step("continue", "continue", (), (r"Old value = 10", r"New value = 20"), (r"old value: 10", r"new value: 20")),
        Step("print counter", "expression counter", r"= 20$"),
        Step("print beside", "expression beside", r"= 2$"),
        Step("delete 2", "watchpoint delete 1", (), (), r"1 watchpoints deleted"),
        Step("continue", "continue", (), r"exited normally", r"exited with status = 0 "),
    )
    assert session.wait_for_output(r"counter \d+") == "counter 30"


def test_read_and_access_watchpoints(debug: Debug, kind: ClientKind) -> None:
    session = debug.start(kind, "watch")
    session.run(
        Step("break change", "breakpoint set -n change", r"Breakpoint 1"),
        Step("continue", "continue", r"change"),
        Step(
            "awatch counter",
            "watchpoint set variable -w read_write counter",
            (),
            r"Hardware access \(read/write\) watchpoint 2",
            r"Watchpoint created",
        ),
        Step("delete 1", "breakpoint delete 1"),
        Step("continue", "continue", (), r"Value = 0", r"stop reason = watchpoint 1"),
        Step("delete", "watchpoint delete 1"),
        Step(
            "rwatch beside", "watchpoint set variable -w read beside", (), r"read watchpoint 3", r"Watchpoint created"
        ),
        Step("continue", "continue", (), r"Value = 1", r"stop reason = watchpoint 2"),
        *KILL,
    )


def test_exit_code(debug: Debug, kind: ClientKind) -> None:
    session = debug.start(kind, "exit_code")
    session.run(
        Step("continue", "continue", (), r"exited with code 052", r"exited with status = 42 "),
        Step("info program", "process status", (), r"not being run", r"exited|no process"),
    )
    session.wait_for_output(r"ready")


def test_arguments_directory_and_environment(debug: Debug, kind: ClientKind) -> None:
    session = debug.start(kind, "arguments", "one", "two words", "$HOME 'quote\"")
    session.run(Step("continue", "continue", (), r"exited normally", r"exited with status = 0 "))
    for expected in (r"argument 1 \[one\]", r"argument 2 \[two words\]", r"argument 3 \[\$HOME 'quote\"\]"):
        session.wait_for_output(expected)
    session.wait_for_output(r"randomized 0")
    session.wait_for_output(r"ready")
    assert "blocked" not in session.program_output()
    if session.is_gdb or not with_peers():
        # lldb-server's SIGPIPE is ignored by what it starts.
        assert "ignored" not in session.program_output()
