"""Memory of every kind, the memory map, shared libraries and core files."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.clients import ClientKind
from tests.e2e.conftest import Debug
from tests.e2e.session import KILL, Step


def test_memory_read_write_and_map(debug: Debug, kind: ClientKind) -> None:
    """Pages (see memory.c): +0 rw, +0x1000 r--, +0x2000 ---, +0x3000 r-x, +0x4000 not mapped."""
    session = debug.start(kind, "memory")
    session.run(
        Step("break mapped", "breakpoint set -n mapped", r"Breakpoint 1"),
        Step("continue", "continue", r"mapped"),
        Step("x/4xb pages", "memory read -s 1 -c 4 -f x pages", r"0x57\s+0x57\s+0x57\s+0x57"),
        Step("x/2xg pages + 0x1000", "memory read -s 8 -c 2 -f x pages+0x1000", r"0x5252525252525252"),
        Step("x/4xb pages + 0x2000", "memory read -s 1 -c 4 -f x pages+0x2000", r"0x4e\s+0x4e\s+0x4e\s+0x4e"),
        Step(
            "x/8xb 0x10", "memory read 0x10", (), r"Cannot access memory at address 0x10", r"error: memory read failed"
        ),
        Step("x/6xb pages + 0x3ffe", "memory read -s 1 -c 2 -f x pages+0x3ffe", r"0x58\s+0x58"),
        Step(
            "set variable *(long *)(pages + 8) = 0x0102030405060708", "memory write -s 8 `pages+8` 0x0102030405060708"
        ),
        Step("x/2xg pages", "memory read -s 8 -c 2 -f x pages", (r"0x5757575757575757", r"0x0102030405060708")),
        Step("set variable *(short *)(pages + 0x1001) = 0x4142", "memory write -s 2 `pages+0x1001` 0x4142"),
        Step("x/4xb pages + 0x1000", "memory read -s 1 -c 4 -f x pages+0x1000", r"0x52\s+0x42\s+0x41\s+0x52"),
        Step("find pages, +0x1000, (char)0x58", None, r"not found"),
        Step(
            "find /b pages, +0x1000, 8, 7, 6",
            "memory find -e '(uint64_t)0x0102030405060708' -- pages `pages+0x1000`",
            r"0x[0-9a-f]+",
        ),
        Step("info proc mappings", None, (r"memory", r"\[heap\]|libc", r"\[stack\]")),
        Step(None, "memory region pages", r"rw-"),
        Step(None, "memory region pages+0x1000", r"r--"),
        Step(None, "memory region pages+0x2000", r"---"),
        Step(None, "memory region pages+0x3000", r"r-x"),
        Step(None, "memory region --all", (r"r-x .*memory", r"libc", r"\[stack\]|stack")),
        *KILL,
    )


def test_shared_libraries(debug: Debug, kind: ClientKind) -> None:
    session = debug.start(kind, "dlopen", debug.program("library"))
    session.run(
        Step("break loaded", "breakpoint set -n loaded", r"Breakpoint 1"),
        Step("set breakpoint pending on", None),
        Step("break library_function", "breakpoint set -n library_function", r"(?s)pending"),
        Step("continue", "continue", r"library_function", r"n=23", r"n=23"),
        Step("info sharedlibrary", "image list", (r"libc\.so|library\.so",)),
        Step("info sharedlibrary", "image list", r"library\.so"),
        Step("info sharedlibrary", "image list", r"libc\.so"),
        Step("info sharedlibrary", "image list", r"ld-linux"),
        Step("print library_number", "target variable library_number", r"= 77$"),
        Step("continue", "continue", r"loaded", r"result=100", r"result=100"),
        Step("break unloaded", "breakpoint set -n unloaded", r"Breakpoint 3"),
        Step("continue", "continue", r"unloaded"),
        Step("info sharedlibrary", "image list", r"libc\.so", not_sees=r"library\.so"),
        Step("continue", "continue", (), r"exited normally", r"exited with status = 0 "),
    )


def test_core_file(debug: Debug, kind: ClientKind, tmp_path: Path) -> None:
    core = tmp_path / "saved.core"
    session = debug.start(kind, "values")
    session.run(
        Step("break inner", "breakpoint set -n inner", r"Breakpoint 1"),
        Step("continue", "continue", r"inner"),
        Step(
            f"generate-core-file {core}",
            f"process save-core --style stack {core}",
            (),
            r"Saved corefile",
            r"Saved|succe|core",
        ),
        *KILL,
    )
    assert core.stat().st_size > 4096
    program = debug.program("values")
    reader = debug.client(kind, None)
    reader.run(
        Step(f"file {program}", None),
        Step(f"core-file {core}", f"target create {program} --core {core}", (), r"inner \(depth=3\)", r"Core file"),
        Step("backtrace", "thread backtrace", (r"inner", r"middle", r"outer", r"main")),
        Step("info registers rip", "register read rip", r"rip.*inner"),
        Step("up", "up", r"middle"),
    )
