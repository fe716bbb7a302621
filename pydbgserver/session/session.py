"""One connection's state and its packets.

`Session.dispatch` is the one place where a handler's result or exception
becomes a wire reply. The session is synchronous and knows no transport: the
server loop feeds it packet bodies, tells it of stops and output, and sends the
bodies it gives back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pydbgserver import logs
from pydbgserver.errors import DebugError, MalformedPacket, TargetRunning, Unsupported
from pydbgserver.rsp.grammar import ANY, ThreadId
from pydbgserver.rsp.registry import REGISTRY, Entry, Reply
from pydbgserver.session import stop_mode, unheard
from pydbgserver.session.awaited import AwaitedProgram
from pydbgserver.session.dialect import Dialect
from pydbgserver.session.insertions import Insertions
from pydbgserver.session.open_files import ClientFiles
from pydbgserver.session.options import SessionOptions
from pydbgserver.session.output import DebuggeeOutput
from pydbgserver.session.repeats import Repeats
from pydbgserver.session.reporting import StopReports
from pydbgserver.session.run_control import RunControl
from pydbgserver.session.run_settings import RunSettings
from pydbgserver.session.selection import Selection
from pydbgserver.session.stops import StopQueue
from pydbgserver.target.api import Backend, Process, ResumeAction
from pydbgserver.target.events import Execed, ProcessExited, StopEvent

if TYPE_CHECKING:
    from pydbgserver.session.non_stop import NonStop


class Session:
    """The protocol-facing state of one connection: what belongs together is a component, the rest is told here.

    For the server loop: `dispatch`, `oversize`, `connection_lost`, `run_control`, `output`, and from `running` to
    `notices` below. For handlers: `process` and `stopped_thread` (what Hg selected), the components, and the state
    that a packet leaves for another.
    """

    running: bool
    """A resume is pending and its stop reply is owed; in non-stop mode always, since stops may come at any time."""
    ended: bool
    """Close the connection after this reply."""
    exit_requested: bool
    """`monitor exit`: end the server."""
    no_ack_requested: bool
    """No acknowledgements once the present reply is queued."""
    outbox: list[bytes]
    """Bodies to send before the next reply."""
    notices: list[tuple[str, bytes]]
    """Notifications to send after the next reply, or at once: name and data."""
    before_spawning: Callable[[], None]
    """Called before another program is started, to undo what it should not inherit. Set by the server."""
    since_heard: Callable[[], float]
    """Seconds since the packet that is being handled arrived, which the server may have read later. Set by it."""
    packets: int
    """How many have come."""
    ran_before: bool
    """The target ran before the client came, and has been stopped for it."""
    left_running: bool
    """Some of the target ran when the client was lost in non-stop mode."""
    extended: bool
    """The server outlives its processes."""
    detach_on_error: bool
    """False: an attached or launched program is to be killed when the connection is lost (QSetDetachOnError:0)."""
    non_stop: NonStop | None
    """None in all-stop, see `stop_mode`."""
    awaited: AwaitedProgram | None
    """What the client waits to attach to; `look_for_awaited` is to be called as programs start."""
    resume_thread: ThreadId
    """What Hc chose, for `c`, `C`, `s` and `S`."""
    parsed_actions: dict[bytes, tuple[ResumeAction, ...]]
    """The actions of `vCont` packets that mean the same every time."""
    symbols: dict[int, dict[str, int]]
    """By pid: addresses of symbols that the client has looked up for us."""
    dirty_pages: bool
    """Region replies list the pages that were written (`monitor set dirty-pages 1`)."""
    thread_listing: list[str]
    process_listing: list[str]
    xfer_snapshot: tuple[str, bytes] | None
    """What the client reads in several packets: the rest of two listings, and a whole object by its name."""

    __slots__ = (
        "_unidentified",
        "_unknown",
        "awaited",
        "backend",
        "before_spawning",
        "detach_on_error",
        "dialect",
        "dirty_pages",
        "ended",
        "exit_requested",
        "extended",
        "files",
        "inserted",
        "launch_settings",
        "left_running",
        "no_ack_requested",
        "non_stop",
        "notices",
        "outbox",
        "output",
        "packets",
        "parsed_actions",
        "platform",
        "process_listing",
        "ran_before",
        "repeats",
        "reports",
        "resume_thread",
        "run_control",
        "run_settings",
        "running",
        "selection",
        "since_heard",
        "stop_forms",
        "stops",
        "symbols",
        "thread_listing",
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
        self.selection = Selection(backend)
        self.inserted = Insertions()
        self.run_settings = RunSettings(self, options.ignored_exceptions)
        self.run_control = RunControl(self, options.resume_budget_us)
        self.reports = StopReports(self)
        self.output = DebuggeeOutput(self)
        self.files = ClientFiles()
        self.repeats = Repeats(self)
        self.launch_settings = options.launch_settings()
        self.stop_forms = options.stop_forms()
        self.platform = options.platform
        self.extended = options.extended
        self._unknown = options.unknown_packets()
        self._begin()

    def _begin(self) -> None:
        """What no option decides."""
        self.running = self.ended = self.exit_requested = self.no_ack_requested = False
        self.ran_before = self.left_running = self.dirty_pages = False
        self.detach_on_error = True
        self.outbox, self.notices = [], []
        self.before_spawning = lambda: None
        self.since_heard = lambda: 0.0
        self.packets = 0
        self.non_stop = self.awaited = self.xfer_snapshot = None
        self.resume_thread = ThreadId(None, ANY)
        self.parsed_actions, self.symbols = {}, {}
        self.thread_listing, self.process_listing = [], []
        self._unidentified = True

    # Packets.

    def dispatch(self, body: bytes) -> bytes | None:
        """Handle one packet body; gives the body of its reply, None if nothing is to be sent now.

        An unknown packet gets the empty reply. Never raises.
        """
        self.packets += 1
        if self.run_control.interrupted_before:
            self.run_control.packet_came()
        if self._unidentified:
            self._identify(body)
        found = REGISTRY.find(body)
        if found is None:
            return b""
        entry, offset = found
        if self._unknown and entry.name in self._unknown:
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

    def is_offered(self, name: str) -> bool:
        """False for a packet that --disable-packet has taken away."""
        return name not in self._unknown

    # What packets apply to.

    @property
    def process(self) -> Process:
        """The process that packets apply to. Raises `NoSuchProcess`."""
        process = self.selection.process
        return process if process is not None else self.selection.some_process()

    def stopped_thread(self, tid: int | None = None) -> tuple[Process, int]:
        """As `Selection.thread`, for what needs a stopped target; raises `TargetRunning`. In non-stop mode only the
        target itself knows whether the thread is stopped, and raises it."""
        if self.running and self.non_stop is None:
            raise TargetRunning
        return self.selection.thread(tid)

    @property
    def reading(self) -> tuple[object, ...]:
        """What the replies to packets that only read depend on, beside the target: process and thread (may be ANY),
        the CPU (exec may change it), multiprocess ids, binary-upload, non-stop mode, open files."""
        dialect, selection = self.dialect, self.selection
        process = selection.process
        arch = process.arch if process is not None else None
        forms = dialect.multiprocess, dialect.binary_upload, dialect.decimal_files
        return process, selection.tid, arch, forms, self.non_stop, self.files.open_now

    # Processes that are no more.

    def account(self, events: Sequence[StopEvent]) -> None:
        """Forget what these events have ended."""
        for event in events:
            if event.__class__ is ProcessExited:
                self.gone(event.pid)
            elif event.__class__ is Execed:
                self.forget_program(event.pid)

    def gone(self, pid: int) -> None:
        """The process has ended, been killed or let go: nothing refers to it any more. Without any no stop is owed."""
        self.forget_program(pid)
        self.selection.drop(pid)
        if not self.backend.processes and self.non_stop is None:
            self.running = False

    def forget_program(self, pid: int) -> None:
        """The process is no more, or another program: what was known of the old one does not hold."""
        if self.stops.waiting or self.non_stop is not None:
            unheard.let_go(self, pid)
        self.stops.forget(pid)
        if self.non_stop is not None:
            self.non_stop.forget(pid)
        self.inserted.forget(pid)
        self.symbols.pop(pid, None)
        self.xfer_snapshot = None
        self.repeats.forget()
        self.run_settings.forget(pid)

    def connection_lost(self) -> None:
        """The client is gone: close what it had open, and end non-stop mode. What becomes of the target is the server's
        business."""
        stop_mode.abandon(self)
        self.files.abandon()
        self.outbox.clear()
        self.notices.clear()

    def statistics(self) -> dict[str, int]:
        """Numbers about the session, by name."""
        processes = self.backend.processes
        return {
            "packets": self.packets,
            "processes": len(processes),
            "threads": sum(len(process.threads()) for process in processes.values()),
            "breakpoints": len(self.inserted.breakpoints),
            "watchpoints": len(self.inserted.watchpoints),
            "stops waiting": len(self.stops.waiting),
            "open files": len(self.files),
        }
