"""Core files that the server writes at lldb's request, read by both debuggers."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.e2e.clients import GDB, LLDB
from tests.e2e.conftest import Debug, require_client
from tests.e2e.servers import WAIT, find
from tests.e2e.session import Step, first_missing


def command(line: str, *sees: str) -> Step:
    return Step(None, line, sees)


def read_core(client: str, program: Path, core: Path, *commands: str) -> str:
    """What gdb or lldb say of a core."""
    kind = require_client(client)
    executable = find(kind.executables)
    assert executable is not None
    words: list[str | Path]
    if client == "gdb":
        words = [executable, "-nx", "-batch", *(word for line in commands for word in ("-ex", line)), program, core]
    else:
        words = [executable, "-x", "-b", *(word for line in commands for word in ("-o", line)), "-c", core, program]
    done = subprocess.run(words, capture_output=True, text=True, timeout=3 * WAIT, check=False)
    return done.stdout


def saved(debug: Debug, core: Path, name: str, *steps: Step) -> Path:
    """The program `name`, of which a core was written where `steps` have led."""
    require_client(LLDB.name)
    session = debug.start(LLDB, name)
    session.run(*steps, command(f"process save-core {core}"))
    return debug.program(name)


@pytest.mark.parametrize("client", [GDB.name, LLDB.name])
def test_a_crash(debug: Debug, tmp_path: Path, client: str) -> None:
    core = tmp_path / "core"
    program = saved(debug, core, "segfault", command("continue", r"SIGSEGV"))
    lines = {
        "gdb": ("bt", "print $_siginfo.si_signo", "info auxv", "print sink"),
        "lldb": ("bt", "process status", "image list", "p sink"),
    }
    sees = {
        "gdb": (r"#0 .* touch \(address=0x0", r"#1 .* main ", r"= 11$", r"AT_ENTRY", r"= 0$"),
        "lldb": (r"SIGSEGV", r"touch\(address=0x0", r"main", r"libc\.so", r"\(volatile long\)|0"),
    }
    said = read_core(client, program, core, *lines[client])
    assert first_missing(said, sees[client]) is None, said
    assert core.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["threads", "threads-32"])
@pytest.mark.parametrize("client", [GDB.name, LLDB.name])
def test_threads_with_their_own_variables(debug: Debug, tmp_path: Path, client: str, name: str) -> None:
    core = tmp_path / "core"
    steps = (command("breakpoint set -n all_here", r"Breakpoint 1"), command("continue", r"all_here"))
    program = saved(debug, core, name, *steps)
    lines = {
        "gdb": ("info threads", "bt", "disassemble all_here"),
        "lldb": ("thread list", "bt", "disassemble -n all_here"),
    }
    said = read_core(client, program, core, *lines[client])
    assert said.count("LWP" if client == "gdb" else "tid = ") >= 6, said
    assert "int3" not in said, said
    assert first_missing(said, (r"all_here", r"main")) is None, said


def test_a_place_that_is_not_there_is_said(debug: Debug, tmp_path: Path) -> None:
    """The folder is not on the server's machine: the file goes to a temporary one, and lldb fetches it from there."""
    require_client(LLDB.name)
    session = debug.start(LLDB, "values")
    hint = bytes(tmp_path / "core").hex()
    said = session.run(
        command(f"process plugin packet send qSaveCore;path-hint:{b'/no/such/core'.hex()}", r"core-path:")
    )
    path = Path(bytes.fromhex(said.partition("core-path:")[2].partition(";")[0]).decode())
    assert path.read_bytes()[:4] == b"\x7fELF"
    path.unlink()
    path.parent.rmdir()
    session.run(command(f"process plugin packet send qSaveCore;path-hint:{hint}", rf"core-path:{hint};"))


def test_a_failure_is_said_and_leaves_nothing(debug: Debug, tmp_path: Path) -> None:
    require_client(LLDB.name)
    session = debug.start(LLDB, "values")
    folder = tmp_path / "core"
    folder.mkdir()
    session.run(command(f"process plugin packet send qSaveCore;path-hint:{bytes(folder).hex()}", r"response: E15;"))
    assert list(tmp_path.glob("core*")) == [folder]
