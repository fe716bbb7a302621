"""The sessions of gdb and lldb once more, on the macOS backend: a Linux program over the simulated Mach kernel.

Memory, registers, breakpoints, steps, signals and ends come through Mach calls here (docs/macos.md). A session that the
simulation cannot have, or in which macOS differs, is listed with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e import test_everyday, test_memory_and_files, test_processes, test_threads_signals
from tests.e2e.clients import ClientKind
from tests.e2e.conftest import Debug
from tests.e2e.session import KILL, Step
from tests.macos.conftest import macos_sim  # noqa: F401 - builds the simulation
from tests.programs import Programs

MODULES = (test_everyday, test_memory_and_files, test_processes, test_threads_signals)

NO_FORK_EVENTS = "macOS tells a debugger nothing of forks"
NO_TLS = "the base of thread-local storage (fs_base) is in no Mach thread state"
LEFT_OUT = {
    "test_fork_parent_followed": NO_FORK_EVENTS,
    "test_fork_child_followed": NO_FORK_EVENTS,
    "test_five_threads_with_thread_locals": NO_TLS,
    "test_memory_read_write_and_map": "mach_vm_read cannot read a page without permissions; see the test below",
    "test_segmentation_fault": "macOS has Mach exceptions for faults, and no siginfo; see the test below",
}

for module in MODULES:
    for name, function in vars(module).items():
        if name.startswith("test_"):
            globals()[name] = function


@pytest.fixture
def debug(request: pytest.FixtureRequest, program: Programs, tmp_path: Path, macos_sim: Path) -> Iterator[Debug]:  # noqa: F811
    node: pytest.Function = request.node
    reason = LEFT_OUT.get(node.name) or LEFT_OUT.get(node.originalname)
    if reason:
        pytest.skip(reason)
    with ExitStack() as stack:
        yield Debug(program, tmp_path, stack, ["--backend", "macos-sim"])


def test_what_is_left_out_is_there_elsewhere() -> None:
    names = {name for module in MODULES for name in vars(module) if name.startswith("test_")}
    assert {name.partition("[")[0] for name in LEFT_OUT} <= names


def test_a_breakpoint_in_a_code_page_goes_by_way_of_a_copy(debug: Debug, kind: ClientKind, tmp_path: Path) -> None:
    """The kernel refuses write permission, grants it with VM_PROT_COPY, and gets the old protection back."""
    log = tmp_path / "ptrace.log"
    session = debug.start(kind, "loop", options=["--log-channels", "ptrace", "--log-file", str(log)])
    session.run(
        Step("break tick", "breakpoint set -n tick", r"Breakpoint 1"),
        Step("continue", "continue", (), r"Breakpoint 1, tick", r"stop reason = breakpoint 1\.1"),
        Step("info symbol $pc", "memory region $pc", (), (), r"r-x"),
        Step("delete", "breakpoint delete -f"),
        Step("continue", "continue", (), r"exited normally", r"exited with status = 0 "),
    )
    calls = [
        line.partition("mach_vm_protect(")[2] for line in log.read_text().splitlines() if "mach_vm_protect" in line
    ]
    assert "KERN_SUCCESS" in calls[-1]
    refused = next(index for index, call in enumerate(calls) if "0x3) = 2 KERN_PROTECTION_FAILURE" in call)
    page = calls[refused].split(", ")[1]
    assert page in calls[refused + 1] and "0x13) = 0 KERN_SUCCESS" in calls[refused + 1]
    assert page in calls[refused + 2] and "0x5) = 0 KERN_SUCCESS" in calls[refused + 2]


def test_the_server_says_that_it_is_test_equipment(debug: Debug, kind: ClientKind) -> None:
    session = debug.start(kind, "loop")
    session.wait_for_output(r"--backend macos-sim is test equipment")


@pytest.mark.parametrize(
    ("argument", "signal", "exception"),
    [
        ("0", "SIGSEGV", r"EXC_BAD_ACCESS \(code=1, address=0x0\)"),
        ("0x7000dead000", "SIGSEGV", r"EXC_BAD_ACCESS \(code=1, address=0x7000dead000\)"),
        ("protected", "SIGBUS", r"EXC_BAD_ACCESS \(code=2, address=0x[0-9a-f]+\)"),
    ],
)
def test_a_fault_is_a_mach_exception(
    debug: Debug, kind: ClientKind, argument: str, signal: str, exception: str
) -> None:
    """lldb gets metype and medata; gdb the signal that the exception becomes. Only SIGBUS tells a protected page."""
    session = debug.start(kind, "segfault", argument)
    session.run(
        Step("continue", "continue", (), rf"received signal {signal}", rf"stop reason = {exception}"),
        Step("backtrace", "thread backtrace", r"touch"),
        *KILL,
    )


def test_memory_of_every_protection_is_written(debug: Debug, kind: ClientKind) -> None:
    """Read-only and inaccessible pages are made writable for the write and get their protection back."""
    session = debug.start(kind, "memory")
    session.run(
        Step("break mapped", "breakpoint set -n mapped", r"Breakpoint 1"),
        Step("continue", "continue", (), r"Breakpoint 1, mapped", r"stop reason = breakpoint 1\.1"),
        Step("set var pages[0x1000] = 7", "memory write pages+0x1000 7"),
        Step("x/2xb pages + 0x1000", "memory read -s 1 -c 2 -f x pages+0x1000", r"0x07\s+0x52"),
        Step("set var pages[0x2000] = 7", "memory write pages+0x2000 7"),
        Step("x/xb pages + 0x2000", "memory read -s 1 -c 1 -f x pages+0x2000", (), r"Cannot access", r"error"),
        Step("monitor maps", "process plugin packet monitor maps", (r"REGION TYPE", r"r-x/r-x SM=COW", r"TOTAL")),
        *KILL,
    )
