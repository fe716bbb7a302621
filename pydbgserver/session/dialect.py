"""Who the client is, and every answer that depends on it.

One object per connection. It starts as `Client.UNKNOWN` (lldb's first packet
tells nothing, and a client may never send qSupported) and hardens on the
first packet that only one of the two sends. Nothing else in the server asks
which debugger it talks to.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from enum import Enum

from pydbgserver.errors import DebugError, NoSuchProcess, NoSuchThread, Unsupported
from pydbgserver.rsp import signals
from pydbgserver.rsp.replies import file_failure
from pydbgserver.target.events import WatchKind

PACKET_SIZE = 0x20000
"""The longest packet body offered to both clients (lldb-server's value; gdbserver 18 has 0x2001f)."""


class Client(Enum):
    """The debuggers whose ways differ. An unknown one gets what both of them understand."""

    UNKNOWN = "unknown"
    GDB = "gdb"
    LLDB = "lldb"


# Packets that only one of the two sends in its connect sequence (captures of gdb 13 and 18, lldb 19 and 23).
LLDB_PACKETS = (
    b"QThreadSuffixSupported",
    b"QListThreadsInStopReply",
    b"QEnableErrorStrings",
    b"QSaveRegisterState",
    b"QSetDisableASLR",
    b"QSetSTD",
    b"qHostInfo",
    b"qProcessInfo",
    b"qLaunchGDBServer",
    b"qQueryGDBServer",
    b"qMemoryRegionInfo",
    b"qRegisterInfo",
    b"qVAttachOrWaitSupported",
    b"jThreadsInfo",
    b"jModulesInfo",
)
GDB_PACKETS = (b"!", b"vMustReplyEmpty", b"QProgramSignals", b"QDisableRandomization", b"qTStatus", b"Hgp0.0")

# gdb offers these in qSupported, no lldb does. swbreak+ is no test: lldb 20 and later send it too.
GDB_FEATURES = frozenset({"qRelocInsn+", "vContSupported+", "QThreadEvents+", "no-resumed+", "exec-events+"})

# gdb parses only ``Enn`` in the replies to these; a text would be read as data (gdb 13 remote.c, read_bytes and rcmd).
NUMERIC_ERRORS_ONLY = frozenset({"m", "x", "qRcmd"})

# What lldb-server answers where an errno would say something else; its clients and its tests go by them.
LLDB_NUMBERS: dict[tuple[str, type[DebugError]], int] = {
    ("Hg", NoSuchThread): 0x15,
    ("Hc", NoSuchThread): 0x15,
    ("Hg", NoSuchProcess): 0xFF,
    ("Hc", NoSuchProcess): 0xFF,
    ("T", NoSuchThread): 2,
    ("T", NoSuchProcess): 1,
    ("qC", NoSuchProcess): 0x44,
    ("qProcessInfo", NoSuchProcess): 0x44,
}

_UNSAFE_IN_TEXT = str.maketrans("#$}*\n\r", "??????")
"""gdb does not unescape a text reply, so what framing would escape is replaced."""


class FileFailure(DebugError):
    """A vFile request failed with the errno `code`; both clients read ``F-1`` and a File-I/O number."""

    def __init__(self, code: int) -> None:
        super().__init__(os.strerror(code))
        self.code = code


class Dialect:
    """What one client understands. Plain attributes, so that the packet path pays a lookup and no more."""

    __slots__ = (
        "binary_upload",
        "client",
        "decimal_files",
        "error_messages",
        "error_strings",
        "events",
        "hardware_break_key",
        "list_threads",
        "multiprocess",
        "native_signals",
        "no_resumed",
        "presumed",
        "several_watched",
        "signals",
        "single_argument",
        "software_break_key",
    )

    def __init__(self, presumed: Client = Client.UNKNOWN, numbering: str = "linux") -> None:
        """`presumed`: who is expected, until the first packet tells. `numbering`: `Backend.signal_numbering`."""
        self.signals = signals.NUMBERINGS[numbering]
        self.client = presumed
        self.presumed = True
        """No packet has told yet who the client is."""
        self.multiprocess = False
        """Thread ids have the form pP.T."""
        self.native_signals = presumed is Client.LLDB
        """Signal numbers are the target's; else gdb's own enumeration (gdb/signals.def)."""
        self.error_strings = False
        """lldb: QEnableErrorStrings was sent, ``Exx;hex`` is understood."""
        self.error_messages = False
        """gdb 16 and later: ``E.text`` is understood everywhere."""
        self.binary_upload = False
        """`x` replies begin with ``b``."""
        self.list_threads = False
        """lldb: stop replies carry threads: and thread-pcs:."""
        self.software_break_key = False
        self.hardware_break_key = False
        self.no_resumed = False
        self.decimal_files = False
        """lldb before 14: numbers of open files, offsets, counts and errors of vFile are decimal."""
        self.single_argument = False
        """gdb 18: vRun has all arguments in one text, as a shell reads them."""
        self.several_watched = False
        """gdb 18: a stop reply may name several watched addresses."""
        self.events: frozenset[str] = frozenset()
        """Of "fork", "vfork" and "exec", those the client follows."""

    def __repr__(self) -> str:
        return f"<Dialect {self.client.value}>"

    @property
    def is_lldb(self) -> bool:
        """For composing replies whose whole form differs."""
        return self.client is Client.LLDB

    @property
    def is_gdb(self) -> bool:
        """For composing replies whose whole form differs."""
        return self.client is Client.GDB

    # Finding out.

    def observe(self, body: bytes) -> None:
        """Harden if `body` is a packet that only one of the clients sends."""
        if body.startswith(LLDB_PACKETS):
            self._settle(Client.LLDB)
        elif body.startswith(GDB_PACKETS):
            self._settle(Client.GDB)

    def _settle(self, client: Client) -> None:
        self.client = client
        self.presumed = False
        self.native_signals = self.native_signals and client is Client.LLDB

    def offer(self, features: Collection[str]) -> None:
        """Take in the client's qSupported items; each negotiation starts over."""
        if self.presumed:
            self._recognise(features)
        gdb = self.client is Client.GDB
        self.multiprocess = "multiprocess+" in features
        self.error_messages = gdb and "error-message+" in features
        self.software_break_key = gdb and "swbreak+" in features
        self.hardware_break_key = gdb and "hwbreak+" in features
        self.no_resumed = gdb and "no-resumed+" in features
        self.single_argument = gdb and "single-inf-arg+" in features
        self.several_watched = gdb and "multi-wp-addr+" in features
        self.binary_upload = gdb
        self.events = frozenset(event for event in ("fork", "vfork", "exec") if f"{event}-events+" in features)
        if self.client is Client.LLDB and not self.multiprocess:
            # A fork is told of by two process ids, for which there is no form then.
            self.events = frozenset()
        # native-signals+ goes to lldb in the reply to this very packet.
        self.native_signals = self.native_signals or self.client is Client.LLDB

    def _recognise(self, features: Collection[str]) -> None:
        if GDB_FEATURES.intersection(features):
            self._settle(Client.GDB)
            return
        for feature in features:
            # lldb lists every architecture it knows; gdb those of its configured targets, with its own items beside.
            if feature.startswith("xmlRegisters=") and {"mips", "arc"} <= set(feature[13:].split(",")):
                self._settle(Client.LLDB)

    def thread_suffix(self) -> None:
        """QThreadSuffixSupported has been answered OK: lldb counts signals the target's way from here on."""
        self.native_signals = self.client is Client.LLDB

    # Signals.

    def signal_to_wire(self, number: int) -> int:
        """The client's number of the target's signal `number`."""
        return number if self.native_signals else self.signals.to_gdb(number)

    def signal_from_wire(self, number: int) -> int | None:
        """The target's number of the client's signal `number`; None if the target has no such signal."""
        return number if self.native_signals else self.signals.from_gdb(number)

    @property
    def initial_signal(self) -> int:
        """What a stop for a launch or an attach is called: lldb-server says SIGSTOP, gdb wants SIGTRAP."""
        return self._number("SIGSTOP" if self.client is Client.LLDB else "SIGTRAP")

    @property
    def interrupt_signal(self) -> int:
        """What a stop that the client asked for is called: lldb-server says SIGSTOP, gdb expects SIGINT."""
        return self._number("SIGSTOP" if self.client is Client.LLDB else "SIGINT")

    def _number(self, name: str) -> int:
        number = self.signals.number_of(name)
        assert number is not None
        return number

    # Errors.

    def error(self, error: DebugError, packet: str = "") -> bytes:
        """The reply that tells `error`, in the only form that this client takes for one.

        ``E.text`` is data to lldb and ``Enn;text`` is success to gdb. gdb takes ``E.text`` everywhere when it
        offered error-message+ (16 and later), before that except in the replies to `NUMERIC_ERRORS_ONLY`.
        """
        if isinstance(error, Unsupported):
            return b""
        if isinstance(error, FileFailure):
            return file_failure(error.code, decimal=self.decimal_files)
        if self.client is Client.GDB and (self.error_messages or packet not in NUMERIC_ERRORS_ONLY):
            return b"E." + str(error).translate(_UNSAFE_IN_TEXT).encode("ascii", "replace")
        code = LLDB_NUMBERS.get((packet, error.__class__), error.code) if self.client is Client.LLDB else error.code
        number = b"E%02x" % (code & 0xFF)
        if self.error_strings and self.client is not Client.GDB:
            return number + b";" + str(error).encode("utf-8", "surrogateescape").hex().encode()
        return number

    # Forms.

    def thread_id(self, pid: int, tid: int) -> str:
        """How a thread is written: pP.T when multiprocess was agreed, else the bare tid."""
        return f"p{pid:x}.{tid:x}" if self.multiprocess else f"{tid:x}"

    def thread_ids(self, pid: int, tids: Sequence[int]) -> list[str]:
        """The same for many threads of one process; one format for all takes half the time of one for each."""
        form = f"p{pid:x}.%x " if self.multiprocess else "%x "
        return (form * len(tids) % tuple(tids)).split()

    def current_thread_id(self, pid: int, tid: int) -> str:
        """The same in qC, which lldb 19 matches against ``^QC[0-9A-Fa-f]+$`` to find its place in the stream."""
        probed = self.client is Client.LLDB and not self.presumed
        return f"{tid:x}" if probed else self.thread_id(pid, tid)

    @property
    def memory_prefix(self) -> bytes:
        """What comes before the bytes in the reply to `x` (see binary-upload+)."""
        return b"b" if self.binary_upload else b""

    @property
    def read_watch(self) -> WatchKind:
        """What Z3 asks for. lldb takes an access watchpoint where the CPU has no read watchpoints; gdb has to be
        told that there is none, it then emulates one with Z4."""
        return WatchKind.ACCESS if self.client is Client.LLDB else WatchKind.READ

    @property
    def run_length_encoding(self) -> bool:
        """lldb's decoder differs on runs of escaped bytes."""
        return self.client is Client.GDB
