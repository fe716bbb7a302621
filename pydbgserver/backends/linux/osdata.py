"""The machine in tables, as gdb's `info os` shows it: names, columns and their order are gdbserver's.

Read from /proc: proc(5), and for System V objects proc_sysvipc(5). What ends or may not be read while a table is made
is left out of it.
"""

from __future__ import annotations

import grp
import pwd
import socket
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

from pydbgserver.backends.linux import procfs, system
from pydbgserver.errors import NoSuchProcess

Row = tuple[str, ...]
Table = tuple[Row, Iterable[Row]]
"""Names of the columns, and the rows."""

TCP_STATES = {
    1: "ESTABLISHED", 2: "SYN_SENT", 3: "SYN_RECV", 4: "FIN_WAIT1", 5: "FIN_WAIT2", 6: "TIME_WAIT",
    7: "CLOSE", 8: "CLOSE_WAIT", 9: "LAST_ACK", 10: "LISTEN", 11: "CLOSING",
}  # fmt: skip
"""include/net/tcp_states.h"""

SOCKET_FILES = {
    "tcp": (socket.AF_INET, "STREAM"),
    "udp": (socket.AF_INET, "DGRAM"),
    "tcp6": (socket.AF_INET6, "STREAM"),
    "udp6": (socket.AF_INET6, "DGRAM"),
}


@lru_cache(maxsize=256)
def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


@lru_cache(maxsize=256)
def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _each_process(make: Callable[[int], Iterator[Row]]) -> Iterator[Row]:
    for pid in procfs.process_ids():
        try:
            yield from make(pid)
        except (NoSuchProcess, OSError):
            continue


def _name(pid: int) -> str:
    return procfs.read(pid, "comm").decode(errors="replace").rstrip("\n")


def _command(pid: int) -> str:
    """The command line; a kernel thread has only a name."""
    return " ".join(procfs.arguments(pid)) or f"[{_name(pid)}]"


def _threads_of(pid: int) -> list[int]:
    return sorted(int(tid) for tid in system.list_folder(f"/proc/{pid}/task"))


def _processes(pid: int) -> Iterator[Row]:
    cores = sorted({procfs.last_core(tid) for tid in _threads_of(pid)})
    yield str(pid), _user(system.owner(f"/proc/{pid}")), _command(pid), ",".join(map(str, cores))


def _threads(pid: int) -> Iterator[Row]:
    name = _name(pid)
    for tid in _threads_of(pid):
        yield str(pid), name, str(tid), str(procfs.last_core(tid))


def _files(pid: int) -> Iterator[Row]:
    name = _name(pid)
    for number in sorted(map(int, system.list_folder(f"/proc/{pid}/fd"))):
        yield str(pid), name, str(number), system.read_link(f"/proc/{pid}/fd/{number}")


def _process_groups() -> Iterator[Row]:
    rows = []
    for pid in procfs.process_ids():
        try:
            group = system.process_group(pid)
            rows.append((group, pid, _command(pid)))
        except (NoSuchProcess, OSError):
            continue
    names: dict[int, str] = {}
    for group, pid, command in sorted(rows):
        if group not in names:
            try:
                names[group] = _name(group)
            except NoSuchProcess:  # The leader has ended, its group goes on.
                names[group] = ""
        yield str(group), names[group], str(pid), command


def _address(text: str, family: int) -> tuple[str, str]:
    """``HEX:PORT``: words of 32 bits in the machine's byte order."""
    digits, _, port = text.partition(":")
    words = bytes.fromhex(digits)
    packed = b"".join(words[start : start + 4][::-1] for start in range(0, len(words), 4))
    return socket.inet_ntop(family, packed), str(int(port, 16))


def _sockets() -> Iterator[Row]:
    for name, (family, protocol) in SOCKET_FILES.items():
        for line in _lines(f"/proc/net/{name}")[1:]:
            fields = line.split()
            state = TCP_STATES.get(int(fields[3], 16), "") if protocol == "STREAM" else ""
            yield (
                *_address(fields[1], family),
                *_address(fields[2], family),
                state,
                _user(int(fields[7])),
                family.name.removeprefix("AF_"),
                protocol,
            )


