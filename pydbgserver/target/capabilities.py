"""What a target may have beside the core: each class is one capability, complete or absent.

A handler asks ``process.capability(MemoryMap)`` and answers "unsupported"
when it gets None. Methods that need each other live in one class, so half a
capability cannot be implemented.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pydbgserver.target.events import WatchKind

if TYPE_CHECKING:
    from pydbgserver.target.agent_expr import BreakpointProgram


class HardwareDebug(ABC):
    """Hardware breakpoints and watchpoints, set on every thread, new ones included."""

    slots: int
    """How many debug registers there are."""

    @abstractmethod
    def insert(self, kind: WatchKind, address: int, length: int) -> None:
        """Watch `length` bytes; a range that one register cannot hold takes several.

        The same request twice is the same as once. Raises `NoDebugRegister` when they do not fit, leaving
        everything as it was. READ is refused with `Unsupported` where the CPU has none (x86).
        """

    @abstractmethod
    def remove(self, kind: WatchKind, address: int, length: int) -> None:
        """Undo `insert`; one that is not there is no error."""


class BreakpointPrograms(ABC):
    """Conditions and commands of breakpoints, evaluated where the hit is seen."""

    @abstractmethod
    def set(self, address: int, program: BreakpointProgram, *, hardware: bool) -> None:
        """What the software breakpoint at `address` (`hardware`: the hardware breakpoint) does with its hits, in the
        place of what it did; it need not be planted yet. Raises `BadExpression`, leaving everything as it was."""

    @abstractmethod
    def clear(self, address: int, *, hardware: bool) -> None:
        """Every hit is told again."""

    @abstractmethod
    def persistent(self) -> bool:
        """Whether there is a breakpoint whose commands go on without a client."""


class Region(NamedTuple):
    """One mapping: `start` and `end` (exclusive) in bytes, `permissions` as "rwx" letters ("" for none)."""

    start: int
    end: int
    permissions: str
    name: str = ""
    offset: int = 0
    shared: bool = False
    kind: str = ""
    """"stack", "heap" or ""; on a Mac also what the allocator says, "heap,malloc-tiny"."""
    max_permissions: str | None = None
    """What a change of protection can give, None where there is no such limit (Mach has one)."""
    share_mode: str = ""
    """How the pages are shared, in vmmap's words (COW, PRV, SHM ...), "" where it is not known."""


class RegionUsage(NamedTuple):
    """Bytes of a region: in memory, in memory and changed since they were mapped, swapped out."""

    resident: int = 0
    dirty: int = 0
    swapped: int = 0


class MemoryMap(ABC):
    """The address space, parsed once per stop."""

    always_dirty_pages = False
    """Whether the client expects the written pages of every region without asking for them."""

    def listing(self) -> str | None:
        """The whole map as lines for people, in the form that is usual on the target's system; None: it has none."""
        return None

    @abstractmethod
    def regions(self) -> Sequence[Region]:
        """All mappings in ascending order, without the gaps."""

    @abstractmethod
    def region_at(self, address: int) -> Region:
        """The mapping that holds `address`; else the gap around it, from the end of the mapping before to the
        start of the next one (2**64 after the last), with no permissions and no name."""

    @abstractmethod
    def dirty_pages(self, region: Region) -> Sequence[int] | None:
        """Addresses of the pages that were modified since they were mapped; None if the kernel does not say."""

    @abstractmethod
    def flags(self, region: Region) -> Sequence[str]:
        """The kernel's VmFlags of the region, e.g. ("rd", "ex", "mt")."""

    def usage(self) -> Mapping[int, RegionUsage] | None:
        """By start address of the region, how much of it is where; None if the kernel does not say."""
        return None

    def written(self, region: Region) -> bool:
        """Whether some of its pages are the process' own: of no file, or changed since they were mapped."""
        return True

    def protection_key(self, region: Region) -> int | None:
        """The number of the region's memory protection key (pkeys(7)); None where the CPU has no keys."""
        return None

    page_size: int


class MemoryAllocation(ABC):
    """Memory made in the target for expressions."""

    @abstractmethod
    def allocate(self, size: int, permissions: str) -> int:
        """Map `size` bytes with `permissions` ("rwx" letters) and give the address. The target must be stopped."""

    @abstractmethod
    def free(self, address: int) -> None:
        """Unmap what `allocate` gave; raises `BadAddress` for any other address."""


class Auxv(ABC):
    """The ELF auxiliary vector."""

    @abstractmethod
    def auxv(self) -> bytes:
        """Pairs of target words in target byte order, as /proc/PID/auxv has them."""


class LoadedLibrary(NamedTuple):
    """One link map entry: its own address `link_map`, load bias, dynamic section; `namespace` is the address of
    its r_debug."""

    name: str
    link_map: int
    load_bias: int
    dynamic: int
    namespace: int = 0


class SharedLibraries(ABC):
    """What the target's dynamic loader has loaded."""

    @abstractmethod
    def libraries(self) -> tuple[int, Sequence[LoadedLibrary]]:
        """(address of the main link map, entries without the main program); (0, ()) while there are none yet.

        Raises `Unsupported` for a program whose loader leaves no list where it can be found (a static one).
        """

    @abstractmethod
    def load_address(self, path: str) -> int | None:
        """The lowest address at which the file `path` is mapped, None if it is not."""


