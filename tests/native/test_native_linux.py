"""The C tracer against a scripted kernel, under the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

NATIVE = Path(__file__).resolve().parents[2] / "native"
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
FLAGS = ("-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-fno-sanitize-recover=all")
WRAPPED = ("access", "open", "opendir", "readdir", "closedir")
NAMES = sorted(name for path in SOURCES for name in re.findall(r"^TEST\((\w+)\)", path.read_text(), re.MULTILINE))


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The C tests, compiled: run with a test's name."""
    binary = tmp_path_factory.mktemp("native") / "test_linux"
    includes = [f"-I{NATIVE}", f"-I{NATIVE / 'include'}"]
    wrapped = [f"-Wl,--wrap={name}" for name in WRAPPED]
    inputs = [*map(str, SOURCES), *wrapped]
    command = ["gcc", *FLAGS, "-fsanitize=address,undefined", *includes, "-o", str(binary), *inputs]
    compiled = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert compiled.returncode == 0, compiled.stderr
    return binary


def test_every_test_is_listed(program: Path) -> None:
    listed = subprocess.run([program], capture_output=True, text=True, timeout=30, check=True)
    assert sorted(listed.stdout.split()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_tracer(program: Path, name: str) -> None:
    done = subprocess.run([program, name], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "passed\n"), done.stderr
