"""The Mach tracer over the simulated kernel, built when its sources are newer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.macos.mach_calls import MachCalls, MappedProcesses

ROOT = Path(__file__).resolve().parents[2]
NATIVE = ROOT / "native"


def _stale(built: Path) -> bool:
    if not built.exists():
        return True
    sources = [*NATIVE.glob("*.c"), *NATIVE.glob("*.py")]
    for folder in ("cdef", "include", "macos_sim", "macos_compat"):
        sources.extend((NATIVE / folder).rglob("*.[ch]"))
    return max(path.stat().st_mtime for path in sources) > built.stat().st_mtime


@pytest.fixture(scope="session")
def macos_sim() -> Path:
    """The compiled simulation beside the package."""
    built = ROOT / "pydbgserver" / "_native_macos_sim.abi3.so"
    if _stale(built):
        command = [sys.executable, str(NATIVE / "build.py"), "--macos-sim"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
    return built


@pytest.fixture(scope="session")
def mac_extensions() -> dict[str, Path]:
    """The extension as zig builds it for both Macs, by architecture."""
    pytest.importorskip("ziglang", reason="zig builds for macOS: pip install '.[macos-test]'")
    folder = ROOT / "build" / "cross"
    platforms = {arch: f"macosx_11_0_{arch}" for arch in ("x86_64", "arm64")}
    built = {arch: folder / platform / "_native.abi3.so" for arch, platform in platforms.items()}
    if any(_stale(path) for path in built.values()):
        command = [sys.executable, str(NATIVE / "cross.py"), str(folder), *platforms.values()]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stderr
    return built


@pytest.fixture(scope="session")
def calls(macos_sim: Path) -> MachCalls:
    return MachCalls()


@pytest.fixture(scope="session")
def mapped(calls: MachCalls) -> MappedProcesses:
    return MappedProcesses(calls)


@pytest.fixture
def no_leak(calls: MachCalls) -> Iterator[None]:
    """Whatever the test does, it ends with the port rights it began with."""
    before = calls.ports()
    yield
    assert calls.ports() == before
