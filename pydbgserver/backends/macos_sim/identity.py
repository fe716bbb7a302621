"""What a client is told of the program: that it is one of Linux, with Linux's libraries and signals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import ClassVar

from pydbgserver.arch.mach import FIXED, fixed_set, numbered
from pydbgserver.arch.model import Arch, Feature, Reg
from pydbgserver.arch.regset import RegSet
from pydbgserver.backends.linux import libraries, procfs
from pydbgserver.backends.macos.process import MacProcess
from pydbgserver.errors import DebugError
from pydbgserver.target.capabilities import Auxv, LoadedLibrary, MachImages, MachThreads, SharedLibraries

ORIG_RAX_OFFSET = 16
NO_SYSTEM_CALL = b"\xff" * 8
"""orig_rax of a thread that is in no system call: the simulated kernel goes into no call again by itself."""


@cache
def linux_flavoured(arch: Arch) -> Arch:
    """The Mach register sets, with what gdb wants to find of an x86-64 Linux program: orig_rax."""
    size = ORIG_RAX_OFFSET + 8
    fixed = RegSet(FIXED, 0, size, initial=fixed_set(ORIG_RAX_OFFSET).initial + NO_SYSTEM_CALL, writable=False)
    linux = Feature("org.gnu.gdb.i386.linux", (Reg("orig_rax", 64, FIXED, ORIG_RAX_OFFSET, "int"),))
    features = numbered((*arch.features, linux))
    by_name = {register.name: register for feature in features for register in feature.regs}
    return replace(
        arch,
        regsets=tuple(fixed if one.name == FIXED else one for one in arch.regsets),
        features=features,
        views=tuple(view._replace(number=view.number + 1) for view in arch.views),
        osabi="GNU/Linux",
        pc=by_name[arch.pc.name],
        sp=by_name[arch.sp.name],
        fp=by_name[arch.fp.name],
        flags=by_name[arch.flags.name],
        expedited=tuple(by_name[one.name] for one in arch.expedited),
        general=tuple(by_name[one.name] for one in arch.general),
    )


class SimAuxv(Auxv):
    def __init__(self, process: MacProcess) -> None:
        self._pid = process.pid

    def auxv(self) -> bytes:
        return procfs.read(self._pid, "auxv")


class SimSharedLibraries(SharedLibraries):
    def __init__(self, process: MacProcess) -> None:
        self._process = process
        self._layout = libraries.LAYOUTS[process.arch.pointer_size]
        self._r_debug: int | None = 0

    def libraries(self) -> tuple[int, Sequence[LoadedLibrary]]:
        read = self._process.read_memory
        try:
            if not self._r_debug:
                self._r_debug = libraries.find_r_debug(self._layout, procfs.read(self._process.pid, "auxv"), read)
            return libraries.walk(self._layout, self._r_debug, read) if self._r_debug else (0, ())
        except DebugError:
            return 0, ()

    def load_address(self, path: str) -> int | None:
        regions = procfs.parse_maps(procfs.read_text(self._process.pid, "maps"))
        return next((one.start for one in regions if one.name == path), None)


INSTEAD: dict[type[object], Callable[[MacProcess], object]] = {Auxv: SimAuxv, SharedLibraries: SimSharedLibraries}
NOT_THERE: frozenset[type] = frozenset({MachImages, MachThreads})
"""There is no dyld and no pthread library of a Mac in the program."""


_ALL = {**MacProcess.capabilities, **INSTEAD}


class SimProcess(MacProcess):
    """A process of the simulated Mac."""

    capabilities: ClassVar = {kind: make for kind, make in _ALL.items() if kind not in NOT_THERE}
