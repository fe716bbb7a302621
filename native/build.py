"""Builds ``pydbgserver._native`` from native/*.c through cffi (API mode, abi3).

Each C family has its declarations once, in native/cdef/NAME.h: cffi reads
them, and native/include/NAME.h includes them for the C code.

``python native/build.py --inplace`` puts the module beside the package.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from cffi import FFI

NATIVE = Path(__file__).resolve().parent
ROOT = NATIVE.parent

COMMON = ("rsp", "registers")
SYSTEMS = {"linux": ("linux",), "darwin": ("mach",)}


def families() -> tuple[str, ...]:
    """The C families of this operating system: prefixes of native/*.c and names of native/cdef/*.h."""
    return COMMON + SYSTEMS.get(sys.platform, ())


def sources() -> list[str]:
    """native/*.c of this operating system, relative to the project's root as setuptools wants them."""
    wanted = families()
    return [
        str(path.relative_to(ROOT)) for path in sorted(NATIVE.glob("*.c")) if path.stem.split("_", 1)[0] in wanted
    ]


def make_builder() -> FFI:
    builder = FFI()
    names = [name for name in families() if (NATIVE / "cdef" / f"{name}.h").exists()]
    for name in names:
        builder.cdef((NATIVE / "cdef" / f"{name}.h").read_text())
    builder.set_source(
        "pydbgserver._native",
        "".join(f'#include "{name}.h"\n' for name in names),
        sources=sources(),
        include_dirs=["native/include", "native"],
        extra_compile_args=["-O3", "-Wall", "-Wextra", "-Wno-unused-parameter", "-fvisibility=hidden", "-std=gnu11"],
        py_limited_api=True,
    )
    return builder


ffibuilder = make_builder()

if __name__ == "__main__":
    if sys.argv[1:] != ["--inplace"]:
        sys.exit("usage: build.py --inplace")
    subprocess.run([sys.executable, "setup.py", "-q", "build_ext", "--inplace"], cwd=ROOT, check=True)
