"""Memory as it is mapped: every protection, holes, prefixes, allocation, regions."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import pytest

from pydbgserver.errors import BadAddress, DebugError
from pydbgserver.target.capabilities import (
    Auxv,
    MemoryAllocation,
    MemoryMap,
    OpenFile,
    OpenFiles,
    Region,
    SharedLibraries,
)
from pydbgserver.target.events import BreakpointHit, Interrupted, ProcessExited
from tests.live.debuggee import Debuggee, Debuggees

PAGE = 4096


@pytest.fixture
def mapped(debuggees: Debuggees) -> Debuggee:
    target = debuggees.launch("memory", stdin="/dev/null")
    target.plant("mapped")
    assert isinstance(target.run()[0], BreakpointHit)
    return target


def test_reads_through_every_protection(mapped: Debuggee) -> None:
    pages = mapped.long_at("pages")
    for index, letter in enumerate(b"WRNX"):
        assert mapped.process.read_memory(pages + index * PAGE, PAGE) == bytes([letter]) * PAGE


def test_reads_give_the_prefix_before_a_hole(mapped: Debuggee) -> None:
    hole = mapped.long_at("pages") + 4 * PAGE
    memory_map = mapped.process.capability(MemoryMap)
    assert memory_map is not None
    assert memory_map.region_at(hole).permissions == ""
    assert mapped.process.read_memory(hole - 3, 64) == b"XXX"
    with pytest.raises(BadAddress):
        mapped.process.read_memory(hole, 1)
    assert mapped.process.read_memory(hole, 0) == b""


def test_writes_through_every_protection(mapped: Debuggee) -> None:
    pages = mapped.long_at("pages")
    mapped.process.write_memory(pages + PAGE - 2, b"ab" + b"c" * PAGE + b"d" * PAGE + b"ef")
    assert mapped.process.read_memory(pages + PAGE - 2, 4) == b"abcc"
    assert mapped.process.read_memory(pages + 3 * PAGE - 1, 3) == b"def"
    assert mapped.run() == [ProcessExited(mapped.pid, exit_code=1)]


def test_write_into_a_hole(mapped: Debuggee) -> None:
    hole = mapped.long_at("pages") + 4 * PAGE
    with pytest.raises(BadAddress):
        mapped.process.write_memory(hole - 1, b"ab")


def test_region_fields(mapped: Debuggee) -> None:
    pages = mapped.long_at("pages")
    memory_map = mapped.process.capability(MemoryMap)
    assert memory_map is not None
    permissions = [memory_map.region_at(pages + index * PAGE).permissions for index in range(4)]
    assert permissions == ["rw", "r", "", "rx"]
    stack = memory_map.region_at(mapped.register(mapped.pid, mapped.process.arch.sp.name))
    assert stack.kind == "stack" and stack.name == "[stack]"
    last = memory_map.region_at(2**64 - 1)
    assert last.end == 2**64
    assert pages in (memory_map.dirty_pages(memory_map.region_at(pages)) or ())
    assert "rd" in memory_map.flags(memory_map.region_at(pages))


def test_allocation_leaves_everything_as_it_was(mapped: Debuggee) -> None:
    allocation = mapped.process.capability(MemoryAllocation)
    memory_map = mapped.process.capability(MemoryMap)
    assert allocation is not None and memory_map is not None
    before = mapped.process.read_regset(mapped.pid, "general")
    address = allocation.allocate(3 * PAGE, "rwx")
    assert memory_map.region_at(address).permissions == "rwx"
    mapped.process.write_memory(address, b"hello")
    assert mapped.process.read_memory(address, 5) == b"hello"
    allocation.free(address)
    assert memory_map.region_at(address).permissions == ""
    with pytest.raises(DebugError, match="no memory was allocated at"):
        allocation.free(address)
    assert mapped.process.read_regset(mapped.pid, "general") == before
    assert mapped.run() == [ProcessExited(mapped.pid, exit_code=0)]


def test_allocation_keeps_an_interrupted_system_call(debuggees: Debuggees) -> None:
    target, child = debuggees.attach("memory")
    allocation = target.process.capability(MemoryAllocation)
    assert allocation is not None
    address = allocation.allocate(PAGE, "rw")
    target.start()
    assert target.interrupt() == [Interrupted(target.pid, target.pid)]
    allocation.free(address)
    target.start()
    assert child.stdin is not None
    child.stdin.close()
    assert target.wait() == [ProcessExited(target.pid, exit_code=0)]


def test_memory_of_a_running_process(debuggees: Debuggees) -> None:
    target, _ = debuggees.attach("spinner")
    memory_map = target.process.capability(MemoryMap)
    assert memory_map is not None
    region = memory_map.regions()[0]
    target.start()
    assert target.process.read_memory(region.start, 4) == b"\x7fELF"
    assert target.interrupt() == [Interrupted(target.pid, target.pid)]


def test_auxv_and_libraries(mapped: Debuggee) -> None:
    auxv, libraries = mapped.process.capability(Auxv), mapped.process.capability(SharedLibraries)
    assert auxv is not None and libraries is not None
    size, letter = mapped.process.arch.pointer_size, "Q" if mapped.process.arch.pointer_size == 8 else "I"
    words = struct.unpack(f"<{len(auxv.auxv()) // size}{letter}", auxv.auxv())
    assert dict(zip(words[::2], words[1::2], strict=True))[6] == PAGE
    main, found = libraries.libraries()
    names = [library.name for library in found]
    assert main and any(name.endswith("/libc.so.6") for name in names)
    libc = next(name for name in names if name.endswith("/libc.so.6"))
    assert libraries.load_address(libc) == next(lib.load_bias for lib in found if lib.name == libc)


def test_no_libraries_before_the_loader_ran(debuggees: Debuggees) -> None:
    target = debuggees.launch("loop")
    libraries = target.process.capability(SharedLibraries)
    assert libraries is not None and libraries.libraries()[1] == ()


def _regions(target: Debuggee) -> Sequence[Region]:
    memory_map = target.process.capability(MemoryMap)
    assert memory_map is not None
    return memory_map.regions()


def test_how_much_of_a_region_is_where(mapped: Debuggee) -> None:
    memory_map = mapped.process.capability(MemoryMap)
    assert memory_map is not None
    usage = memory_map.usage()
    assert usage is not None and set(usage) == {region.start for region in memory_map.regions()}
    written = usage[memory_map.region_at(mapped.long_at("pages")).start]
    assert (written.resident, written.dirty, written.swapped) == (PAGE, PAGE, 0)
    stack = next(region for region in memory_map.regions() if region.kind == "stack")
    assert 0 < usage[stack.start].dirty <= usage[stack.start].resident < stack.end - stack.start


def test_open_files(mapped: Debuggee) -> None:
    files = mapped.process.capability(OpenFiles)
    assert files is not None
    first, second = files.open_files()[:2]
    assert first == OpenFile(0, "r", 0, "/dev/null")
    assert (second.number, second.mode) == (1, "w") and "output" in second.name


def test_search_across_pieces_and_under_a_trap(mapped: Debuggee) -> None:
    pages = mapped.long_at("pages")
    search = mapped.process.search_memory
    mapped.process.write_memory(pages + PAGE - 2, b"find")
    assert search(pages, 4 * PAGE, b"find") == pages + PAGE - 2
    assert search(pages + PAGE - 1, 3 * PAGE, b"find") is None
    assert search(pages, PAGE + 1, b"find") is None, "not whole within the range"
    code = mapped.address("mapped")
    hidden = mapped.process.read_memory(code, 8)
    assert search(code & -PAGE, PAGE, hidden) == code
    stack = next(region for region in _regions(mapped) if region.kind == "stack")
    mapped.process.write_memory(stack.start + 0x1FFFE, b"a rare text")
    assert search(stack.start, stack.end - stack.start, b"a rare text") == stack.start + 0x1FFFE


def test_search_ends_where_nothing_is_mapped(mapped: Debuggee) -> None:
    pages = mapped.long_at("pages")
    with pytest.raises(BadAddress) as error:
        mapped.process.search_memory(pages, 16 * PAGE, b"not there")
    assert error.value.address == pages + 4 * PAGE
    with pytest.raises(BadAddress):
        mapped.process.search_memory(2**64 - PAGE, 2 * PAGE, b"not there")
