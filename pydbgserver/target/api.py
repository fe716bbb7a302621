"""What a debuggee is, without an OS: the contract between the protocol side and the backends.

The required core is small. Everything a target may or may not have is a
capability (`pydbgserver.target.capabilities`), asked for once with
``process.capability(Kind)`` and never discovered by a failing call.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from math import inf
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from pydbgserver.errors import Unsupported
from pydbgserver.target.events import StopEvent, ThreadEvent
from pydbgserver.target.files import OWN_FILES, Files
from pydbgserver.target.launch_spec import LaunchSpec as LaunchSpec

if TYPE_CHECKING:
    from pydbgserver.arch.model import Arch
    from pydbgserver.target.repeats import NativeRepeats

Capability = TypeVar("Capability")

SEARCH_PIECE = 1 << 16
"""How much of the memory is read at once when it is searched."""

ANY = -1
"""In a `ResumeAction`: every process, or every thread of the process."""


class ResumeKind(Enum):
    """What a matched thread is to do; the values are those of `enum linux_resume_kind` in native/cdef/linux.h."""

    CONTINUE = 0
    STEP = 1
    STOP = 2
    RANGE_STEP = 3


class StopScope(Enum):
    """Who stops when a thread has something to report; the values are those of `enum linux_scope` there."""

    ALL = 0
    PROCESS = 1
    THREAD = 2


class ResumeAction(NamedTuple):
    """One vCont action. The leftmost action that matches a thread is the one it gets."""

    kind: ResumeKind
    pid: int = ANY
    tid: int = ANY
    signal: int = 0
    range_start: int = 0
    range_end: int = 0


@dataclass(slots=True)
class ProcessInfo:
    """One process of the host, as `ps` would show it. Ids are decimal numbers of the server's namespace."""

    pid: int
    parent_pid: int = 0
    uid: int = 0
    gid: int = 0
    effective_uid: int = 0
    effective_gid: int = 0
    name: str = ""
    arguments: Sequence[str] = ()
    triple: str = ""
    cpu_type: int = 0
    """Of a Mach-O program: cpu_type_t and cpu_subtype_t; 0 on other systems."""
    cpu_subtype: int = 0


@dataclass(slots=True)
class HostInfo:
    """The machine the server runs on. `triple` is LLVM's, e.g. ``x86_64-pc-linux-gnu``."""

    triple: str
    pointer_size: int
    byte_order: str
    hostname: str
    os_version: str
    os_build: str
    os_kernel: str
    distribution: str = ""
    cpu_type: int = 0
    """Of a Mac: cpu_type_t and cpu_subtype_t; 0 on other systems."""
    cpu_subtype: int = 0
    addressing_bits: int = 0
    """How many bits of a pointer are its address, where the CPU signs pointers; 0 where it does not."""
    page_size: int = 0
    """Bytes, 0 where clients do not ask for it."""
    watchpoints_before: bool = False
    """A watchpoint stops before the access: a client has to step over it."""
    processor_trace: str = ""
    """The trace unit of the processor that the kernel offers to programs; "" if there is none."""


