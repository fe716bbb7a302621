"""The programs that tests and benchmarks debug: one behaviour each, compiled when first asked for.

Each program says "ready" on its stdout when it is where its first comment says, and then waits in the
kernel (or spins, where that is its behaviour); nothing in them sleeps or polls for time.

A name that ends in "-32" is the same program built for i386, one in "-static" without shared libraries.
PYDBGSERVER_TEST_CFLAGS=-m32 builds all others for i386.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

SOURCES = Path(__file__).parent
COMPILER = {".c": "gcc", ".cc": "g++", ".S": "gcc"}
FLAGS = ("-g", "-O0", "-Wall", "-Wextra", "-Werror", "-pthread")
# At fixed addresses, with nothing in it that depends on who builds it.
BARE = ("-g", "-nostdlib", "-static", "-no-pie", "-Wl,-Ttext=0x401000,-Tdata=0x402000,--build-id=none")
SHARED_LIBRARIES = frozenset({"library"})
NARROW = "-32"
STATIC = "-static"
VARIANTS = {NARROW: ["-m32"], STATIC: ["-static"]}


class Programs:
    """Compiles programs into `directory`, each at most once."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._built: dict[str, Path] = {}

    def __call__(self, name: str) -> Path:
        """The path of the compiled program (or shared library) `name`.

        Raises KeyError when there is no such source, RuntimeError with the compiler's words when it refuses.
        """
        if name not in self._built:
            self._built[name] = self._compile(name)
        return self._built[name]

    def has_narrow(self) -> bool:
        """Whether programs can be built for i386 here (Debian: gcc-multilib, g++-multilib)."""
        try:
            self(f"exit_code{NARROW}")
        except RuntimeError:
            return False
        return True

    def _compile(self, name: str) -> Path:
        source = source_of(name)
        shared = name in SHARED_LIBRARIES
        output = self.directory / (f"{name}.so" if shared else name)
        flags = (*FLAGS, "-shared", "-fPIC") if shared else flags_of(source)
        variant = VARIANTS.get(name.removeprefix(source.stem)) or os.environ.get("PYDBGSERVER_TEST_CFLAGS", "").split()
        command = [COMPILER[source.suffix], *flags, *variant, "-o", str(output), str(source)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60)
        if result.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}\n{result.stderr}")
        return output


def flags_of(source: Path) -> tuple[str, ...]:
    """The compiler's flags for an executable."""
    return BARE if source.suffix == ".S" else FLAGS


def source_of(name: str) -> Path:
    """The source file of the program `name`; KeyError when there is none."""
    for suffix in COMPILER:
        source = SOURCES / f"{name.removesuffix(NARROW).removesuffix(STATIC)}{suffix}"
        if source.exists():
            return source
    raise KeyError(name)


def line_of(name: str, text: str) -> int:
    """The number (from 1) of the first line of the program's source that contains `text`."""
    for number, line in enumerate(source_of(name).read_text().splitlines(), start=1):
        if text in line:
            return number
    raise KeyError(f"{text!r} in {name}")
