"""What a recorded session depends on beside the program."""

from __future__ import annotations

import ctypes
import os
import subprocess
from pathlib import Path
from tempfile import gettempdir

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import NoteSection

from tests import programs

ROOT = Path(__file__).resolve().parents[2]

WORK = Path(gettempdir()) / "pydbgserver-corpus"
"""Where the programs of the corpus are and run: path and environment are on their stacks."""

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": "/"}


def build(name: str) -> Path:
    """The compiled program, without paths of this machine in it."""
    WORK.mkdir(exist_ok=True)
    output = WORK / name
    made = WORK / f"{name}.{os.getpid()}"
    source = programs.source_of(name)
    command = [programs.COMPILER[source.suffix], *programs.FLAGS, f"-ffile-prefix-map={ROOT}=.", "-o", str(made)]
    subprocess.run([*command, str(source)], check=True, cwd=ROOT, timeout=60)
    made.replace(output)
    return output


def c_library() -> str:
    """The build id of this machine's C library: addresses in a session are those of one build of it."""
    ctypes.CDLL(None)
    maps = Path("/proc/self/maps").read_text()
    path = next(line.split()[-1] for line in maps.splitlines() if "/libc.so" in line or "/libc-" in line)
    with open(path, "rb") as file:
        for section in ELFFile(file).iter_sections():
            if isinstance(section, NoteSection) and section.name == ".note.gnu.build-id":
                return str(next(section.iter_notes())["n_desc"])
    return "unknown"
