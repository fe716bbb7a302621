"""Debugging from an editor, as VS Code does it: through gdb's machine interface (its C/C++ extension) and through
lldb-dap (LLVM's extension), with the configurations that the README shows."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.e2e.clients import GDB
from tests.e2e.conftest import Debug, require_client
from tests.e2e.editors import DebugAdapter, MachineInterface, speaking_to
from tests.e2e.servers import WAIT, Server, find, start_server
from tests.programs import Programs, line_of, source_of

ADAPTERS = ("lldb-dap-19", "lldb-dap")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def mi(stack: ExitStack) -> MachineInterface:
    require_client(GDB.name)
    pipe = stack.enter_context(speaking_to(["gdb", "-nx", "--interpreter=mi", "-iex", "set sysroot /"]))
    return MachineInterface(pipe)


@pytest.fixture
def adapter(stack: ExitStack) -> DebugAdapter:
    executable = find(ADAPTERS)
    if executable is None:
        pytest.skip(f"{' or '.join(ADAPTERS)} is not installed")
    return DebugAdapter(stack.enter_context(speaking_to([executable])))


def serve(stack: ExitStack, style: str, *program: str) -> Server:
    server = start_server(style, program)
    stack.callback(server.close)
    return server


def test_machine_interface(stack: ExitStack, mi: MachineInterface, program: Programs) -> None:
    path = program("values")
    server = serve(stack, "gdb", str(path))
    for setting in ("mi-async on", "pagination off"):
        mi.ask(f"-gdb-set {setting}")
    mi.ask(f"-file-exec-and-symbols {path}")
    mi.ask(f"-target-select remote 127.0.0.1:{server.port}", "connected")
    line = line_of("values", "local_number += (int)local_real")
    number = re.search(r'bkpt=\{number="(\d+)"', mi.ask(f"-break-insert -f values.c:{line}"))
    mi.ask("-exec-continue", "running")
    stop = mi.wait_for(r"\*stopped")
    assert number and f'reason="breakpoint-hit",disp="keep",bkptno="{number[1]}"' in stop, stop
    assert 'func="inner",args=[{name="depth",value="3"}]' in stop
    assert [*re.findall(r'func="(\w+)"', mi.ask("-stack-list-frames 0 3"))] == ["inner", "middle", "outer", "main"]
    assert '{name="local_number",type="int",value="6"}' in mi.ask("-stack-list-variables --simple-values")
    assert 'value="1234"' in mi.ask('-data-evaluate-expression "global_number"')
    assert 'type="struct point"' in mi.ask('-var-create - * "corner"')
    assert re.search(
        r'register-values=\[\{number="16",value="0x[0-9a-f]+"\}\]', mi.ask("-data-list-register-values x 16")
    )
    mi.ask("-exec-next", "running")
    assert 'reason="end-stepping-range"' in mi.wait_for(r"\*stopped")
    mi.ask("-exec-finish", "running")
    assert 'gdb-result-var="$1",return-value="7"' in mi.wait_for(r"\*stopped")
    mi.ask("-break-delete")
    mi.ask("-exec-continue", "running")
    assert 'reason="exited-normally"' in mi.wait_for(r"\*stopped")


def test_machine_interface_while_the_program_runs(
    debug: Debug, stack: ExitStack, mi: MachineInterface, program: Programs
) -> None:
    """The pause button; a breakpoint is set in a pause, since gdb takes none for a remote program that runs."""
    target = debug.spawn("spinner")
    server = start_server("gdb", attach=target.pid)
    stack.callback(server.close)
    mi.ask("-gdb-set mi-async on")
    mi.ask(f"-file-exec-and-symbols {program('spinner')}")
    mi.ask(f"-target-select remote 127.0.0.1:{server.port}", "connected")
    mi.ask("-exec-continue", "running")
    mi.ask("-exec-interrupt")
    assert 'signal-name="SIGINT"' in mi.wait_for(r"\*stopped")
    assert 'func="main"' in mi.ask("-stack-info-frame")
    mi.ask(f"-break-insert spinner.c:{line_of('spinner', 'spins++')}")
    mi.ask("-exec-continue", "running")
    assert 'reason="breakpoint-hit"' in mi.wait_for(r"\*stopped")
    mi.ask("-break-delete")
    mi.ask("-target-detach")
    target.terminate()
    assert target.wait(WAIT) == 7


def test_debug_adapter(stack: ExitStack, adapter: DebugAdapter, program: Programs) -> None:
    path = program("values")
    server = serve(stack, "lldb", str(path))
    adapter.ask("initialize", adapterID="lldb-dap", linesStartAt1=True, columnsStartAt1=True, pathFormat="path")
    attached = adapter.send("attach", program=str(path), attachCommands=[f"gdb-remote {server.port}"])
    adapter.wait_for("initialized")
    line = line_of("values", "local_number += (int)local_real")
    source = {"path": str(source_of("values"))}
    placed = adapter.ask("setBreakpoints", source=source, breakpoints=[{"line": line}])
    assert [one["verified"] for one in placed["breakpoints"]] == [True]
    adapter.ask("configurationDone")
    attached()
    stop = adapter.wait_for("stopped")
    assert stop["reason"] == "breakpoint", stop
    thread = stop["threadId"]
    assert [one["id"] for one in adapter.ask("threads")["threads"]] == [thread]
    frames = adapter.ask("stackTrace", threadId=thread)["stackFrames"]
    assert [frame["name"] for frame in frames][:4] == ["inner", "middle", "outer", "main"]
    scopes = adapter.ask("scopes", frameId=frames[0]["id"])["scopes"]
    places = {scope["name"]: scope["variablesReference"] for scope in scopes}
    local = adapter.ask("variables", variablesReference=places["Locals"])["variables"]
    assert {one["name"]: one["value"] for one in local}["local_number"] == "6"
    registers = adapter.ask("variables", variablesReference=places["Registers"])["variables"]
    assert registers[0]["name"] == "General Purpose Registers"
    called = adapter.ask("evaluate", expression="add(20, 3)", frameId=frames[0]["id"], context="watch")
    assert called["result"] == "23"
    adapter.ask("next", threadId=thread)
    assert adapter.wait_for("stopped")["reason"] == "step"
    adapter.ask("stepOut", threadId=thread)
    assert adapter.wait_for("stopped")["reason"] == "step"
    adapter.ask("setBreakpoints", source=source, breakpoints=[])
    adapter.ask("continue", threadId=thread)
    assert adapter.wait_for("exited")["exitCode"] == 0
    adapter.ask("disconnect")


def test_debug_adapter_while_the_program_runs(debug: Debug, stack: ExitStack, adapter: DebugAdapter) -> None:
    """The pause button; disconnecting from what was attached to leaves it running."""
    target = debug.spawn("spinner")
    server = start_server("lldb", attach=target.pid)
    stack.callback(server.close)
    adapter.ask("initialize", adapterID="lldb-dap", linesStartAt1=True, columnsStartAt1=True, pathFormat="path")
    command = f"gdb-remote {server.port}"
    attached = adapter.send("attach", program=str(debug.program("spinner")), attachCommands=[command])
    adapter.wait_for("initialized")
    adapter.ask("configurationDone")
    attached()
    # lldb-dap 19 loses a pause that comes before it has seen its own continue: with lldb-server, too.
    deadline = time.monotonic() + WAIT
    while "is running" not in adapter.ask("evaluate", expression="process status", context="repl")["result"]:
        assert time.monotonic() < deadline
    adapter.ask("pause", threadId=target.pid)
    stop = adapter.wait_for("stopped")
    frames = adapter.ask("stackTrace", threadId=stop["threadId"])["stackFrames"]
    assert frames[0]["name"] == "main"
    adapter.ask("disconnect", terminateDebuggee=False)
    target.terminate()
    assert target.wait(WAIT) == 7
