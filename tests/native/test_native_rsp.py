"""The C codec under the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import subprocess
from pathlib import Path

NATIVE = Path(__file__).resolve().parents[2] / "native"
SOURCES = (
    "rsp.c",
    "rsp_answer.c",
    "rsp_io.c",
    "rsp_journal.c",
    "rsp_room.c",
    "rsp_turn.c",
    "registers.c",
    "tests/test_rsp.c",
)
FLAGS = ("-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-fno-sanitize-recover=all")


def test_codec_under_sanitizers(tmp_path: Path) -> None:
    binary = tmp_path / "test_rsp"
    sources = [str(NATIVE / name) for name in SOURCES]
    includes = [f"-I{NATIVE}", f"-I{NATIVE / 'include'}"]
    command = ["gcc", *FLAGS, "-fsanitize=address,undefined", *includes, "-o", str(binary), *sources]
    compiled = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert compiled.returncode == 0, compiled.stderr
    done = subprocess.run([str(binary)], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "all passed\n"), done.stderr