class Process(ABC):
    """One debuggee. All calls are synchronous and are made between stops unless said otherwise.

    Every method raises `NoSuchThread` for an unknown `tid` and `NoSuchProcess`
    once the process is gone.
    """

    pid: int
    attached: bool
    """True when it ran before the server came (client detaches on quit), False when the server launched it."""
    arch: Arch
    """The CPU description; replaced when an exec changes it."""

    @abstractmethod
    def threads(self) -> Sequence[int]:
        """Live thread ids, in the order in which they were first seen (the leader first while it lives)."""

    @abstractmethod
    def thread_name(self, tid: int) -> str:
        """The thread's name, "" if it has none."""

    @abstractmethod
    def read_memory(self, address: int, length: int) -> bytes:
        """The longest readable prefix of the range, planted traps hidden.

        Raises `BadAddress` when not even the first byte is readable. Works on a running process too.
        """

    def search_memory(self, address: int, length: int, pattern: bytes) -> int | None:
        """The first address in the range where `pattern` is whole; None if there is none.

        Raises `BadAddress` where the memory before it is not readable.
        """
        kept, position, end = b"", address, address + length
        while position < end:
            data = self.read_memory(position, min(SEARCH_PIECE, end - position))
            place = (kept + data).find(pattern)
            if place >= 0:
                return position - len(kept) + place
            position += len(data)
            kept = (kept + data)[-(len(pattern) - 1) :] if len(pattern) > 1 else b""
        return None

    @abstractmethod
    def write_memory(self, address: int, data: bytes) -> None:
        """Write all of `data`, whatever the page's protection, keeping planted traps in place.

        Raises `BadAddress` when a page is not mapped; the bytes before it may have been written.
        """

    @abstractmethod
    def read_regset(self, tid: int, name: str) -> bytes:
        """The raw register set `name` (a `RegSet.name` of `arch`) of a stopped thread, as the kernel lays it out."""

    @abstractmethod
    def write_regset(self, tid: int, name: str, data: bytes) -> None:
        """Replace the raw register set of a stopped thread."""

    @abstractmethod
    def insert_breakpoint(self, address: int, kind: int) -> None:
        """Plant a software breakpoint (`kind` as in Z0). Planting it twice is the same as once."""

    @abstractmethod
    def remove_breakpoint(self, address: int, kind: int) -> None:
        """Remove a software breakpoint; one that is not there is no error.

        Raises `BadAddress` when the memory that it was in is gone; it is forgotten all the same.
        """

    @abstractmethod
    def kill(self) -> None:
        """Kill it and wait until it is gone; it leaves `Backend.processes`, no event is reported."""

    @abstractmethod
    def detach(self, *, stopped: bool = False) -> None:
        """Let it go running (or stopped, if `stopped`) and clean: no trap, debug register or signal of ours left."""

    @abstractmethod
    def capability(self, kind: type[Capability]) -> Capability | None:
        """The object that implements the capability `kind`, or None if this target lacks it."""


class ProcessStarts(ABC):
    """Tells of programs that start anywhere on the machine, from when it was made to `close`."""

    @abstractmethod
    async def wait(self) -> Sequence[int] | None:
        """Block (a trio checkpoint) until there are some: their process ids, or None if it may have been any."""

    @abstractmethod
    def close(self) -> None:
        """Hear no more."""