class OpenFile(NamedTuple):
    """An open descriptor of the debuggee: `mode` is "r", "w" or "rw", `position` in bytes, `name` a path or what the
    kernel calls it."""

    number: int
    mode: str
    position: int
    name: str


class NativeReads(ABC):
    """C functions that read the process without Python: `read_memory` and `read_regset` as native/cdef/rsp.h has them
    in `rsp_reads`; they see what `Process.read_memory` and `Process.read_regset` see."""

    read_memory: object
    read_regset: object


class OpenFiles(ABC):
    """What the debuggee has open."""

    @abstractmethod
    def open_files(self) -> Sequence[OpenFile]:
        """In ascending order of the descriptors."""


class ExecFile(ABC):
    """The program behind the process."""

    @abstractmethod
    def exec_file(self) -> str:
        """Absolute path of the executable."""


class SignalInfo(ABC):
    """The signal a stopped thread is about to get."""

    @abstractmethod
    def read_siginfo(self, tid: int) -> bytes:
        """The native siginfo_t; raises `DebugError` if the thread did not stop for a signal."""

    @abstractmethod
    def write_siginfo(self, tid: int, data: bytes) -> None:
        """Replace it; it is delivered if the thread is resumed with the signal."""


class CoreFiles(ABC):
    """Core files, for a debugger to look at the process later."""

    @abstractmethod
    def save(self, hint: str, tid: int, signal: int) -> str:
        """Write a core of the stopped process, whole or not at all, and give its path: `hint`, replacing what is
        there, or where there is no such folder a file in a new one for temporary files.

        `tid` is the thread to show first, `signal` the native number of what it stopped for, 0 for none.
        Raises `DebugError` with the errno.
        """


class SignalSending(ABC):
    """Signals from outside."""

    @abstractmethod
    def send(self, signal: int) -> None:
        """Send `signal` to the process; it stops for it as for any other signal once it runs."""


class StandardStreams(ABC):
    """A debuggee whose terminal the server owns."""

    terminal: int = -1
    """A descriptor from which the server loop reads what the debuggee prints; -1 where it comes through
    `Backend.on_output`."""

    @abstractmethod
    def write_stdin(self, data: bytes) -> None:
        """Type `data` at the debuggee's terminal."""


class ThreadReports(ABC):
    """Events of single threads."""

    @abstractmethod
    def report(self, tid: int, *, clones: bool, exits: bool) -> None:
        """Whether `Cloned` and `ThreadExited` of the thread are reported; tid -1: of every thread that is there now.
        New threads begin with neither. The threads of a reported clone stay stopped until they are resumed."""


class ThreadDetails(ABC):
    """What the kernel knows of a thread beside its registers."""

    @abstractmethod
    def details(self, tid: int) -> Mapping[str, int | float | str]:
        """By name, for people: state, scheduling, times in seconds. Raises `NoSuchProcess` when it is gone."""


class ThreadPlacement(ABC):
    """Where the kernel runs a thread."""

    @abstractmethod
    def core(self, tid: int) -> int:
        """The number of the processor on which the thread last ran."""


class RegisterSnapshots(ABC):
    """Save and restore all registers of a thread, a pending system call restart included."""

    @abstractmethod
    def save(self, tid: int) -> int:
        """Remember the registers; gives a positive id."""

    @abstractmethod
    def restore(self, tid: int, snapshot: int) -> None:
        """Put them back and forget the id; raises `DebugError` for an unknown id."""


class MachException(NamedTuple):
    """A Mach exception as the kernel delivered it: `type` (EXC_BAD_ACCESS is 1), and its unsigned `codes`."""

    type: int
    codes: tuple[int, ...]


class MachExceptions(ABC):
    """Why threads stopped, in the kernel's own terms."""

    @abstractmethod
    def exception(self, tid: int) -> MachException | None:
        """The exception of the thread's present stop; None if it did not stop for one, or for a mere signal."""


class LoadedImage(NamedTuple):
    """One Mach-O image: where its header is, its file ("" when dyld does not know it), its modification time."""

    load_address: int
    path: str
    modified: int = 0


class SharedCache(NamedTuple):
    """dyld's shared cache: where it is mapped (0: there is none), its UUID, whether the process has one of its own."""

    base_address: int
    uuid: bytes
    private: bool


class MachImages(ABC):
    """What dyld has loaded."""

    @abstractmethod
    def info_address(self) -> int:
        """The address of dyld_all_image_infos."""

    @abstractmethod
    def images(self) -> Sequence[LoadedImage]:
        """Every image, the main program first; empty before dyld has run."""

    @abstractmethod
    def shared_cache(self) -> SharedCache:
        """The shared cache that the process uses."""


class ThreadHandles(NamedTuple):
    """Addresses of what the system libraries know of a thread; 0 where there is nothing."""

    pthread: int
    dispatch_queue: int


class MachThreads(ABC):
    """What the system libraries of a Mac know of a thread."""

    @abstractmethod
    def handles(self, tid: int) -> ThreadHandles:
        """pthread_t and dispatch queue of the thread."""
