"""C tests under the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

NATIVE = Path(__file__).resolve().parents[2] / "native"
FLAGS = ("-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-fno-sanitize-recover=all")


def compiled(binary: Path, sources: Iterable[Path], flags: Sequence[str] = ()) -> Path:
    """`binary`, compiled of `sources`."""
    includes = [f"-I{NATIVE}", f"-I{NATIVE / 'include'}"]
    inputs = [*map(str, sources), *flags]
    command = ["gcc", *FLAGS, "-fsanitize=address,undefined", *includes, "-o", str(binary), *inputs]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return binary


def passes(said: str, binary: Path, *arguments: str) -> None:
    """The program ends well and prints nothing but `said`."""
    done = subprocess.run([binary, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, f"{said}\n"), done.stderr
