"""The machine, and the processes on it."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from pydbgserver.backends.linux import procfs, system
from pydbgserver.backends.linux.program import ELFCLASS32, ELFCLASS64, EM_386, EM_X86_64, Machine, machine
from pydbgserver.errors import NoSuchProcess
from pydbgserver.target.api import HostInfo, ProcessInfo

INTEL_PT = "/sys/bus/event_source/devices/intel_pt"
"""There where the kernel has a driver for it and the processor has the unit (perf-intel-pt(1))."""


def triple() -> str:
    """LLVM's name of the machine, with the vendor that its Linux builds use."""
    return f"{os.uname().machine}-pc-linux-gnu"


_TRIPLES = {
    Machine(ELFCLASS64, EM_X86_64): "x86_64-pc-linux-gnu",
    Machine(ELFCLASS32, EM_386): "i386-pc-linux-gnu",
    Machine(ELFCLASS32, EM_X86_64): "x86_64-pc-linux-gnux32",
}


def process_triple(pid: int) -> str:
    """LLVM's name of what the process's program is built for; the machine's where that is not known."""
    program = machine(pid)
    return triple() if program is None else _TRIPLES.get(program, triple())


def _distribution() -> str:
    import platform

    try:
        return platform.freedesktop_os_release().get("ID", "")
    except OSError:
        return ""


def host_info() -> HostInfo:
    kernel = os.uname()
    return HostInfo(
        triple=triple(),
        pointer_size=8,
        byte_order="little",
        hostname=kernel.nodename,
        os_version=kernel.release.split("-")[0],
        os_build=kernel.release,
        os_kernel=kernel.version,
        distribution=_distribution(),
        processor_trace="Intel Processor Trace" if system.exists(INTEL_PT) else "",
    )


def process_info(pid: int) -> ProcessInfo:
    """One process; raises `NoSuchProcess`."""
    status = procfs.status(pid)
    uids, gids = status.get("Uid", "0 0").split(), status.get("Gid", "0 0").split()
    words = procfs.arguments(pid)
    return ProcessInfo(
        pid=pid,
        parent_pid=int(status.get("PPid", "0")),
        uid=int(uids[0]),
        gid=int(gids[0]),
        effective_uid=int(uids[1]),
        effective_gid=int(gids[1]),
        name=procfs.exec_file(pid) or status.get("Name", ""),
        arguments=words,
        triple=process_triple(pid),
    )


def processes_named(name: str, among: Sequence[int] | None = None) -> Sequence[int]:
    """The processes (of those in `among`, if given) whose program has this base name: a system call for each."""
    pids = procfs.process_ids() if among is None else among
    return [pid for pid in pids if os.path.basename(procfs.exec_file(pid)) == name]


def age_of(pid: int) -> float:
    """Seconds since process `pid` was started, to a hundredth; 0 when it is gone."""
    try:
        started = procfs.start_ticks(pid) / os.sysconf("SC_CLK_TCK")
    except NoSuchProcess:
        return 0.0
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started)


def list_processes() -> Sequence[ProcessInfo]:
    """Every process; those that end while the list is made are left out."""
    found = []
    for pid in procfs.process_ids():
        try:
            found.append(process_info(pid))
        except NoSuchProcess:
            continue
    return found
