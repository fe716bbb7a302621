"""What a recorded session depends on beside the program."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from tempfile import gettempdir

from tests import programs

ROOT = Path(__file__).resolve().parents[2]

WORK = Path(gettempdir()) / "pydbgserver-corpus"
"""Where the programs of the corpus are and run: path and environment are on their stacks."""

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": "/"}


def build(name: str) -> Path:
    """The compiled program, without paths of this machine in it; another user's where the folder is theirs."""
    WORK.mkdir(exist_ok=True)
    output = WORK / name
    if output.exists() and not os.access(WORK, os.W_OK):
        return output
    made = WORK / f"{name}.{os.getpid()}"
    source = programs.source_of(name)
    command = [
        programs.COMPILER[source.suffix],
        *programs.flags_of(source),
        f"-ffile-prefix-map={ROOT}=.",
        "-o",
        str(made),
    ]
    subprocess.run([*command, str(source)], check=True, cwd=ROOT, timeout=60)
    made.replace(output)
    return output
