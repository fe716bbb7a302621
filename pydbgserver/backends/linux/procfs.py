"""What /proc says of a process (proc(5)). Missing files mean that the process is gone."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from pydbgserver.backends.linux import system
from pydbgserver.errors import NoSuchProcess
from pydbgserver.target.capabilities import OpenFile, Region, RegionUsage

ADDRESS_SPACE_END = 1 << 64
_KINDS = {"[heap]": "heap", "[stack]": "stack"}

_MODES = {os.O_RDONLY: "r", os.O_WRONLY: "w", os.O_RDWR: "rw", os.O_ACCMODE: "-"}


def read(pid: int, name: str) -> bytes:
    """The file /proc/PID/name; raises `NoSuchProcess`."""
    try:
        return system.read_file(f"/proc/{pid}/{name}")
    except (FileNotFoundError, ProcessLookupError):
        raise NoSuchProcess(pid) from None


def read_text(pid: int, name: str) -> str:
    """The same as text; file names in it are encoded as Python does it."""
    return read(pid, name).decode(errors="surrogateescape")


def status(pid: int) -> dict[str, str]:
    """The fields of /proc/PID/status."""
    return status_fields(read(pid, "status"))


def status_fields(text: bytes) -> dict[str, str]:
    """``Name: value`` lines."""
    lines = text.decode(errors="replace").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def read_of_thread(tid: int, name: str) -> bytes:
    """The file /proc/TID/task/TID/name: one that clone(2) has made without CLONE_THREAD is not below its process' task,
    and what is in /proc/TID itself may be about its whole group. Raises `NoSuchProcess`."""
    return read(tid, f"task/{tid}/{name}")


def status_of_thread(tid: int) -> dict[str, str]:
    """The fields of its status."""
    return status_fields(read_of_thread(tid, "status"))


def ids(pid: int) -> tuple[int, int, int]:
    """Parent, process group and session: fields 4 to 6 of stat."""
    fields = read(pid, "stat").rpartition(b")")[2].split()
    return int(fields[1]), int(fields[2]), int(fields[3])


def start_ticks(pid: int) -> int:
    """When it was started, in clock ticks since the machine was: field 22 of stat."""
    return int(read(pid, "stat").rpartition(b")")[2].split()[19])


def thread_ids(pid: int) -> list[int]:
    try:
        return sorted(int(name) for name in system.list_folder(f"/proc/{pid}/task"))
    except FileNotFoundError:
        raise NoSuchProcess(pid) from None


def process_ids() -> Iterator[int]:
    return (int(name) for name in system.list_folder("/proc") if name.isdigit())


def thread_name(tid: int) -> str:
    try:
        return read_of_thread(tid, "comm").decode(errors="replace").rstrip("\n")
    except NoSuchProcess:
        return ""


def last_core(tid: int) -> int:
    """Field 39 of stat: the processor on which the thread last ran. The name in field 2 may hold blanks."""
    fields = read_of_thread(tid, "stat").rpartition(b")")[2].split()
    return int(fields[36])


_POLICIES = {0: "SCHED_OTHER", 1: "SCHED_FIFO", 2: "SCHED_RR", 3: "SCHED_BATCH", 5: "SCHED_IDLE", 6: "SCHED_DEADLINE"}
"""include/uapi/linux/sched.h"""


def thread_details(tid: int) -> dict[str, int | float | str]:
    """Fields of stat and counters of status, by names of our own; times in seconds."""
    fields = read_of_thread(tid, "stat").rpartition(b")")[2].split()
    counters = status_of_thread(tid)
    ticks = os.sysconf("SC_CLK_TCK")
    policy = int(fields[38])
    return {
        "state": fields[0].decode(),
        "core": int(fields[36]),
        "policy": _POLICIES.get(policy, str(policy)),
        "priority": int(fields[15]),
        "nice": int(fields[16]),
        "user_time": int(fields[11]) / ticks,
        "system_time": int(fields[12]) / ticks,
        "voluntary_switches": int(counters.get("voluntary_ctxt_switches", "0")),
        "involuntary_switches": int(counters.get("nonvoluntary_ctxt_switches", "0")),
    }


def exec_file(pid: int) -> str:
    """The program's path; "" for kernel threads and zombies. A deleted file keeps its old name."""
    try:
        return system.read_link(f"/proc/{pid}/exe").removesuffix(" (deleted)")
    except OSError:
        return ""


