"""One connection's state and its packets.

`Session.dispatch` is the one place where a handler's result or exception
becomes a wire reply. The session is synchronous and knows no transport: the
server loop feeds it packet bodies, tells it of stops and output, and sends the
bodies it gives back.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from pydbgserver import logs
from pydbgserver.errors import (
    AttachError,
    DebugError,
    MalformedPacket,
    NoSuchProcess,
    NoSuchThread,
    TargetRunning,
    Unsupported,
)
from pydbgserver.rsp.grammar import ALL, ANY, ThreadId
from pydbgserver.rsp.registry import NO_REPLY, REGISTRY, Entry, Reply
from pydbgserver.session import stop_reply
from pydbgserver.session.dialect import Client, Dialect
from pydbgserver.session.launch import LaunchSettings
from pydbgserver.session.open_files import OpenFile
from pydbgserver.session.repeats import Repeats
from pydbgserver.session.stop_reply import StopForms
from pydbgserver.session.stops import InitialStop, StopQueue, leftmost
from pydbgserver.target.api import Backend, LaunchSpec, Process, ResumeAction, ResumeKind, RunOptions
from pydbgserver.target.events import (
    BreakpointHit,
    Execed,
    Interrupted,
    ProcessExited,
    StopEvent,
    ThreadEvent,
    WatchpointHit,
)
from pydbgserver.target.files import OWN_FILES, Files
from pydbgserver.target.registers import pc

if TYPE_CHECKING:
    from pydbgserver.session.non_stop import NonStop

_ENDINGS = frozenset({ProcessExited, Execed})
"""Events after which something that was known is not true any more."""

RESUME_BUDGET_US = 300
"""How long a resume waits for its stop before the server loop takes over: several times a single step (15 us), a
fifth of what a person notices in a hundred steps."""

GOES_ON_BY_ITSELF = 0.2
"""Seconds in which nobody reads a stop and types a command: a resume within them was not asked for by the user."""

# gdbserver's names for --disable-packet, and the packets each of them takes away.
DISABLED_PACKETS = {
    "vCont": ("vCont", "vCont?"),
    "qC": ("qC",),
    "qfThreadInfo": ("qfThreadInfo", "qsThreadInfo"),
    "threads": ("qfThreadInfo", "qsThreadInfo", "qXfer:threads:read"),
    "T": (),
    "Tthread": (),
}


class SessionHost(Protocol):
    """What a session of a platform server can ask it for. `port` and `socket_path` are where debuggers connect."""

    port: int
    socket_path: str

    def launch(self) -> int:
        """Make a session that waits for a debugger; gives its pid. Raises `DebugError`."""

    def waiting(self) -> bool:
        """Whether a session waits with the server's own program. Raises `DebugError`."""

    def kill(self, pid: int) -> bool:
        """End a session that `launch` made; False if it was not this client who asked for it."""


@dataclass(frozen=True, slots=True)
class AwaitedProgram:
    """The base name of a program, and the processes of that name that are not meant."""

    name: str
    not_meant: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """What the command line decides for every session. `program`: what the server launched itself, for `R` and vRun.

    `disabled_packets`: keys of `DISABLED_PACKETS`.
    """

    program: LaunchSpec | None = None
    extended: bool = False
    disable_aslr: bool = True
    through_shell: bool = True
    wrapper: Sequence[str] = ()
    disabled_packets: frozenset[str] = field(default_factory=frozenset)
    resume_budget_us: int = RESUME_BUDGET_US
    platform: SessionHost | None = None
    """In platform mode: the server of the other sessions."""
    ignored_exceptions: frozenset[str] = frozenset()
    """Of `Backend.exception_types`, those that are left to the system from the beginning."""
    presumed: Client = Client.UNKNOWN
    """Who is expected to connect; what the client sends decides."""


