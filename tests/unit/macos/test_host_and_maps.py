"""The Mac and its processes as clients are told of them; the memory map as vmmap prints it; Mach-O headers."""

from __future__ import annotations

import struct

import pytest

from pydbgserver.backends.macos import host, vmmap
from pydbgserver.backends.macos.vm_tags import protection_of, region_types, vmmap_type
from pydbgserver.errors import DebugError
from pydbgserver.target.capabilities import LoadedImage, MachImages, MemoryMap, SharedCache
from pydbgserver.target.macho import Segment, read_image, version
from tests.unit.macos.fake_mach import ARM64, CODE, DATA, PAGE, PID, X86_64, FakeMach, make


def segment(name: str, address: int, size: int, offset: int = 0, protection: int = 5) -> bytes:
    return struct.pack("<II16sQQQQiiII", 0x19, 72, name.encode(), address, size, offset, size, protection, 5, 0, 0)


def image(*commands: bytes, cpu: int = ARM64, kind: int = 2) -> bytes:
    body = b"".join(commands)
    return struct.pack("<IiiIIIII", 0xFEEDFACF, cpu, 0, kind, len(commands), len(body), 0x200085, 0) + body


UUID = struct.pack("<II16s", 0x1B, 24, bytes(range(16)))
BUILD = struct.pack("<IIIIII", 0x32, 24, 1, 0x000B0000, 0x000E0500, 0)
MAIN = image(segment("__TEXT", 0x100000000, 0x1000), segment("__DATA", 0x100004000, 0x1000, 0x1000, 3), UUID, BUILD)


def with_images(fake: FakeMach) -> None:
    """A main program at CODE, dyld_all_image_infos and the list in DATA."""
    task = fake.tasks[PID]
    task.regions[0].data[: len(MAIN)] = MAIN
    data = task.regions[1].data
    data[0x400 : 0x400 + 16] = b"/Users/dev/prog\0"
    data[0x100 + 24] = 1
    data[0x100 + 32 : 0x100 + 40] = (0x200000000).to_bytes(8, "little")
    data[0x100 + 160 : 0x100 + 176] = bytes(range(16))
    data[0x100 + 176 : 0x100 + 184] = (0x180000000).to_bytes(8, "little")
    fake.dyld = (DATA + 0x100, 400, 1)
    fake.images = [(CODE, DATA + 0x400, 5), (0x300000000, 0x9999, 0)]


def test_images() -> None:
    _, _, process = make(ARM64, prepare=with_images)
    images = process.capability(MachImages)
    assert images is not None and images.info_address() == DATA + 0x100
    assert images.images() == [
        LoadedImage(CODE, "/Users/dev/prog", 5),
        LoadedImage(0x300000000, ""),
        LoadedImage(0x200000000, "/usr/lib/dyld"),
    ]
    assert images.shared_cache() == SharedCache(0x180000000, bytes(range(16)), private=True)


def test_before_dyld_has_run_there_are_no_images() -> None:
    def early(fake: FakeMach) -> None:
        with_images(fake)
        fake.images = []

    _, _, process = make(ARM64, prepare=early)
    images = process.capability(MachImages)
    assert images is not None and images.images() == []


def test_a_header_with_its_load_commands() -> None:
    read = MAIN.__getitem__

    def at(address: int, length: int) -> bytes:
        return read(slice(address - CODE, address - CODE + length))

    found = read_image(CODE, at)
    assert found is not None
    assert (found.cpu_type, found.file_type, found.uuid) == (ARM64, 2, bytes(range(16)))
    assert (found.platform, found.minimum, found.sdk) == ("macosx", "11.0", "14.5")
    assert found.segments[1] == Segment("__DATA", 0x100004000, 0x1000, 0x1000, 0x1000, 3)
    assert found.slide(CODE + 0x8000) == 0x8000


@pytest.mark.parametrize(
    "data",
    [b"", b"\x7fELF" + bytes(60), MAIN[:40], image(struct.pack("<II", 0x19, 4)), image(struct.pack("<II", 0x19, 999))],
)
def test_what_is_no_whole_image(data: bytes) -> None:
    found = read_image(0, lambda address, length: data[address : address + length])
    assert found is None or not found.segments


def test_old_version_commands() -> None:
    old = image(struct.pack("<IIII", 0x24, 16, 0x000A0F07, 0x000A0F00))
    found = read_image(0, lambda address, length: old[address : address + length])
    assert found is not None and (found.platform, found.minimum) == ("macosx", "10.15.7")
    assert version(0x000B0000) == "11.0"


