"""Builds ``pydbgserver._native`` from native/*.c through cffi (API mode, abi3).

Each C family has its declarations once, in native/cdef/NAME.h: cffi reads
them, and native/include/NAME.h includes them for the C code.

``python native/build.py --inplace`` puts the module beside the package.
``python native/build.py --macos-sim`` does the same with
``pydbgserver._native_macos_sim``: native/mach_*.c over a kernel that
native/macos_sim simulates on Linux. It is test equipment and never installed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from cffi import FFI

NATIVE = Path(__file__).resolve().parent
ROOT = NATIVE.parent

COMMON = ("registers", "rsp", "agent_expr", "traps")  # in the order of their declarations
SYSTEMS = {"linux": ("linux",), "darwin": ("mach",)}


def families(system: str = sys.platform) -> tuple[str, ...]:
    """The C families of an operating system: prefixes of native/*.c and names of native/cdef/*.h."""
    return COMMON + SYSTEMS.get(system, ())


def sources(system: str = sys.platform) -> list[str]:
    """native/*.c of an operating system, relative to the project's root as setuptools wants them."""
    return sorted(
        {
            str(path.relative_to(ROOT))
            for name in families(system)
            for path in (*NATIVE.glob(f"{name}.c"), *NATIVE.glob(f"{name}_*.c"))
        }
    )


FLAGS = ["-Wall", "-Wextra", "-Wno-unused-parameter", "-fvisibility=hidden", "-std=gnu11"]
SIMULATION = NATIVE / "macos_sim"


def make_builder(system: str = sys.platform) -> FFI:
    builder = FFI()
    names = [name for name in families(system) if (NATIVE / "cdef" / f"{name}.h").exists()]
    for name in names:
        builder.cdef((NATIVE / "cdef" / f"{name}.h").read_text())
    builder.set_source(
        "pydbgserver._native",
        "".join(f'#include "{name}.h"\n' for name in names),
        sources=sources(system),
        include_dirs=["native/include", "native"],
        extra_compile_args=["-O3", *FLAGS],
        py_limited_api=True,
    )
    return builder


def mach_sources() -> list[Path]:
    return [*sorted(NATIVE.glob("mach_*.c")), NATIVE / "traps.c"]


def make_simulation_builder() -> FFI:
    """`pydbgserver._native_macos_sim`: the Mach tracer with the simulated kernel."""
    builder = FFI()
    for header in (NATIVE / "cdef" / "mach.h", SIMULATION / "cdef.h"):
        builder.cdef(header.read_text())
    builder.set_source(
        "pydbgserver._native_macos_sim",
        '#include "mach.h"\n#include "sim.h"\n',
        sources=[str(path) for path in (*mach_sources(), *sorted(SIMULATION.glob("*.c")))],
        include_dirs=[str(SIMULATION / "include"), str(NATIVE / "include"), str(SIMULATION)],
        extra_compile_args=["-O1", "-Werror", *FLAGS],
        py_limited_api=True,
    )
    return builder


def build_simulation() -> Path:
    """Compile it and put it beside the package."""
    with tempfile.TemporaryDirectory() as build:
        made = Path(make_simulation_builder().compile(tmpdir=build))
        placed = ROOT / "pydbgserver" / made.name
        # Whoever loads it meanwhile gets the old one or the new one.
        beside = placed.with_suffix(".new")
        shutil.copy(made, beside)
        beside.replace(placed)
    return placed


ffibuilder = make_builder()

if __name__ == "__main__":
    if sys.argv[1:] == ["--inplace"]:
        subprocess.run([sys.executable, "setup.py", "-q", "build_ext", "--inplace"], cwd=ROOT, check=True)
    elif sys.argv[1:] == ["--macos-sim"]:
        build_simulation()
    else:
        sys.exit("usage: build.py --inplace | --macos-sim")