class Session:
    """The protocol-facing state of one connection.

    For the server loop: `dispatch`, `on_stop`, `interrupt`, `output`, `oversize`, `connection_lost`; `running` (a
    resume is pending and its stop reply is owed; in `non_stop` mode always, since stops may come at any time), `ended`
    (close after this reply), `exit_requested` (`monitor exit`: end the server), `no_ack_requested` (no
    acknowledgements once the present reply is queued), `outbox` (bodies to send before the next reply), `notices`.

    For handlers: `process` and `thread` (what Hg selected), `resume`, and the state kept between packets.
    """

    __slots__ = (
        "_disabled",
        "_held_output",
        "_interrupt_next",
        "_newest",
        "_process",
        "_reported_at",
        "_tid",
        "_unidentified",
        "awaited",
        "backend",
        "before_spawning",
        "breakpoints",
        "called",
        "collect_output",
        "detach_on_error",
        "dialect",
        "dirty_pages",
        "ended",
        "exit_requested",
        "extended",
        "file_view",
        "files",
        "launch_settings",
        "left_running",
        "no_ack_requested",
        "non_stop",
        "notices",
        "options_changed",
        "outbox",
        "packets",
        "parsed_actions",
        "platform",
        "process_listing",
        "programmed",
        "ran_before",
        "repeats",
        "resume_budget_us",
        "resume_thread",
        "run_options",
        "running",
        "runs_unattended",
        "since_heard",
        "stop_forms",
        "stops",
        "symbols",
        "thread_listing",
        "watchpoints",
        "xfer_snapshot",
    )

    def __init__(
        self, backend: Backend, options: SessionOptions | None = None, *, stops: StopQueue | None = None
    ) -> None:
        """`stops`: those of an earlier connection, if the target has stood still since."""
        options = options or SessionOptions()
        self.backend = backend
        self.dialect = Dialect(options.presumed, backend.signal_numbering)
        self.stops = stops or StopQueue()
        self.running = False
        self.non_stop: NonStop | None = None
        self.ran_before = False
        """The target ran before the client came, and has been stopped for it."""
        self.left_running = False
        """Some of the target ran when the client was lost in non-stop mode."""
        self.ended = False
        self.exit_requested = False
        self.dirty_pages = False
        """Region replies list the pages that were written (`monitor set dirty-pages 1`)."""
        self.no_ack_requested = False
        self.extended = options.extended
        self.detach_on_error = True
        """False: an attached or launched program is to be killed when the connection is lost (QSetDetachOnError:0)."""
        self.outbox: list[bytes] = []
        self.notices: list[tuple[str, bytes]] = []
        """Notifications to send after the next reply, or at once: name and data."""
        self.before_spawning: Callable[[], None] | None = None
        """Called before another program is started, to undo what it should not inherit."""
        self.since_heard: Callable[[], float] = lambda: 0.0
        """Seconds since the packet that is being handled arrived, which the server may have read later."""
        self.collect_output: Callable[[], None] | None = None
        """Called before a stop is reported, to hand over by `output` what the target has printed up to then."""
        self.packets = 0
        self.launch_settings = LaunchSettings(
            last=options.program,
            disable_aslr=options.disable_aslr,
            through_shell=options.through_shell,
            wrapper=options.wrapper,
        )
        self.platform = options.platform
        self.awaited: AwaitedProgram | None = None
        """What the client waits to attach to; `look_for_awaited` is to be called as programs start."""
        self.runs_unattended = False
        """The client has detached, and everything runs on with the server attached (`leave_running`)."""
        ignored = (number for name, number in backend.exception_types.items() if name in options.ignored_exceptions)
        self.run_options = RunOptions(ignored_exceptions=frozenset(ignored))
        self.options_changed = True
        self.resume_thread = ThreadId(None, ANY)
        """What Hc chose, for `c`, `C`, `s` and `S`."""
        self.breakpoints: set[tuple[int, int]] = set()
        """(pid, address) of the software and hardware breakpoints the client has inserted."""
        self.called: frozenset[tuple[int, int]] = frozenset()
        """(pid, snapshot) of the registers that the client has saved while it calls a function, see `now_called`."""
        self.watchpoints: set[tuple[int, int]] = set()
        """(pid, address) of its watchpoints."""
        self.programmed: set[tuple[int, int, bool]] = set()
        """(pid, address, hardware) of the breakpoints that have conditions or commands."""
        self.symbols: dict[int, dict[str, int]] = {}
        """By pid: addresses of symbols that the client has looked up for us."""
        self.repeats = Repeats(self)
        """Packets that may be carried out without `dispatch`."""
        self.parsed_actions: dict[bytes, tuple[ResumeAction, ...]] = {}
        self.file_view: Files = OWN_FILES
        """Host I/O: in whose view of the file system paths are meant (vFile:setfs)."""
        self.files: dict[int, OpenFile] = {}
        """Host I/O: by the client's descriptors."""
        self.thread_listing: list[str] = []
        self.process_listing: list[str] = []
        self.xfer_snapshot: tuple[str, bytes] | None = None
        self._held_output = bytearray()
        self._disabled = frozenset(name for key in options.disabled_packets for name in DISABLED_PACKETS.get(key, ()))
        self.stop_forms = StopForms(
            thread_key="Tthread" not in options.disabled_packets, details="T" not in options.disabled_packets
        )
        self.resume_budget_us = options.resume_budget_us
        """How long a resume waits for its stop, in microseconds."""
        self._newest = 0
        """The pid of what was launched or attached to last: an interrupt of several processes is told of that one, as
        gdbserver does (linux-low.cc, signal_pid). What gdb has selected may be where it put a breakpoint last."""
        self._interrupt_next = 0.0
        """Until when (time.monotonic) a resume is stopped at once by an interrupt that came before it."""
        self._reported_at = 0
        """What `packets` was when the last stop was reported."""
        self._unidentified = True
        self._process: Process | None = None
        self._tid = ANY
        self._adopt_any_process()

    # Packets.

    def dispatch(self, body: bytes) -> bytes | None:
        """Handle one packet body; gives the body of its reply, None if nothing is to be sent now.

        An unknown packet gets the empty reply. Never raises.
        """
        self.packets += 1
        if self._unidentified:
            self._identify(body)
        found = REGISTRY.find(body)
        if found is None:
            return b""
        entry, offset = found
        if self._disabled and entry.name in self._disabled:
            return b""
        try:
            result: bytes | str | Reply | None = entry.call(self, body, offset)
        except DebugError as error:
            return self._error_reply(error, entry)
        except Exception:
            return self._bug_reply(entry, body)
        if result is None:
            return b"OK"
        if isinstance(result, bytes):
            return result
        if isinstance(result, str):
            return result.encode("utf-8", "surrogateescape")
        return None

    def _identify(self, body: bytes) -> None:
        self.dialect.observe(body)
        self._unidentified = self.dialect.presumed

    def _error_reply(self, error: DebugError, entry: Entry) -> bytes:
        # gdb gives up on a server that answers nothing to a packet whose feature it was told of ("Protocol error:
        # conflicting enabled responses"), so that a missing capability is an error then.
        if isinstance(error, Unsupported) and entry.features:
            error = DebugError(str(error) or f"this target has no {entry.name}")
        return self.dialect.error(error, entry.name)

    def _bug_reply(self, entry: Entry, body: bytes) -> bytes:
        import traceback

        logs.problem(f"packet {body[:200]!r} (handler of {entry.name}) failed:\n{traceback.format_exc()}")
        return self.dialect.error(DebugError(f"internal error in packet {entry.name}"), entry.name)

    def oversize(self) -> bytes:
        """The reply to a packet that was too long to be taken in."""
        return self.dialect.error(MalformedPacket("the packet is longer than PacketSize"))

    # Processes and threads.

    @property
    def process(self) -> Process:
        """The process that packets apply to. Raises `NoSuchProcess`."""
        if self._process is None:
            self._adopt_any_process()
            if self._process is None:
                raise NoSuchProcess
        return self._process

    def thread(self, tid: int | None = None) -> tuple[Process, int]:
        """The process and the thread id that packets apply to: `tid` if it is given, else what Hg chose.

        Raises `NoSuchProcess`, and `NoSuchThread` if there is no such thread in several processes.
        """
        process = self.process
        if tid is None:
            return process, self._tid
        if len(self.backend.processes) > 1:
            process = self.owner(tid)
        return process, tid

    def stopped_thread(self, tid: int | None = None) -> tuple[Process, int]:
        """As `thread`, for what needs a stopped target; raises `TargetRunning`. In non-stop mode only the target itself
        knows whether the thread is stopped, and raises it."""
        if self.running and self.non_stop is None:
            raise TargetRunning
        return self.thread(tid)

    def owner(self, tid: int) -> Process:
        """The process that has the thread `tid`. Raises `NoSuchThread`."""
        for process in self.backend.processes.values():
            if tid in process.threads():
                return process
        raise NoSuchThread(tid)

    def process_of(self, pid: int) -> Process:
        """The debugged process `pid`. Raises `NoSuchProcess`."""
        process = self.backend.processes.get(pid)
        if process is None:
            raise NoSuchProcess(pid)
        return process

    def find_thread(self, pattern: ThreadId) -> tuple[Process, int]:
        """The thread that `pattern` names; ANY and ALL stand for the present one, or a process' first.

        Raises `NoSuchProcess` and `NoSuchThread`.
        """
        pid, tid = pattern.pid, pattern.tid
        if tid in (ANY, ALL):
            process = self.process if pid in (None, ANY, ALL) else self.process_of(pid or 0)
            tids = process.threads()
            return process, self._tid if self._tid in tids else tids[0]
        process = self.owner(tid) if pid in (None, ANY, ALL) else self.process_of(pid or 0)
        if tid not in process.threads():
            raise NoSuchThread(tid)
        return process, tid

    def select(self, process: Process, tid: int) -> None:
        """Make these what packets apply to."""
        self._process = process
        self._tid = tid

    @property
    def reading(self) -> tuple[object, ...]:
        """What the replies to packets that only read depend on, beside the target: process and thread (may be ANY),
        the CPU (exec may change it), multiprocess ids, binary-upload, non-stop mode."""
        dialect, process = self.dialect, self._process
        arch = process.arch if process is not None else None
        return process, self._tid, arch, dialect.multiprocess, dialect.binary_upload, self.non_stop

    @property
    def selected_tid(self) -> int:
        """The thread that Hg or the last stop chose; ANY if there is none."""
        return self._tid

    @property
    def selected_process(self) -> Process | None:
        """Its process."""
        return self._process

    def gone(self, pid: int) -> None:
        """The process has ended, been killed or let go: nothing refers to it any more."""
        self.forget_program(pid)
        if self._process is not None and self._process.pid == pid:
            self._process = None
            self._tid = ANY
            self._adopt_any_process()

    def nothing_left(self) -> None:
        """After processes have been let go or killed: without any no stop is owed."""
        if not self.backend.processes and self.non_stop is None:
            self.running = False

    def spawning(self) -> None:
        """To be called before another program is started."""
        if self.before_spawning is not None:
            self.before_spawning()

    def is_offered(self, name: str) -> bool:
        """False for a packet that --disable-packet has taken away."""
        return name not in self._disabled

    def forget_program(self, pid: int) -> None:
        """The process is no more, or another program: what was known of the old one does not hold."""
        self.stops.forget(pid)
        if self.non_stop is not None:
            self.non_stop.forget(pid)
        self.breakpoints = {one for one in self.breakpoints if one[0] != pid}
        self.watchpoints = {one for one in self.watchpoints if one[0] != pid}
        self.programmed = {one for one in self.programmed if one[0] != pid}
        self.symbols.pop(pid, None)
        self.xfer_snapshot = None
        self.repeats.forget()
        if self.called:
            self.now_called(one for one in self.called if one[0] != pid)

    def _adopt_any_process(self) -> None:
        for process in self.backend.processes.values():
            tids = process.threads()
            self.select(process, tids[0] if tids else process.pid)
            return

    # Running and stopping.

    def started(self, process: Process) -> bytes:
        """A launch or an attach has brought `process`: gives the stop reply of its first stop."""
        self._newest = process.pid
        tids = process.threads()
        return self._report(InitialStop(process.pid, tids[0] if tids else process.pid))

    def look_for_awaited(self, among: Sequence[int] | None = None) -> bytes | None:
        """Attach to the program that the client waits for, if it runs by now: gives the reply, else None.

        `among`: the processes that have started since the last look; None: it may be any.
        """
        awaited = self.awaited
        if awaited is None:
            return None
        found = [pid for pid in self.backend.processes_named(awaited.name, among) if pid not in awaited.not_meant]
        if not found:
            return None
        try:
            self.apply_options()
            reply = self.started(self.backend.attach(found[0]))
        except DebugError as error:
            if isinstance(error, AttachError) and error.code == errno.ESRCH:
                return None  # It has ended already: the next one may stay.
            reply = self.dialect.error(error, "vAttachWait")
        self.awaited = None
        return reply

    def resume(self, actions: Sequence[ResumeAction]) -> bytes | Reply:
        """Let threads run as `actions` say; gives the stop reply if a stop came at once or was waiting.

        Raises `TargetRunning`, `NoSuchProcess` and `NoSuchThread`.
        """
        if self.running and self.non_stop is None:
            raise TargetRunning
        if self._process is None and not self.backend.processes:
            raise NoSuchProcess
        if self.non_stop is not None:
            return self.non_stop.resume(actions)
        if self._interrupt_next:
            until, self._interrupt_next = self._interrupt_next, 0.0
            if monotonic() < until:
                return self._stop_before_running(actions)
        if self.stops.waiting:
            event = self.stops.next_waiting(actions, self._still_true)
            if event is not None:
                return self._report(event)
        if self.options_changed:
            self.apply_options()
        return self.has_run(self.backend.resume(self.stops.resumed(actions), budget_us=self.resume_budget_us))

    def has_run(self, events: Sequence[StopEvent]) -> bytes | Reply:
        """A resume has brought `events`, or none yet; gives the stop reply then."""
        if events:
            return self._stopped(events)
        self.running = True
        self._flush_output()
        return NO_REPLY

    def has_stopped(self, event: StopEvent, number: int) -> None:
        """The client has been told of `event` in the reply to the packet `number`, which resumed the target."""
        self.stops.resumed(())
        self._note(event, number)

    @property
    def has_pending(self) -> bool:
        """Whether a resume has more to see to than its actions."""
        if self.options_changed or self.stops.pending or self._interrupt_next or self.programmed:
            return True
        return self.non_stop is not None

    def _stop_before_running(self, actions: Sequence[ResumeAction]) -> bytes:
        newest = self.backend.processes.get(self._newest)
        if newest is not None and leftmost(actions, newest.pid, newest.pid) is not None:
            process, tid = self.find_thread(ThreadId(newest.pid, ANY))
        else:
            process, tid = self.find_thread(ThreadId(None, ANY))
        self.stops.owe_signals(actions)
        return self._report(Interrupted(process.pid, tid))

    def now_called(self, called: Iterable[tuple[int, int]]) -> None:
        """The calls that are on have changed. A vfork that lldb is told of ends its call (ThreadPlanCallFunction knows
        no such stop), and the child is held for ever. While a call is on it is followed unseen: `system` is as good
        in an expression as any function."""
        self.called = frozenset(called)
        options = self.run_options
        wanted = "vfork" in self.dialect.events and not self.called
        if options.report_vforks is not wanted:
            options.report_vforks = wanted
            self.change_options()

    def change_options(self) -> None:
        """`run_options` has been changed: the backend hears of it at the next resume, in non-stop mode at once."""
        self.options_changed = True
        if self.non_stop is not None:
            self.apply_options()

    def apply_options(self) -> None:
        """Tell the backend what the client wants to hear of."""
        self.options_changed = False
        self.backend.set_options(self.run_options)

    def leave_running(self) -> None:
        """Detach, but for the breakpoints whose commands go on without a client: the target runs until it ends or
        another client comes."""
        if self.non_stop is not None:
            self._leave_non_stop(self.non_stop)
        self.backend.set_options(RunOptions(unattended=True))
        if not self.running:
            events = self.backend.resume((ResumeAction(ResumeKind.CONTINUE),))
            self.account(events)
        self.running = self.runs_unattended = bool(self.backend.processes)

    def on_stop(self, events: Sequence[StopEvent]) -> bytes | None:
        """The backend reports `events`; gives the stop reply to send, None if no one waits for one."""
        if not events:
            return None
        if self.runs_unattended:
            self.account(events)
            self.running = self.runs_unattended = bool(self.backend.processes)
            return None
        if self.non_stop is not None:
            self.non_stop.on_stop(events)
            return None
        if not self.running:
            self.account(events)
            self.stops.keep(events)
            return None
        return self._stopped(events)

    def interrupt(self) -> None:
        """The client's interrupt.

        While stopped there are two cases. One that follows other packets is meant for the resume to come: gdb 13 sends
        it before vCont when Ctrl-C is pressed while it still inserts breakpoints. gdbserver stops that resume at once.
        The first thing to come after a stop reply was sent before the client read that reply. What it asks for has
        happened, and it is dropped, unless gdb goes on by itself (a software watchpoint, a false condition): then its
        user is still waiting for the stop.

        A wait for a program to start is given up.
        """
        if self.awaited is not None:
            self.awaited = None
            error = AttachError("interrupted before the program was started", errno.EINTR)
            self.outbox.append(self.dialect.error(error, "vAttachWait"))
        elif self.running:
            self.backend.interrupt(self._newest)
        elif self.packets > self._reported_at:
            self._interrupt_next = inf
        elif self.dialect.is_gdb and not isinstance(self.stops.last, Interrupted):
            self._interrupt_next = monotonic() + GOES_ON_BY_ITSELF

    def stop_reply(self) -> bytes:
        """What `?` asks for: the last stop once more, without side effects. Raises `TargetRunning`."""
        if self.non_stop is not None:
            return self.non_stop.status()
        if self.running:
            raise TargetRunning
        stops = self.stops
        if stops.last is None and stops.waiting:
            event = stops.take_waiting(self._still_true)
            if event is not None:
                return self._report(event)
        if stops.last is None:
            process, tid = self.find_thread(ThreadId(None, ANY))
            return self._report(InitialStop(process.pid, tid))
        return stop_reply.compose(self, stops.last)

    def _stopped(self, events: Sequence[StopEvent]) -> bytes:
        self.running = False
        if self.collect_output is not None:
            self.collect_output()
            self._flush_output()
        event = events[0]
        if len(events) > 1 or event.__class__ in _ENDINGS:
            self.account(events)
            self.stops.arrive(events[1:], all_at_once=self.dialect.is_lldb)
        return self._report(event)

    def account(self, events: Sequence[StopEvent]) -> None:
        """Forget what these events have ended."""
        for event in events:
            if event.__class__ is ProcessExited:
                self.gone(event.pid)
            elif event.__class__ is Execed:
                self.forget_program(event.pid)

    def _report(self, event: StopEvent) -> bytes:
        if event.__class__ is BreakpointHit and event.failure:
            self._tell_failure(event)
        self._note(event, self.packets)
        return stop_reply.compose(self, event)

    def _note(self, event: StopEvent, number: int) -> None:
        self.stops.report(event)
        self._reported_at = number
        if isinstance(event, ThreadEvent):
            process = self.backend.processes.get(event.pid)
            if process is not None:
                self._process = process
                self._tid = event.tid

    def _tell_failure(self, event: BreakpointHit) -> None:
        """On the client's console: no stop reply has a place for it."""
        self.outbox.append(b"O" + f"{stop_reply.failure_text(event)}\n".encode().hex().encode())

    def _still_true(self, event: StopEvent) -> bool:
        """Whether a stop that has waited may be reported: its breakpoint is there and its thread has not been moved."""
        if isinstance(event, ProcessExited):
            return True
        if isinstance(event, WatchpointHit):
            return (event.pid, event.address) in self.watchpoints
        if isinstance(event, BreakpointHit):
            process = self.backend.processes.get(event.pid)
            try:
                return (
                    (event.pid, event.address) in self.breakpoints
                    and process is not None
                    and pc(process, event.tid) == event.address
                )
            except DebugError:
                return False
        return event.pid in self.backend.processes

    # The debuggee's terminal, and the end.

    def output(self, pid: int, data: bytes) -> bytes | None:
        """What a debuggee printed; gives the ``O`` packet to send, None while the client could not take one.

        A client reads them only while it waits for a stop, so that what comes at other times is held for the next
        resume (it is in `outbox` then).
        """
        if self.non_stop is not None and self.non_stop.printed(data):
            return None
        self._held_output += data
        if not self.running or self.non_stop is not None:
            return None
        return self._take_output()

    def _take_output(self) -> bytes:
        body = b"O" + self._held_output.hex().encode()
        self._held_output.clear()
        return body

    def _flush_output(self) -> None:
        if self._held_output:
            self.outbox.append(self._take_output())

    def statistics(self) -> dict[str, int]:
        """Numbers about the session, by name."""
        processes = self.backend.processes
        return {
            "packets": self.packets,
            "processes": len(processes),
            "threads": sum(len(process.threads()) for process in processes.values()),
            "breakpoints": len(self.breakpoints),
            "watchpoints": len(self.watchpoints),
            "stops waiting": len(self.stops.waiting),
            "open files": len(self.files),
        }

    def connection_lost(self) -> None:
        """The client is gone: close what it had open, and end non-stop mode. What becomes of the target is the server's
        business."""
        if self.non_stop is not None:
            self._leave_non_stop(self.non_stop)
        for file in self.files.values():
            with suppress(OSError):  # A network file system may fail to close.
                file.abandon()
        self.files.clear()
        self.outbox.clear()
        self.notices.clear()

    def _leave_non_stop(self, mode: NonStop) -> None:
        self.left_running = mode.anything_runs
        self.non_stop = None
        self.running = False
        try:
            mode.end()
        except DebugError as error:
            logs.problem(f"non-stop mode: {error}")
