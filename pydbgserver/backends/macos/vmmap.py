"""The memory map in the form of Apple's vmmap --wide: read-only and writable regions, then sums by type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydbgserver.backends.macos import vm_tags
from pydbgserver.backends.macos.memory_calls import RawRegion
from pydbgserver.errors import DebugError
from pydbgserver.target.capabilities import MachImages
from pydbgserver.target.macho import read_image

if TYPE_CHECKING:
    from pydbgserver.backends.macos.memory_map import MacMemoryMap
    from pydbgserver.backends.macos.process import MacProcess

HEAD = f"{'REGION TYPE':33}{'START - END':24}[ VSIZE  RSDNT  DIRTY   SWAP] PRT/MAX SHRMOD REGION DETAIL"
SUMMARY = "REGION TYPE                        SIZE     SIZE     SIZE     SIZE    COUNT"
SUMMARY_HEAD = "                                VIRTUAL RESIDENT    DIRTY  SWAPPED   REGION"
RULE = "===========                     ======= ========    =====  =======  ======="
WRITE = 2
KIB = 1024


@dataclass(frozen=True, slots=True)
class Row:
    """One line: the region, its type in vmmap's words, the file or "", sizes in bytes."""

    raw: RawRegion
    type: str
    detail: str
    resident: int
    dirty: int
    swapped: int


def size_text(size: int) -> str:
    """As vmmap has it: 808, 16K, 1024K, 32.3M, 1.2G."""
    if size % KIB and size < 10000:
        return str(size)
    for unit, letter in ((KIB, "K"), (KIB**2, "M"), (KIB**3, "G")):
        if size < 10000 * unit or letter == "G":
            return f"{size // unit}K" if letter == "K" else f"{size / unit:.1f}{letter}"
    raise AssertionError("the last unit takes every size")


def segments(process: MacProcess) -> dict[int, str]:
    """Names of the segments of all images, by the address at which each begins."""
    images = process.capability(MachImages)
    found: dict[int, str] = {}
    try:
        listed = images.images() if images is not None else ()
    except DebugError:
        return found
    for one in listed:
        try:
            image = read_image(one.load_address, process.read_memory)
        except DebugError:
            continue
        if image is not None:
            slide = image.slide(one.load_address)
            found |= {segment.address + slide: segment.name for segment in image.segments if segment.size}
    return found


def rows(process: MacProcess, memory_map: MacMemoryMap) -> Iterator[Row]:
    """One row for each region, in ascending order."""
    names = segments(process)
    page = memory_map.page_size
    last_path, last_type = "", ""
    for raw in memory_map.walk(counted=True):
        path = memory_map.path(raw)
        kind = names.get(raw.start, "")
        if not kind and path:
            kind = last_type if path == last_path else "mapped file"
        elif not kind:
            kind = vm_tags.vmmap_type(raw.user_tag, raw.protection)
        last_path, last_type = path, kind
        counts = (raw.pages_resident, raw.pages_dirtied, raw.pages_swapped)
        yield Row(raw, kind, path, *(min(count * page, raw.size) for count in counts))


def line(row: Row) -> str:
    raw = row.raw
    place = f"{raw.start:12x}-{raw.start + raw.size:<17x}"
    sizes = " ".join(f"{size_text(size):>6}" for size in (raw.size, row.resident, row.dirty, row.swapped))
    protection = f"{vm_tags.dashed(raw.protection)}/{vm_tags.dashed(raw.max_protection)}"
    mode = vm_tags.SHARE_MODES.get(raw.share_mode, "???")
    return f"{row.type:27.27}{place}[{sizes}] {protection} SM={mode} {row.detail}".rstrip()


def _summary(listed: Iterable[Row]) -> Iterator[str]:
    sums: dict[str, list[int]] = {}
    for row in listed:
        total = sums.setdefault(row.type, [0, 0, 0, 0, 0])
        for index, value in enumerate((row.raw.size, row.resident, row.dirty, row.swapped, 1)):
            total[index] += value
    for name in sorted(sums):
        yield _sum_line(name, sums[name])
    yield RULE
    yield _sum_line("TOTAL", [sum(column) for column in zip(*sums.values(), strict=True)] or [0] * 5)


def _sum_line(name: str, total: list[int]) -> str:
    size, resident, dirty, swapped, count = total
    widths = zip((size, resident, dirty, swapped), (7, 8, 8, 8), strict=True)
    return f"{name:32.32}{' '.join(f'{size_text(value):>{width}}' for value, width in widths)} {count:8}"


def listing(process: MacProcess, memory_map: MacMemoryMap) -> str:
    """The whole page of text."""
    listed = list(rows(process, memory_map))
    fixed = [row for row in listed if not row.raw.protection & WRITE]
    writable = [row for row in listed if row.raw.protection & WRITE]
    pid = process.pid
    lines = [f"Virtual Memory Map of process {pid}", f"VM page size:  {memory_map.page_size} bytes", ""]
    for title, some in (("Non-writable", fixed), ("Writable", writable)):
        lines += [f"==== {title} regions for process {pid}", HEAD, *map(line, some), ""]
    lines += [f"==== Summary for process {pid}", SUMMARY_HEAD, SUMMARY, RULE, *_summary(listed)]
    return "\n".join(lines) + "\n"
