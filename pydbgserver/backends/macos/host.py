"""The Mac, and the processes on it."""

from __future__ import annotations

import os
from collections.abc import Sequence

from pydbgserver.backends.macos.host_calls import Description
from pydbgserver.backends.macos.registers import CPU_TYPE_ARM64, CPU_TYPE_X86_64, addressing_bits
from pydbgserver.backends.macos.tracer import Tracer
from pydbgserver.errors import NoSuchProcess
from pydbgserver.target.api import HostInfo, ProcessInfo

CPU_ARCH_ABI64 = 0x01000000
CPU_NAMES = {CPU_TYPE_X86_64: "x86_64", CPU_TYPE_ARM64: "arm64"}
CPU_SUBTYPES = {CPU_TYPE_X86_64: 3, CPU_TYPE_ARM64: 0}
"""CPU_SUBTYPE_X86_64_ALL, CPU_SUBTYPE_ARM64_ALL."""


def triple(cpu_type: int) -> str:
    """LLVM's name of a Mac with this CPU."""
    return f"{CPU_NAMES.get(cpu_type, 'unknown')}-apple-macosx"


def host_info(tracer: Tracer) -> HostInfo:
    """hw.cputype names the 32-bit CPU of an Intel Mac; every Mac of macOS 11 is a 64-bit one."""
    cpu_type = tracer.sysctl_number("hw.cputype") | CPU_ARCH_ABI64
    return HostInfo(
        triple=triple(cpu_type),
        pointer_size=8,
        byte_order="little",
        hostname=tracer.sysctl_text("kern.hostname"),
        os_version=tracer.sysctl_text("kern.osproductversion"),
        os_build=tracer.sysctl_text("kern.osversion"),
        os_kernel=tracer.sysctl_text("kern.version"),
        cpu_type=cpu_type,
        cpu_subtype=tracer.sysctl_number("hw.cpusubtype"),
        addressing_bits=addressing_bits(tracer),
        page_size=tracer.sysctl_number("hw.pagesize"),
        watchpoints_before=cpu_type == CPU_TYPE_ARM64,
    )


def arguments(block: bytes) -> list[str]:
    """argv of a KERN_PROCARGS2 block: its count, the path, NULs, then the arguments one after the other."""
    count = int.from_bytes(block[:4], "little")
    _, _, rest = block[4:].partition(b"\0")
    words = rest.lstrip(b"\0").split(b"\0")
    return [word.decode(errors="surrogateescape") for word in words[:count]] if block else []


def _public(tracer: Tracer, one: Description) -> ProcessInfo:
    return ProcessInfo(
        pid=one.pid,
        parent_pid=one.parent_pid,
        uid=one.uid,
        gid=one.gid,
        effective_uid=one.effective_uid,
        effective_gid=one.effective_gid,
        name=one.path or one.name,
        arguments=arguments(tracer.process_arguments(one.pid)),
        triple=triple(one.cpu_type) if one.cpu_type else "",
        cpu_type=one.cpu_type,
        cpu_subtype=CPU_SUBTYPES.get(one.cpu_type, 0),
    )


def process_info(tracer: Tracer, pid: int) -> ProcessInfo:
    """One process; raises `NoSuchProcess`."""
    return _public(tracer, tracer.describe_process(pid))


def list_processes(tracer: Tracer) -> Sequence[ProcessInfo]:
    """Every process; those that end while the list is made are left out."""
    found = []
    for pid in tracer.list_processes():
        try:
            found.append(process_info(tracer, pid))
        except NoSuchProcess:
            continue
    return found


def processes_named(tracer: Tracer, name: str) -> Sequence[int]:
    """The processes whose program has this base name."""
    found = []
    for pid in tracer.list_processes():
        try:
            one = tracer.describe_process(pid)
        except NoSuchProcess:
            continue
        if os.path.basename(one.path or one.name) == name:
            found.append(pid)
    return found
