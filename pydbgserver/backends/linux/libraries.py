"""The dynamic loader's list of libraries, walked in the target's memory (link.h: struct r_debug, struct link_map).

The way there: auxiliary vector -> program headers -> dynamic section -> DT_DEBUG -> r_debug.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from pydbgserver.errors import BadAddress
from pydbgserver.target.capabilities import LoadedLibrary

AT_PHDR, AT_PHENT, AT_PHNUM = 3, 4, 5
PT_DYNAMIC, PT_PHDR = 2, 6
DT_DEBUG = 21
MAX_LIBRARIES = 100_000
MAX_NAMESPACES = 1_000
PATH_MAX = 4096

ReadMemory = Callable[[int, int], bytes]


class Layout(NamedTuple):
    """Offsets of the loader's structures for one pointer size."""

    pointer: str
    size: int
    program_header: str
    """struct format giving (type, vaddr, memsz) of an Elf_Phdr."""

    def words(self, data: bytes) -> tuple[int, ...]:
        count = len(data) // self.size
        return struct.unpack(f"<{count}{self.pointer}", data[: count * self.size])


LAYOUTS = {
    8: Layout("Q", 8, "<I4x8xQ8x8xQ8x"),
    4: Layout("I", 4, "<I4xI4x4xI4x4x"),
}


def auxv_entries(layout: Layout, auxv: bytes) -> dict[int, int]:
    """Type -> value."""
    words = layout.words(auxv)
    return dict(zip(words[::2], words[1::2], strict=False))


def find_dynamic(layout: Layout, auxv: bytes, read: ReadMemory) -> int:
    """Address of the main program's dynamic section, 0 for a static one and for the loader run as a program, neither
    of which has PT_PHDR."""
    entries = auxv_entries(layout, auxv)
    table, size, count = (entries.get(kind, 0) for kind in (AT_PHDR, AT_PHENT, AT_PHNUM))
    if not table or not size:
        return 0
    headers = read(table, size * count)
    parsed = [struct.unpack_from(layout.program_header, headers, index * size) for index in range(len(headers) // size)]
    bias = next((table - vaddr for kind, vaddr, _ in parsed if kind == PT_PHDR), None)
    if bias is None:
        return 0
    return next((bias + vaddr for kind, vaddr, _ in parsed if kind == PT_DYNAMIC), 0)


def find_r_debug(layout: Layout, auxv: bytes, read: ReadMemory) -> int | None:
    """Address of struct r_debug, 0 before the loader has made it; None where there is no place for it (a static
    program, or the loader started as a program)."""
    dynamic = find_dynamic(layout, auxv, read)
    if not dynamic:
        return None
    for offset in range(0, 4096, 16 * layout.size):
        words = layout.words(read(dynamic + offset, 16 * layout.size))
        for tag, value in zip(words[::2], words[1::2], strict=False):
            if tag == DT_DEBUG:
                return value
            if tag == 0:
                return None
    return None


def read_text(read: ReadMemory, address: int) -> str:
    """The NUL-terminated string at `address`; read up to page ends, since the next page may not be there."""
    text = b""
    while len(text) < PATH_MAX:
        part = read(address + len(text), min(256, 4096 - (address + len(text)) % 4096))
        head, zero, _ = part.partition(b"\0")
        text += head
        if zero:
            break
    return text.decode(errors="surrogateescape")


def walk_namespace(layout: Layout, first: int, namespace: int, read: ReadMemory) -> Iterator[LoadedLibrary]:
    """The link maps of one namespace: l_addr, l_name, l_ld, l_next. A damaged list ends where it cannot be read."""
    address = first
    seen: set[int] = set()
    while address and address not in seen and len(seen) < MAX_LIBRARIES:
        seen.add(address)
        try:
            bias, name, dynamic, following = layout.words(read(address, 4 * layout.size))[:4]
            yield LoadedLibrary(read_text(read, name) if name else "", address, bias, dynamic, namespace)
        except (BadAddress, ValueError):
            return
        address = following


def walk(layout: Layout, r_debug: int, read: ReadMemory) -> tuple[int, list[LoadedLibrary]]:
    """(main link map, libraries of every namespace without the main program).

    glibc >= 2.35 sets r_version 2 and links further namespaces (dlmopen) by r_next, the word after r_ldbase.
    """
    found: list[LoadedLibrary] = []
    main = 0
    namespace = 0
    while r_debug and namespace < MAX_NAMESPACES:
        version, first, _, _, _, following = (*layout.words(read(r_debug, 6 * layout.size)), 0)[:6]
        entries = list(walk_namespace(layout, first, r_debug, read))
        if not namespace:
            main = first
            entries = entries[1:]
        found.extend(entries)
        r_debug = following if version & 0xFFFFFFFF >= 2 else 0
        namespace += 1
    return main, found