def below_root(pid: int, path: str) -> str:
    """A path of /proc/PID as the process calls it that has another root directory (chroot(2))."""
    try:
        root = system.read_link(f"/proc/{pid}/root")
    except OSError:
        return path
    return path[len(root) :] if root != "/" and path.startswith(f"{root}/") else path


def arguments(pid: int) -> list[str]:
    return [part.decode(errors="surrogateescape") for part in read(pid, "cmdline").split(b"\0")[:-1]]


def parse_maps(text: str) -> list[Region]:
    """/proc/PID/maps, one `Region` a line, ascending."""
    regions = []
    for line in text.splitlines():
        fields = line.split(maxsplit=5)
        start, _, end = fields[0].partition("-")
        flags, name = fields[1], fields[5] if len(fields) > 5 else ""
        letters = flags[:3].replace("-", "")
        offset, kind = int(fields[2], 16), _KINDS.get(name, "")
        regions.append(Region(int(start, 16), int(end, 16), letters, name, offset, flags[3] == "s", kind))
    return regions


def region_at(regions: Sequence[Region], address: int) -> Region:
    """The region that holds `address`, or the gap around it."""
    index = bisect_right(regions, address, key=lambda region: region.start) - 1
    if index >= 0 and address < regions[index].end:
        return regions[index]
    start = regions[index].end if index >= 0 else 0
    end = regions[index + 1].start if index + 1 < len(regions) else ADDRESS_SPACE_END
    return Region(start, end, "")


_DETAILS = ("VmFlags", "ProtectionKey", "Anonymous")


def parse_details(text: str) -> dict[str, dict[int, tuple[str, ...]]]:
    """/proc/PID/smaps: the words after each of the names `_DETAILS`, by start address of the mapping."""
    details: dict[str, dict[int, tuple[str, ...]]] = {name: {} for name in _DETAILS}
    start = 0
    for line in text.splitlines():
        head, _, rest = line.partition(" ")
        if not head.endswith(":"):
            start = int(head.partition("-")[0], 16)
        elif head[:-1] in details:
            details[head[:-1]][start] = tuple(rest.split())
    return details


_USAGE_KEYS = {"Rss:": 0, "Shared_Dirty:": 1, "Private_Dirty:": 1, "Swap:": 2}


def parse_usage(text: str) -> dict[int, RegionUsage]:
    """/proc/PID/smaps: how much of each mapping is where, by its start address."""
    usage: dict[int, RegionUsage] = {}
    start, sums = 0, [0, 0, 0]
    for line in text.splitlines():
        head, _, rest = line.partition(" ")
        if not head.endswith(":"):
            start, sums = int(head.partition("-")[0], 16), [0, 0, 0]
        elif head in _USAGE_KEYS:
            sums[_USAGE_KEYS[head]] += int(rest.split()[0]) * 1024
            usage[start] = RegionUsage(*sums)
    return usage


def open_files(pid: int) -> list[OpenFile]:
    """/proc/PID/fd and fdinfo; what is closed meanwhile is left out."""
    files = []
    for number in sorted(map(int, system.list_folder(f"/proc/{pid}/fd"))):
        try:
            name = system.read_link(f"/proc/{pid}/fd/{number}")
            fields = dict(line.split(":", 1) for line in read_text(pid, f"fdinfo/{number}").splitlines() if ":" in line)
        except (OSError, NoSuchProcess):
            continue
        mode = _MODES[int(fields["flags"], 8) & os.O_ACCMODE]
        files.append(OpenFile(number, mode, int(fields["pos"]), name))
    return files


def dirty_pages(pid: int, region: Region, page_size: int) -> list[int]:
    """Private pages that were written: present or swapped, not file pages (admin-guide/mm/pagemap.rst)."""
    present, swapped, file_page = 1 << 63, 1 << 62, 1 << 61
    count = (region.end - region.start) // page_size
    data = system.read_at(f"/proc/{pid}/pagemap", region.start // page_size * 8, 8 * count)
    entries = memoryview(data).cast("Q")
    return [
        region.start + index * page_size
        for index, entry in enumerate(entries)
        if entry & (present | swapped) and not entry & file_page
    ]