@pytest.mark.parametrize(("cpu", "name", "bits", "before"), [(X86_64, "x86_64", 0, False), (ARM64, "arm64", 47, True)])
def test_the_machine(cpu: int, name: str, bits: int, before: bool) -> None:
    _, backend, _ = make(cpu)
    info = backend.host_info()
    assert (info.triple, info.cpu_type, info.cpu_subtype) == (f"{name}-apple-macosx", cpu, 2)
    assert (info.os_version, info.os_build, info.hostname) == ("14.5", "23F79", "mac.local")
    assert (info.addressing_bits, info.watchpoints_before) == (bits, before)


def test_a_process_of_the_machine() -> None:
    fake, backend, _ = make()
    fake.arguments[PID] = (2).to_bytes(4, "little") + b"/Users/dev/prog\0\0\0prog\0a b\0HOME=/\0"
    info = backend.process_info(PID)
    assert (info.name, list(info.arguments), info.uid) == ("/Users/dev/prog", ["prog", "a b"], 501)
    assert (info.cpu_type, info.cpu_subtype, info.triple) == (X86_64, 3, "x86_64-apple-macosx")
    assert [one.pid for one in backend.list_processes()] == [PID]
    assert backend.processes_named("prog") == [PID]
    assert backend.processes_named("other") == []
    assert host.arguments(b"") == []
    with pytest.raises(DebugError):
        backend.process_info(4711)


@pytest.mark.parametrize(
    ("tag", "protection", "mode", "types", "column"),
    [
        (30, 3, 2, "stack", "Stack"),
        (30, 0, 3, "stack-guard", "STACK GUARD"),
        (1, 0, 3, "malloc-guard", "MALLOC guard page"),
        (1, 3, 3, "malloc-reserved", "MALLOC metadata"),
        (1, 3, 2, "malloc-metadata", "MALLOC metadata"),
        (7, 3, 2, "heap,malloc-tiny", "MALLOC_TINY"),
        (2, 3, 2, "heap,malloc-small", "MALLOC_SMALL"),
        (12, 3, 2, "heap,malloc-medium", "MALLOC_MEDIUM"),
        (73, 3, 2, "", "Kernel Alloc Once"),
        (0, 3, 2, "", "VM_ALLOCATE"),
        (200, 3, 2, "", "Memory Tag 200"),
    ],
)
def test_types_of_regions(tag: int, protection: int, mode: int, types: str, column: str) -> None:
    assert region_types(tag, protection, mode) == types
    assert vmmap_type(tag, protection) == column


def test_protections() -> None:
    assert [protection_of(text) for text in ("", "r", "rw", "rx", "rwx")] == [0, 1, 3, 5, 7]


@pytest.mark.parametrize(
    ("size", "text"),
    [(808, "808"), (4096, "4K"), (1 << 20, "1024K"), (8 << 20, "8192K"), (33869824, "32.3M"), (56 << 20, "56.0M")],
)
def test_sizes_as_vmmap_writes_them(size: int, text: str) -> None:
    assert vmmap.size_text(size) == text


def test_the_map_as_vmmap_prints_it() -> None:
    """The rows are formed as those of vmmap --wide on macOS 10.15, without its column PURGE."""
    _, _, process = make(ARM64, prepare=with_images)
    process.write_memory(DATA + 8, b"x")
    memory_map = process.capability(MemoryMap)
    assert memory_map is not None
    text = memory_map.listing()
    assert text is not None
    lines = text.splitlines()
    assert (
        "__TEXT                        100000000-100001000        [    4K     4K     0K     0K] r-x/r-x SM=COW "
        "/Users/dev/prog" in lines
    )
    assert (
        "__DATA                        100004000-100005000        [    4K     4K     4K     0K] rw-/rwx SM=PRV" in lines
    )
    assert (
        "STACK GUARD                7ffeef3ff000-7ffeef400000     [    4K     0K     0K     0K] ---/rwx SM=NUL" in lines
    )
    assert (
        "Stack                      7ffeef400000-7ffeef402000     [    8K     8K     0K     0K] rw-/rwx SM=PRV" in lines
    )
    headings = [line for line in lines if line.startswith("==== ")]
    assert headings == [f"==== {one} process {PID}" for one in
                        ("Non-writable regions for", "Writable regions for", "Summary for")]  # fmt: skip
    total = next(line for line in lines if line.startswith("TOTAL"))
    assert total.split() == ["TOTAL", "20K", "16K", "4K", "0K", "4"]
    assert len(total) == len(next(line for line in lines if line.startswith("Stack  ") and "-" not in line))
    assert PAGE == 4096
