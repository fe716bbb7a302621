"""Builds ``pydbgserver._native`` for both Macs on another system, with the zig tool chain (ziglang on PyPI).

``python native/macos_cross.py OUT`` leaves in OUT/ARCH, for x86_64 and arm64:

* ``_native.abi3.so``, the extension for macOS 11 and later. Python's own functions are looked up when a Mac's Python
  loads it; such a link would also take a misspelt function of the system for one of Python's.
* ``strict.dylib``, the same objects linked against the system's library and a stub of libpython only: here every
  function has to exist. It is thrown away by whoever only wants the extension.

Warnings are errors. zig has the headers of macOS but not <mach/mach_vm.h> and <sys/ptrace.h>, which
native/macos_compat stands in for. cffi's C takes part in Python's limited API, for which the headers of any 64-bit
Python of this machine do.
"""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import build

TARGETS = {"x86_64": "x86_64-macos.11.0", "arm64": "aarch64-macos.11.0"}
"""Macs as wheels call them, and as zig does."""
ZIG = (sys.executable, "-m", "ziglang", "cc")
COMPAT = build.NATIVE / "macos_compat"
NO_SANITIZER = "-O2"
"""Without optimization zig links its sanitizer's runtime in."""
MINUTES = 10 * 60


class CrossBuildError(Exception):
    """The tool chain's words."""


def run(*command: str | Path) -> None:
    """Raises `CrossBuildError` if the command fails or says anything: a linker's warnings have no -Werror."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=MINUTES, check=False)
    if done.returncode or done.stderr.strip():
        raise CrossBuildError(f"{' '.join(map(str, command))}\n{done.stderr or done.stdout}")


def emit(out: Path) -> Path:
    """The C code that cffi makes of native/cdef."""
    generated = out / "_native.c"
    build.make_builder("darwin").emit_c_code(str(generated))
    return generated


def includes() -> list[str]:
    folders = (COMPAT, build.NATIVE / "include", build.NATIVE)
    # Python's folder comes last: it has no header of the system's.
    return [*(f"-I{folder}" for folder in folders), f"-I{sysconfig.get_paths()['include']}"]


def compile_one(source: Path, target: str, out: Path) -> Path:
    made = out / f"{source.stem}.o"
    run(*ZIG, "-target", target, NO_SANITIZER, "-Werror", *build.FLAGS, *includes(), "-c", source, "-o", made)
    return made


def compile_all(arch: str, out: Path) -> list[Path]:
    """The objects of every C file of macOS, and of cffi's."""
    out.mkdir(parents=True, exist_ok=True)
    sources = [emit(out), *(build.ROOT / name for name in build.sources("darwin"))]
    with ThreadPoolExecutor(max_workers=2) as pool:
        return list(pool.map(lambda source: compile_one(source, TARGETS[arch], out), sources))


def write_python_stub(path: Path) -> None:
    """A text stub of libpython: what Python's headers declare."""
    folder = Path(sysconfig.get_paths()["include"])
    text = "\n".join(header.read_text(errors="replace") for header in folder.rglob("*.h"))
    names = sorted({f"_{name}" for name in re.findall(r"\b_?Py[A-Z]?\w*_\w+\b", text)})
    path.write_text(
        "--- !tapi-tbd\ntbd-version: 4\ntargets: [ x86_64-macos, arm64-macos ]\n"
        "install-name: '/python'\nexports:\n  - targets: [ x86_64-macos, arm64-macos ]\n"
        f"    symbols: [ {', '.join(names)} ]\n...\n"
    )


def link_strict(arch: str, objects: list[Path], out: Path) -> Path:
    """Every function has to be there. Raises `CrossBuildError`."""
    stub, made = out / "libpython3.tbd", out / "strict.dylib"
    write_python_stub(stub)
    run(*ZIG, "-target", TARGETS[arch], "-shared", *objects, stub, "-o", made)
    return made


def link_extension(arch: str, objects: list[Path], out: Path) -> Path:
    made = out / "_native.abi3.so"
    run(*ZIG, "-target", TARGETS[arch], "-shared", "-undefined", "dynamic_lookup", *objects, "-o", made)
    return made


def build_for(arch: str, out: Path) -> Path:
    """The extension for `arch`, after the strict link. Raises `CrossBuildError`."""
    objects = compile_all(arch, out)
    link_strict(arch, objects, out)
    return link_extension(arch, objects, out)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: macos_cross.py OUT")
    for name in TARGETS:
        print(build_for(name, Path(sys.argv[1]) / name))