class Backend(ABC):
    """Makes and owns processes, and resumes and waits for them as a group.

    All-stop: when an event is reported, every thread of every process is
    stopped. `resume` and `poll` return all events found at that stop, one per
    thread at most, the one to report first first; an empty sequence means the
    target is still running.

    Other scopes (`set_scope`): what has no event runs on. `resume` acts on
    threads that are stopped and whose stop is known to the client
    (`acknowledge`, scope THREAD only), and its action STOP stops those that
    run, which brings a `Halted` event of each; `poll` gives what has stopped.
    A fork's child stays stopped.
    """

    processes: Mapping[int, Process]
    signal_numbering = "linux"
    """Whose numbers the signals of its events and actions have: a key of ``rsp.signals.NUMBERINGS``."""
    exception_types: Mapping[str, int] = {}
    """By name, the exceptions that `RunOptions.ignored_exceptions` can leave to the system; Mach has them."""
    lacking: Collection[type[object]] = ()
    """Capabilities that none of its processes will have: for what is promised before there is one."""
    never_reports: frozenset[type[ThreadEvent]] = frozenset()
    """Events of which the system tells no debugger."""
    on_output: Callable[[int, bytes], None] | None = None
    """Called with (pid, bytes) when a debuggee that owns a server-side terminal prints."""

    @abstractmethod
    def launch(self, spec: LaunchSpec) -> Process:
        """Start a program and stop it at its first instruction. Raises `LaunchError` with the reason in words."""

    @abstractmethod
    def attach(self, pid: int) -> Process:
        """Attach to every thread of `pid` and stop them. Raises `AttachError` with the reason in words."""

    @abstractmethod
    def resume(self, actions: Sequence[ResumeAction], *, budget_us: int = 0) -> Sequence[StopEvent]:
        """Apply `actions` to the stopped threads and wait at most `budget_us` microseconds for a stop."""

    def native_repeats(self) -> NativeRepeats | None:
        """How packets that come again are carried out without Python; None where they are not."""
        return None

    @abstractmethod
    def poll(self, *, budget_us: int = 0) -> Sequence[StopEvent]:
        """Collect what happened since the last call, waiting at most `budget_us` microseconds."""

    @abstractmethod
    def interrupt(self, pid: int = ANY) -> None:
        """Ask every thread to stop; an `Interrupted` event (or a real one that came first) follows from `poll`, of a
        thread that has been resumed, if possible one of the process `pid`."""

    def set_scope(self, scope: StopScope) -> Sequence[StopEvent]:
        """Choose who stops. From ALL: while everything is stopped. To ALL: stops everything and gives the events
        found, none if a thread would not stop in time or if all were stopped. Raises `Unsupported`."""
        if scope is not StopScope.ALL:
            raise Unsupported("this target stops as a whole only")
        return ()

    def acknowledge(self, tid: int) -> None:
        """The client knows of the thread's stop. Raises `NoSuchThread`."""
        raise Unsupported

    def run_attached(self, pid: int, *, but: int = 0) -> None:
        """Scope THREAD: let the threads of a process run that has just been attached, but for the thread `but`. Raises
        `NoSuchProcess`."""
        raise Unsupported

    @abstractmethod
    async def wait_activity(self) -> None:
        """Block (a trio checkpoint) until `poll` may have something to say. Costs no CPU while waiting."""

    def unattended(self) -> bool:
        """Whether something that was let go, or that nobody wanted to hear of, has to be looked after still:
        by `attend`, whenever `wait_activity` returns, even if nobody waits for a stop."""
        return False

    def attend(self) -> None:
        """Do so. What happened to debuggees meanwhile is for the next `resume` or `poll`."""
        raise Unsupported

    @abstractmethod
    def host_info(self) -> HostInfo:
        """The machine's description."""

    @abstractmethod
    def process_info(self, pid: int) -> ProcessInfo:
        """Any process of the host; raises `NoSuchProcess`."""

    @abstractmethod
    def list_processes(self) -> Sequence[ProcessInfo]:
        """Every process of the host that the server may see."""

    def processes_named(self, name: str, among: Sequence[int] | None = None) -> Sequence[int]:
        """The ids of the processes (of those in `among`, if given) whose program has this base name."""
        named = [one.pid for one in self.list_processes() if one.name.rpartition("/")[2] == name]
        return named if among is None else [pid for pid in named if pid in among]

    def age_of(self, pid: int) -> float:
        """Seconds since the process was started, 0 when it is gone; inf where the system does not tell."""
        return inf

    def watch_starts(self) -> ProcessStarts | None:
        """From now on, hear of programs that start; None where the system does not tell: then look now and then."""
        return None

    def host_tables(self) -> Sequence[tuple[str, ...]]:
        """(name, description, title) of the tables in which the machine can be shown; none by default."""
        return ()

    def host_table(self, name: str) -> tuple[tuple[str, ...], Iterable[tuple[str, ...]]] | None:
        """The names of the columns and the rows of one of `host_tables`; None if there is no such table."""
        return None

    def files_of(self, pid: int) -> Files:
        """Files as the process sees them. Raises `OSError` if it is not there or may not be looked into."""
        return OWN_FILES

    @abstractmethod
    def set_options(self, options: RunOptions) -> None:
        """Which events are reported and which are handled silently; takes effect at the next resume."""

    @abstractmethod
    def release(self, *, kill_launched: bool = False) -> None:
        """End of service: detach from everything, running and clean; launched processes die if `kill_launched`
        or if they were never resumed."""


@dataclass(slots=True)
class RunOptions:
    """What the client wants to hear about (native signal numbers and system call numbers)."""

    report_forks: bool = False
    report_vforks: bool = False
    report_execs: bool = True
    report_threads: bool = False
    pass_signals: frozenset[int] = frozenset()
    program_signals: frozenset[int] | None = None
    """Signals that may be delivered on resume and detach; None: all."""
    catch_syscalls: Mapping[int, frozenset[int] | None] = field(default_factory=dict)
    """By pid: the caught system call numbers, None for all of them."""
    ignored_exceptions: frozenset[int] = frozenset()
    """Values of `Backend.exception_types`: they become signals at once, without a stop."""
    plain_registers: bool = False
    """The client reads no target descriptions: it takes for granted the registers that every such CPU has."""
    unattended: bool = False
    """No client is connected: pass every signal, report nothing but exits."""
