"""`monitor maps`: the memory map with sizes, in the columns of macOS' vmmap, and a sum for each type of region."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydbgserver.errors import DebugError, Unsupported
from pydbgserver.session.session import Session
from pydbgserver.target.api import Process
from pydbgserver.target.capabilities import MemoryMap, Region, RegionUsage
from pydbgserver.target.registers import stack_pointer

UNITS = ((1 << 30, "G"), (1 << 20, "M"))
ANONYMOUS_FILES = ("/dev/zero", "/memfd:", "/SYSV", "/anon_hugepage", "/dev/shm/")
"""What backs shared memory that is no file to anybody (mm/shmem.c, proc(5))."""

_SIZES = f"[{'SIZE':>7}{'RESIDENT':>10}{'DIRTY':>7}{'SWAP':>7}]"
HEAD = f"{'TYPE':<18}{'START':>16}-{'END':<16}  {_SIZES}  PRT SHARING  DETAIL\n"
SUMMARY_HEAD = f"{'TYPE':<18}{'SIZE':>9}{'RESIDENT':>9}{'DIRTY':>9}{'SWAP':>9}{'COUNT':>7}\n"


@dataclass(frozen=True, slots=True)
class Line:
    """One region as it is shown; sizes in bytes, `usage` None where the kernel does not say."""

    region: Region
    kind: str
    usage: RegionUsage | None
    detail: str

    @property
    def sizes(self) -> tuple[int, ...]:
        """Size, resident, dirty and swapped bytes."""
        used = self.usage or RegionUsage()
        return self.region.end - self.region.start, used.resident, used.dirty, used.swapped


def show(session: Session) -> str:
    """Of the present process. Raises `Unsupported`."""
    process = session.process
    memory_map = process.capability(MemoryMap)
    if memory_map is None:
        raise Unsupported("a memory map")
    own = memory_map.listing()
    if own is not None:
        return own
    stacks = {} if session.running else _stacks(process, memory_map)
    usage = memory_map.usage()
    lines = [
        _line(region, stacks, None if usage is None else usage.get(region.start)) for region in memory_map.regions()
    ]
    fixed = [line for line in lines if "w" not in line.region.permissions]
    writable = [line for line in lines if "w" in line.region.permissions]
    return (
        f"Memory map of process {process.pid}, pages of {memory_map.page_size} bytes\n\n"
        + _section("Non-writable regions", fixed)
        + _section("Writable regions", writable)
        + _summary(lines)
    )


def _stacks(process: Process, memory_map: MemoryMap) -> dict[int, list[int]]:
    """By start of the region: the threads whose stack pointer is in it."""
    found: dict[int, list[int]] = {}
    for tid in process.threads():
        try:
            region = memory_map.region_at(stack_pointer(process, tid))
        except DebugError:
            continue
        if region.permissions:
            found.setdefault(region.start, []).append(tid)
    return found


def _line(region: Region, stacks: Mapping[int, Sequence[int]], usage: RegionUsage | None) -> Line:
    tids = stacks.get(region.start, ())
    kind = "stack" if tids else kind_of(region)
    owners = f"thread {', '.join(map(str, tids))}" if tids else ""
    return Line(region, kind, usage, " ".join(filter(None, (region.name, owners))))


def kind_of(region: Region) -> str:
    """What the region is for, as far as its name and permissions tell."""
    name, permissions = region.name, region.permissions
    if region.kind:
        return region.kind
    if name.startswith("["):
        return "named" if ":" in name else name.strip("[]")
    if not permissions:
        return "guard"
    if name.startswith(ANONYMOUS_FILES) or (region.shared and not name):
        return "shared memory"
    if not name:
        return "anonymous code" if "x" in permissions else "anonymous"
    if "x" in permissions:
        return "text"
    return "data" if "w" in permissions else "read-only data"


def size_text(count: int) -> str:
    """A size in three or four digits and its unit; small ones in K, as all regions are made of pages."""
    for unit, letter in UNITS:
        if count >= 10 * unit:
            return f"{count / unit:.1f}{letter}"
    return f"{count // 1024}K"


def _section(title: str, lines: Sequence[Line]) -> str:
    body = "".join(_shown(line) for line in lines)
    return f"==== {title}\n{HEAD}{body}\n"


def _shown(line: Line) -> str:
    region = line.region
    size, *used = line.sizes
    numbers = [size_text(one) if line.usage is not None else "?" for one in used]
    letters = "".join(one if one in region.permissions else "-" for one in "rwx")
    sharing = "shared " if region.shared else "private"
    text = (
        f"{line.kind:<18}{region.start:>16x}-{region.end:<16x}  "
        f"[{size_text(size):>7}{numbers[0]:>10}{numbers[1]:>7}{numbers[2]:>7}]  {letters} {sharing}  {line.detail}"
    )
    return text.rstrip() + "\n"


def _summary(lines: Iterable[Line]) -> str:
    """The sums by type, and over all of them."""
    sums: dict[str, list[int]] = {}
    for line in lines:
        for name in (line.kind, "TOTAL"):
            total = sums.setdefault(name, [0] * 5)
            for index, value in enumerate((*line.sizes, 1)):
                total[index] += value
    total = sums.pop("TOTAL", [0] * 5)
    rule = f"{'=' * 17} {'=' * 8} {'=' * 8} {'=' * 8} {'=' * 8} {'=' * 6}\n"
    body = "".join(_summed(name, sums[name]) for name in sorted(sums))
    return f"==== Summary\n{SUMMARY_HEAD}{rule}{body}{rule}{_summed('TOTAL', total)}"


def _summed(name: str, values: Sequence[int]) -> str:
    *sizes, count = values
    return f"{name:<18}{''.join(f'{size_text(one):>9}' for one in sizes)}{count:>7}\n"
