"""The C tracer against a scripted kernel, under the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.native.sanitized import NATIVE, compiled, passes

PATTERNS = (
    "linux_*.c",
    "agent_expr*.c",
    "rsp_answer.c",
    "registers.c",
    "traps.c",
    "tests/test_linux*.c",
    "tests/scripted_*.c",
)
SOURCES = sorted(path for pattern in PATTERNS for path in NATIVE.glob(pattern))
WRAPPED = ("access", "open", "opendir", "readdir", "closedir")
NAMES = sorted(name for path in SOURCES for name in re.findall(r"^TEST\((\w+)\)", path.read_text(), re.MULTILINE))


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The C tests, compiled: run with a test's name."""
    wrapped = [f"-Wl,--wrap={name}" for name in WRAPPED]
    binary = tmp_path_factory.mktemp("native") / "test_linux"
    return compiled(binary, SOURCES, ["-Wno-unused-parameter", *wrapped])


def test_every_test_is_listed(program: Path) -> None:
    listed = subprocess.run([program], capture_output=True, text=True, timeout=30, check=True)
    assert sorted(listed.stdout.split()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_tracer(program: Path, name: str) -> None:
    passes("passed", program, name)
