"""What only lldb does: its Python API on values, and launching a program by itself through our server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.clients import LLDB, ClientKind
from tests.e2e.conftest import Debug, require_client
from tests.e2e.servers import with_peers
from tests.e2e.session import KILL, Step


@pytest.fixture
def lldb() -> ClientKind:
    return require_client(LLDB.name)


def python(code: str, *sees: str) -> Step:
    """One line of lldb's embedded Python."""
    return Step(None, f"script {code}", lldb_sees=sees)


def test_python_walks_a_value(debug: Debug, lldb: ClientKind) -> None:
    session = debug.start(lldb, "walk")
    session.run(
        Step(None, "breakpoint set -n walk", r"Breakpoint 1"),
        Step(None, "continue", r"walk"),
        python("value = lldb.frame.EvaluateExpression('head')"),
        python("print(value.GetError().Success(), value.GetTypeName())", r"True Person \*"),
        python("person = value.Dereference()"),
        python("print([child.GetName() for child in person])", r"\['Named', 'tag', 'eyes', 'scores', 'next'\]"),
        python("print(hex(person.GetChildMemberWithName('tag').GetValueAsUnsigned()))", r"^0x1122334455667788$"),
        python("print(person.GetChildMemberWithName('scores').GetNumChildren())", r"^4$"),
        python(
            "print([score.GetValueAsSigned() for score in person.GetChildMemberWithName('scores')])",
            r"\[10, 20, 30, 40\]",
        ),
        python("data = person.GetChildMemberWithName('eyes').GetData()"),
        python("print(list(data.uint8))", r"\[150, 75, 0\]"),
        python("print(value.GetValueForExpressionPath('->first_name').GetSummary())", r'"Derek"'),
        python("print(value.GetValueForExpressionPath('->next->last_name').GetSummary())", r'"Lovelace"'),
        python("named = person.GetChildAtIndex(0)"),
        python("first = named.GetChildMemberWithName('first_name').GetValueAsUnsigned()"),
        python("last = named.GetChildMemberWithName('last_name').GetValueAsUnsigned()"),
        python("error = lldb.SBError()"),
        python("print(lldb.process.ReadCStringFromMemory(last, 64, error))", r"^Selander$"),
        python("print(lldb.process.ReadPointerFromMemory(person.GetLoadAddress() + 8, error) == first)", r"^True$"),
        python("print(lldb.target.EvaluateExpression('sum(*list)').GetValueAsSigned())", r"^100$"),
        python("made = lldb.target.EvaluateExpression('Colour $made = {1, 2, 3}; $made.blue += 39; $made')"),
        python(
            "print(made.GetError().Success(), made.GetChildMemberWithName('blue').GetValueAsUnsigned())", r"True 42"
        ),
        Step(None, "x/gx `&head->tag`", r"0x[0-9a-f]+: 0x1122334455667788"),
        Step(None, "x/gx 'head'", r"0x[0-9a-f]+: 0x0000[0-9a-f]{12}"),
        python("print(person.GetChildMemberWithName('tag').SetValueFromCString('7'))", r"True"),
        Step(None, "expression head->tag", r"= 7$"),
        python("print(lldb.frame.EvaluateExpression('*(int *)0').GetError())", r"(?i)(couldn't|failed|error|memory)"),
        *KILL,
    )


def test_python_walks_a_value_of_c(debug: Debug, lldb: ClientKind) -> None:
    """Expressions with options: a language, no breakpoints, a time limit, of one thread only."""
    session = debug.start(lldb, "values")
    session.run(
        Step(None, "breakpoint set -n middle", r"Breakpoint 1"),
        Step(None, "continue", r"middle"),
        Step(None, "breakpoint set -n add", r"Breakpoint 2"),
        python("options = lldb.SBExpressionOptions()"),
        python("options.SetLanguage(lldb.eLanguageTypeC99)"),
        python("options.SetIgnoreBreakpoints(True)"),
        python("options.SetTryAllThreads(False)"),
        python("options.SetTimeoutInMicroSeconds(10000000)"),
        python("where = lldb.frame.EvaluateExpression('where', options)"),
        python("print(where.GetError().Success(), where.GetTypeName())", r"True point \*"),
        python("print([child.GetName() for child in where.Dereference()])", r"\['x', 'y', 'name'\]"),
        python("print(list(where.GetPointeeData().uint32)[:2])", r"\[3, 4\]"),
        python("print(list(where.Dereference().GetData().uint8)[:8])", r"\[3, 0, 0, 0, 4, 0, 0, 0\]"),
        python("print(where.GetValueForExpressionPath('->name[2]').GetValue())", r"'r'"),
        python("print(where.GetChildMemberWithName('name').GetSummary())", r'"corner"'),
        python("print(lldb.frame.EvaluateExpression('add(where->x, where->y)', options).GetValueAsSigned())", r"^7$"),
        python("print(lldb.target.FindBreakpointByID(2).GetHitCount() > 0)", r"^True$"),
        python("print(lldb.frame.EvaluateExpression('global_text', options).GetSummary())", r'"global text"'),
        python("print(lldb.frame.EvaluateExpression('where->nothing', options).GetError())", r"no member named"),
        *KILL,
    )


