"""Which CPU description fits a process on this machine."""

from __future__ import annotations

from functools import cache

from pydbgserver.arch.model import Arch
from pydbgserver.arch.x86 import XsaveLayout, amd64
from pydbgserver.backends.linux import procfs, system, tracer
from pydbgserver.errors import AttachError, NoSuchProcess

EI_CLASS, ELFCLASS32 = 4, 1


@cache
def _amd64() -> Arch:
    return amd64(XsaveLayout.from_cpuid(tracer.cpuid))


def describe_cpu(pid: int) -> Arch:
    """The CPU description of process `pid`; raises `AttachError` for programs of another word size."""
    path = procfs.exec_file(pid)
    try:
        header = system.read_file(f"/proc/{pid}/exe", 20)
    except FileNotFoundError:
        raise NoSuchProcess(pid) from None
    except OSError:
        return _amd64()
    if len(header) > EI_CLASS and header[EI_CLASS] == ELFCLASS32:
        raise AttachError(f"{path} is a 32-bit program; this server debugs 64-bit programs only", 8)
    return _amd64()
