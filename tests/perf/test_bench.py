"""The benchmark itself: it measures what it says, with the servers that are there. No time is judged."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench"


def run(*options: str) -> str:
    result = subprocess.run(
        [sys.executable, str(SCRIPT), *options], capture_output=True, text=True, timeout=100, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_one_row_as_json() -> None:
    measured = json.loads(run("--quick", "--json", "--only", "single step"))
    assert list(measured["medians"]) == ["single step"]
    times = measured["medians"]["single step"]
    assert "pydbgserver" in times
    assert all(value > 0 for value in times.values())


@pytest.mark.skipif(shutil.which("gdbserver") is None, reason="gdbserver is not installed")
def test_ratio_to_a_peer() -> None:
    lines = run("--quick", "--only", "round trip qC").splitlines()
    cells = [cell.strip() for cell in lines[2].strip("|").split("|")]
    assert cells[:2] == ["round trip qC", "us"]
    assert float(cells[-3]) > 0