def test_an_expression_may_start_other_programs(debug: Debug, lldb: ClientKind) -> None:
    if with_peers():
        pytest.skip("lldb 19 gives an expression up when lldb-server tells it of a vfork")
    session = debug.start(lldb, "vfork")
    session.run(
        Step(None, "breakpoint set -n by_posix_spawn", r"Breakpoint 1"),
        Step(None, "continue", r"by_posix_spawn"),
        Step(None, 'expression (int)system("exit 3")', r"= 768$"),
        Step(None, "expression by_vfork()", r"= 0$"),
        Step(None, "continue", r"exited with status = 0 "),
    )
    session.wait_for_output("vfork 0 posix_spawn 0")


def test_dirty_pages_of_a_region(debug: Debug, lldb: ClientKind) -> None:
    session = debug.start(lldb, "watch")
    session.run(
        Step(None, "breakpoint set -n change", r"Breakpoint 1"),
        Step(None, "continue", r"change"),
        Step(None, "memory region &counter", r"rw-", not_sees="dirty"),
        Step(None, "process plugin packet monitor set dirty-pages 1", r"Dirty pages are listed"),
        Step(None, "continue", r"change"),
        Step(None, "memory region &counter", r"\(dirty\) page list provided, [1-9]\d* entr"),
        *KILL,
    )


def test_local_launch_with_our_server(debug: Debug, lldb: ClientKind, tmp_path: Path) -> None:
    """LLDB_DEBUGSERVER_PATH=SERVER lldb PROG: run, the terminal's input to the program, its output, its status."""
    session = debug.client(lldb, debug.program("echo"), {"LLDB_DEBUGSERVER_PATH": str(debug.executable(tmp_path))})
    session.resume(lldb="run")
    session.wait_for_output("ready")
    session.client.send("hello\n")
    session.wait_for_output("echo: hello")
    session.client.send("quit\n")
    session.wait_for_stop("", r"exited with status = 0 ")
    session.wait_for_output("lines 2")


def test_local_launch_stopped_with_arguments_and_files(debug: Debug, lldb: ClientKind, tmp_path: Path) -> None:
    program = debug.program("arguments")
    output = tmp_path / "output"
    session = debug.client(lldb, program, {"LLDB_DEBUGSERVER_PATH": str(debug.executable(tmp_path))})
    session.run(
        Step(None, "breakpoint set -n main", r"Breakpoint 1"),
        Step(
            None,
            f"process launch -w {tmp_path} -E TEST_WORD='two words' -o {output} -- one 'two words'",
            r"breakpoint 1\.1",
        ),
        Step(None, "continue", r"exited with status = 0 "),
    )
    written = output.read_text()
    for expected in (
        "argument 1 [one]\n",
        "argument 2 [two words]\n",
        f"directory [{tmp_path}]\n",
        "variable [TEST_WORD=two words]\n",
        "randomized 0\n",
    ):
        assert expected in written
    assert "blocked" not in written
    session.run(
        Step(None, "process launch -s", r"launched"),
        Step(None, "thread list", r"stop reason = signal SIGSTOP"),
        *KILL,
    )


def test_local_launch_of_what_cannot_be_executed(debug: Debug, lldb: ClientKind, tmp_path: Path) -> None:
    """The error comes in words, and the same lldb can go on with another program."""
    program = debug.program("exit_code")
    session = debug.client(lldb, program, {"LLDB_DEBUGSERVER_PATH": str(debug.executable(tmp_path))})
    session.run(
        Step(None, "process launch -w /nonexistent/directory", r"error: .*([Nn]o such file|chdir|directory)"),
        Step(None, "process launch -- 3", r"exited with status = 3 "),
    )
