"""Builds ``pydbgserver._native`` for other systems with the zig tool chain (ziglang on PyPI).

``python native/cross.py OUT [PLATFORM...]`` leaves the extension in OUT/PLATFORM/_native.abi3.so. Platforms are called
as wheels call them: both Macs (macOS 11 and later), and Linux with glibc 2.28 and later.

Warnings are errors. For a Mac the objects are linked twice:

* as the extension: Python's own functions are looked up when a Mac's Python loads it. Such a link would also take a
  misspelt function of the system for one of Python's;
* as ``strict.dylib``, against the system's library and a stub of libpython only: here every function has to exist.

zig has the headers of macOS but not <mach/mach_vm.h> and <sys/ptrace.h>, which native/macos_compat stands in for.
cffi's C keeps to Python's limited API, for which the headers of any 64-bit Python of this machine do.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import build


@dataclass(frozen=True)
class Target:
    """`system` as sys.platform calls it, `zig` as zig calls the machine."""

    system: str
    zig: str


TARGETS = {
    "macosx_11_0_x86_64": Target("darwin", "x86_64-macos.11.0"),
    "macosx_11_0_arm64": Target("darwin", "aarch64-macos.11.0"),
    "manylinux_2_28_x86_64": Target("linux", "x86_64-linux-gnu.2.28"),
}
ZIG = (sys.executable, "-m", "ziglang")
COMPAT = build.NATIVE / "macos_compat"
NO_SANITIZER = "-O2"
"""Without optimization zig compiles its sanitizer's checks in."""
LINK = ("build-lib", "-dynamic", "-lc", "-fno-compiler-rt", "-fno-ubsan-rt")
"""What `zig cc` cannot be told: its runtimes are compiled before anything is linked, 22 s of processor time for each
target. Nothing here needs them; a link fails that would."""
MINUTES = 10 * 60


class CrossBuildError(Exception):
    """The tool chain's words."""


def run(*command: str | Path) -> None:
    """Raises `CrossBuildError` if the command fails or says anything: a linker's warnings have no -Werror."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=MINUTES, check=False)
    if done.returncode or done.stderr.strip():
        raise CrossBuildError(f"{' '.join(map(str, command))}\n{done.stderr or done.stdout}")


def emit(target: Target, out: Path) -> Path:
    """The C code that cffi makes of native/cdef."""
    generated = out / "_native.c"
    build.make_builder(target.system).emit_c_code(str(generated))
    return generated


def copy_python_headers(out: Path) -> Path:
    """Python's headers with the pyconfig.h of this machine. Debian's is for every machine that it supports: it includes
    one of several, by macros that a Mac's compiler does not define and from a folder that it does not search."""
    headers, folder = Path(sysconfig.get_paths()["include"]), out / "python"
    shutil.copytree(headers, folder, dirs_exist_ok=True)
    own = headers.parent / str(sysconfig.get_config_var("MULTIARCH")) / headers.name / "pyconfig.h"
    if own.exists():
        shutil.copyfile(own, folder / "pyconfig.h")
    return folder


def includes(target: Target, python: Path) -> list[str]:
    folders = [build.NATIVE / "include", build.NATIVE]
    if target.system == "darwin":
        folders.insert(0, COMPAT)
    # Python's folder comes last: it has no header of the system's.
    return [*(f"-I{folder}" for folder in folders), f"-I{python}"]


def compile_one(source: Path, target: Target, out: Path, python: Path) -> Path:
    """The object of one C file. Raises `CrossBuildError`."""
    made = out / f"{source.stem}.o"
    flags = [NO_SANITIZER, "-g0", "-fPIC", "-Werror", *build.FLAGS, *includes(target, python)]
    run(*ZIG, "cc", "-target", target.zig, *flags, "-c", source, "-o", made)
    return made


def compile_all(target: Target, out: Path) -> list[Path]:
    """The objects of every C file of the system, and of cffi's. Raises `CrossBuildError`."""
    out.mkdir(parents=True, exist_ok=True)
    sources = [emit(target, out), *(build.ROOT / name for name in build.sources(target.system))]
    python = copy_python_headers(out)
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return list(pool.map(lambda source: compile_one(source, target, out, python), sources))


def link(target: Target, inputs: list[Path], made: Path, *options: str) -> Path:
    """Raises `CrossBuildError`."""
    run(*ZIG, *LINK, "-target", target.zig, *options, *inputs, f"-femit-bin={made}")
    return made


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


def link_strict(target: Target, objects: list[Path], out: Path) -> Path:
    """For a Mac: every function has to be there. Raises `CrossBuildError`."""
    stub = out / "libpython3.tbd"
    write_python_stub(stub)
    return link(target, [*objects, stub], out / "strict.dylib")


def link_extension(target: Target, objects: list[Path], out: Path) -> Path:
    """Raises `CrossBuildError`."""
    made = out / "_native.abi3.so"
    mac = (
        ["-install_name", f"@rpath/{made.name}"] if target.system == "darwin" else [f"-fsoname={made.name}", "-fstrip"]
    )
    return link(target, objects, made, "-fallow-shlib-undefined", *mac)


def build_for(platform: str, out: Path) -> Path:
    """The extension for `platform`, for a Mac after the strict link. Raises `CrossBuildError`."""
    target = TARGETS[platform]
    objects = compile_all(target, out)
    if target.system == "darwin":
        link_strict(target, objects, out)
    return link_extension(target, objects, out)


def main(arguments: list[str]) -> None:
    if not arguments or not set(arguments[1:]) <= TARGETS.keys():
        sys.exit(f"usage: cross.py OUT [{'|'.join(TARGETS)}]...")
    for platform in arguments[1:] or TARGETS:
        print(build_for(platform, Path(arguments[0]) / platform))


if __name__ == "__main__":
    main(sys.argv[1:])