def _lines(path: str) -> list[str]:
    """Empty if the kernel was built without this."""
    try:
        return system.read_file(path).decode(errors="replace").splitlines()
    except OSError:
        return []


def _ipc(kind: str) -> Iterator[dict[str, str]]:
    """The objects of /proc/sysvipc/`kind` by the names in its first line."""
    lines = _lines(f"/proc/sysvipc/{kind}")
    heads = lines[0].split() if lines else []
    for line in lines[1:]:
        yield dict(zip(heads, line.split(), strict=False))


def _owners(one: dict[str, str]) -> Row:
    return _user(int(one["uid"])), _group(int(one["gid"])), _user(int(one["cuid"])), _group(int(one["cgid"]))


def _shared_memory() -> Iterator[Row]:
    for one in _ipc("shm"):
        try:
            creator = _name(int(one["cpid"]))
        except NoSuchProcess:
            creator = ""
        yield one["key"], one["shmid"], one["perms"], one["size"], creator, one["nattch"], *_owners(one)


def _semaphores() -> Iterator[Row]:
    for one in _ipc("sem"):
        yield one["key"], one["semid"], one["perms"], one["nsems"], *_owners(one)


def _messages() -> Iterator[Row]:
    for one in _ipc("msg"):
        yield one["key"], one["msqid"], one["perms"], one["cbytes"], one["qnum"], *_owners(one)


def _modules() -> Iterator[Row]:
    for line in _lines("/proc/modules"):
        name, size, uses, needed, status, address = line.split()[:6]
        yield name, size, uses, needed, status, address


def _processors() -> Table:
    """/proc/cpuinfo; every processor has the same columns."""
    columns: Row = ()
    rows: list[Row] = []
    for block in "\n".join(_lines("/proc/cpuinfo")).split("\n\n"):
        pairs = [line.partition(":") for line in block.splitlines() if ":" in line]
        if pairs:
            columns = columns or tuple(name.strip() for name, _, _ in pairs)
            rows.append(tuple(value.strip() for _, _, value in pairs))
    return columns, rows


def _fixed(columns: str, rows: Callable[[], Iterable[Row]]) -> Callable[[], Table]:
    return lambda: (tuple(columns.split("|")), rows())


def _by_process(columns: str, rows: Callable[[int], Iterator[Row]]) -> Callable[[], Table]:
    return _fixed(columns, lambda: _each_process(rows))


_OWNERS = "user|group|creator user|creator group"

TABLES: dict[str, tuple[str, str, Callable[[], Table]]] = {
    "cpus": ("CPUs", "all cpus/cores on the system", _processors),
    "files": ("File descriptors", "all file descriptors", _by_process("pid|command|file descriptor|name", _files)),
    "modules": (
        "Kernel modules",
        "all loaded kernel modules",
        _fixed("name|size|num uses|dependencies|status|address", _modules),
    ),
    "msg": (
        "Message queues",
        "all message queues",
        _fixed(f"key|msqid|permissions|num used bytes|num messages|{_OWNERS}", _messages),
    ),
    "processes": ("Processes", "all processes", _by_process("pid|user|command|cores", _processes)),
    "procgroups": (
        "Process groups",
        "all process groups",
        _fixed("pgid|leader command|pid|command line", _process_groups),
    ),
    "semaphores": (
        "Semaphores",
        "all semaphores",
        _fixed(f"key|semid|permissions|num semaphores|{_OWNERS}", _semaphores),
    ),
    "shm": (
        "Shared-memory regions",
        "all shared-memory regions",
        _fixed(f"key|shmid|permissions|size|creator command|num attached|{_OWNERS}", _shared_memory),
    ),
    "sockets": (
        "Sockets",
        "all internet-domain sockets",
        _fixed("local address|local port|remote address|remote port|state|user|family|protocol", _sockets),
    ),
    "threads": ("Threads", "all threads", _by_process("pid|command|tid|core", _threads)),
}
"""By gdb's name: title, what it lists, and what makes it."""


def names() -> list[Row]:
    """(name, description, title) of every table."""
    return [(name, f"Listing of {what}", title) for name, (title, what, _) in TABLES.items()]


def table(name: str) -> Table | None:
    """(columns, rows) of the table `name`; None if there is no such table."""
    found = TABLES.get(name)
    return None if found is None else found[2]()
