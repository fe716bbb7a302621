"""The macOS backend on a real child over the simulated Mach kernel keeps what every backend keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from pydbgserver.backends.macos.tracer import Tracer
from pydbgserver.backends.macos_sim.backend import SimBackend
from pydbgserver.target.api import LaunchSpec
from pydbgserver.target.capabilities import MemoryMap
from tests.contract import CHECKS, Subject
from tests.programs import Programs


@pytest.fixture(scope="module")
def backend(macos_sim: Path) -> SimBackend:
    return SimBackend(Tracer())


@pytest.fixture
def subject(backend: SimBackend, program: Programs) -> Iterator[Subject]:
    """The program "values" at its first instruction: code is its entry point, data its first writable page."""
    path = program("values")
    process = backend.launch(LaunchSpec(str(path), stdout="/dev/null"))
    with path.open("rb") as file:
        entry = ELFFile(file).header.e_entry
    memory_map = process.capability(MemoryMap)
    assert memory_map is not None
    mapped = [region for region in memory_map.regions() if region.name == str(path)]
    writable = next(region for region in mapped if "w" in region.permissions)
    yield Subject(backend, process, mapped[0].start + entry, writable.start)
    if process.pid in backend.processes:
        process.kill()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_contract(subject: Subject, check: Callable[[Subject], None]) -> None:
    check(subject)
