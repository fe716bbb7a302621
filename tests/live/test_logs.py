"""The log channels of the backend: ptrace calls and breakpoints, one line each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pydbgserver import logs
from pydbgserver.target.capabilities import HardwareDebug
from pydbgserver.target.events import ProcessExited, WatchKind
from tests.live.debuggee import Debuggees


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "log"
    logs.configure(["ptrace", "breakpoints"], path=str(path))
    yield path
    logs.configure([])


def test_ptrace_calls_and_breakpoints_are_logged(log: Path, debuggees: Debuggees) -> None:
    target = debuggees.launch("loop", "1")
    tick = target.plant("tick")
    hardware = target.process.capability(HardwareDebug)
    assert hardware is not None
    hardware.insert(WatchKind.WRITE, target.address("total"), 4)
    target.run()
    target.process.remove_breakpoint(tick, 1)
    lines = log.read_text().splitlines()
    assert any(line.startswith(f"[ptrace] ptrace(SEIZE, {target.pid}, ") for line in lines)
    assert any(line.startswith(f"[ptrace] ptrace(CONT, {target.pid}, ") for line in lines)
    assert f"[breakpoints] process {target.pid}: trap planted at {tick:#x}" in lines
    assert f"[breakpoints] process {target.pid}: trap at {tick:#x} removed" in lines
    assert any("debug registers" in line for line in lines)
    logs.configure([])
    size = log.stat().st_size
    hardware.remove(WatchKind.WRITE, target.address("total"), 4)
    assert isinstance(target.run()[0], ProcessExited)
    assert log.stat().st_size == size
