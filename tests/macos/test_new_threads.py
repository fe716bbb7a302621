"""Watchpoints in threads that the tracer has not seen before, and two of them hit at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from pydbgserver.backends.macos.tracer import Tracer
from pydbgserver.backends.macos_sim.backend import SimBackend
from pydbgserver.target.api import LaunchSpec, ResumeAction, ResumeKind
from pydbgserver.target.capabilities import HardwareDebug, MemoryMap
from pydbgserver.target.events import ProcessExited, WatchKind, WatchpointHit
from tests.programs import Programs

THREADS = 4
CONTINUE = (ResumeAction(ResumeKind.CONTINUE),)
TEN_SECONDS = 10_000_000


@pytest.fixture
def backend(macos_sim: Path) -> Iterator[SimBackend]:
    backend = SimBackend(Tracer())
    yield backend
    backend.release(kill_launched=True)


def offset(path: Path, name: str) -> int:
    with path.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection)
        value: int = next(one.entry.st_value for one in table.iter_symbols() if one.name == name)
        return value


def test_the_first_sign_of_a_thread_may_be_its_watchpoint(backend: SimBackend, program: Programs) -> None:
    """The status register is read before anything else is done to the thread: writing its debug registers clears it."""
    path = program("threads_many")
    spec = LaunchSpec(str(path), (str(THREADS), "1"), stdin="/dev/null", stdout="/dev/null")
    process = backend.launch(spec)
    memory_map, hardware = process.capability(MemoryMap), process.capability(HardwareDebug)
    assert memory_map is not None and hardware is not None
    total = next(one.start for one in memory_map.regions() if one.name == str(path)) + offset(path, "total")
    hardware.insert(WatchKind.WRITE, total, 8)
    writers: set[int] = set()
    for _ in range(THREADS + 1):
        events = backend.resume(CONTINUE, budget_us=TEN_SECONDS)
        if events == [ProcessExited(process.pid, exit_code=0)]:
            break
        assert all(isinstance(event, WatchpointHit) and event.address == total for event in events), events
        writers.update(event.tid for event in events if isinstance(event, WatchpointHit))
    assert len(writers) == THREADS and process.pid not in writers
    assert not backend.processes


def test_one_write_into_two_watched_ranges(backend: SimBackend, program: Programs) -> None:
    """gdb looks only at watchpoints that it is told of."""
    path = program("watch")
    process = backend.launch(LaunchSpec(str(path), stdin="/dev/null", stdout="/dev/null"))
    memory_map, hardware = process.capability(MemoryMap), process.capability(HardwareDebug)
    assert memory_map is not None and hardware is not None
    counter = next(one.start for one in memory_map.regions() if one.name == str(path)) + offset(path, "counter")
    for half in (counter, counter + 4):
        hardware.insert(WatchKind.WRITE, half, 4)
    (event,) = backend.resume(CONTINUE, budget_us=TEN_SECONDS)
    assert isinstance(event, WatchpointHit)
    assert (event.address, event.others) == (counter, ((WatchKind.WRITE, counter + 4),))
