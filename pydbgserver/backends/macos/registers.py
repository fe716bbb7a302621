"""Which CPU description fits a process on this Mac, and the register sets as the kernel hands them over."""

from __future__ import annotations

from functools import cache

from pydbgserver.arch.arm64 import arm64_mac
from pydbgserver.arch.mach import FIXED_FLAVOR, FLOAT
from pydbgserver.arch.model import Arch, RegSet
from pydbgserver.arch.x86_mac import LEVELS, x86_64_mac
from pydbgserver.backends.macos.kernel_errors import KERN_INVALID_ARGUMENT, MachError, kern_return
from pydbgserver.backends.macos.tracer import Tracer
from pydbgserver.errors import AttachError, DebugError

CPU_TYPE_X86_64 = 0x01000007
CPU_TYPE_ARM64 = 0x0100000C
EXEC_FORMAT = 8

_arm64 = cache(arm64_mac)


def x86_level(tracer: Tracer) -> str:
    """The best float state that this machine's kernel has; a key of ``x86_mac.LEVELS``."""
    if tracer.sysctl_number("hw.optional.avx512f"):
        return "avx512"
    return "avx" if tracer.sysctl_number("hw.optional.avx1_0") else "sse"


def describe_cpu(tracer: Tracer, pid: int) -> Arch:
    """The CPU description of process `pid`; raises `AttachError` for what this server cannot debug."""
    description = tracer.describe_process(pid)
    if description.translated:
        raise AttachError(
            f"process {pid} is an x86_64 program that runs under Rosetta: only Apple's own debugserver can read its "
            "registers; run its arm64 build (arch -arm64), or debug it on an Intel Mac",
            EXEC_FORMAT,
        )
    if description.cpu_type == CPU_TYPE_X86_64:
        return x86_64_mac(x86_level(tracer))
    if description.cpu_type == CPU_TYPE_ARM64:
        return _arm64(tracer.hardware_slots(1) or 4)
    raise AttachError(
        f"process {pid} is of a CPU that is not known here (cputype {description.cpu_type:#x})", EXEC_FORMAT
    )


def addressing_bits(tracer: Tracer) -> int:
    """How many bits of a pointer are an address: 0 on CPUs that do not sign pointers."""
    return tracer.sysctl_number("machdep.virtual_address_size") if tracer.sysctl_number("hw.optional.arm64") else 0


class ThreadStates:
    """Register sets of threads as thread states.

    A float state that the kernel does not have for a thread (no AVX-512 yet) is read as a smaller one: each begins with
    the next smaller, and what is missing is 0. What was read so is written so.
    """

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._smaller: dict[int, tuple[int, int]] = {}
        """By thread: flavor and size of the float state that it has instead of the one asked for."""

    def forget(self) -> None:
        self._smaller.clear()

    def read(self, tid: int, regset: RegSet) -> bytes:
        if regset.nt_type == FIXED_FLAVOR:
            return regset.initial
        try:
            return self._tracer.read_state(tid, regset.nt_type, regset.size)
        except MachError as error:
            if regset.name != FLOAT or kern_return(error.result) != KERN_INVALID_ARGUMENT:
                raise
            return self._read_smaller(tid, regset, error)

    def _read_smaller(self, tid: int, regset: RegSet, refusal: MachError) -> bytes:
        smaller = [(flavor, size) for flavor, size in LEVELS.values() if size < regset.size]
        for flavor, size in reversed(smaller):
            try:
                data = self._tracer.read_state(tid, flavor, size)
            except MachError:
                continue
            self._smaller[tid] = flavor, size
            return data.ljust(regset.size, b"\0")
        raise refusal

    def write(self, tid: int, regset: RegSet, data: bytes) -> None:
        if not regset.writable:
            if data != self.read(tid, regset):
                raise DebugError(f"macOS lets nobody set the registers of the {regset.name} state")
            return
        flavor, size = regset.nt_type, regset.size
        if regset.name == FLOAT:
            flavor, size = self._smaller.get(tid, (flavor, size))
        self._tracer.write_state(tid, flavor, data[:size])
