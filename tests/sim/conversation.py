"""A session on a simulated target, and what real clients say first (captured; gdb 13 and 18, lldb 19 and 23)."""

from __future__ import annotations

from collections.abc import Iterable

import pydbgserver.handlers  # noqa: F401 - registers the packets
from pydbgserver.session.options import SessionOptions
from pydbgserver.session.session import Session
from pydbgserver.testing.sim import SimBackend, SimProcess, Stop

GDB13 = (
    "qSupported:multiprocess+;swbreak+;hwbreak+;qRelocInsn+;fork-events+;vfork-events+;exec-events+;vContSupported+;"
    "QThreadEvents+;no-resumed+;memory-tagging+;xmlRegisters=i386"
)
GDB18 = (
    "qSupported:multiprocess+;swbreak+;hwbreak+;qRelocInsn+;fork-events+;vfork-events+;exec-events+;vContSupported+;"
    "QThreadEvents+;QThreadOptions+;no-resumed+;memory-tagging+;single-inf-arg+;xmlRegisters=i386;error-message+;"
    "multi-wp-addr+"
)
LLDB19 = "qSupported:xmlRegisters=i386,arm,mips,arc;multiprocess+;fork-events+;vfork-events+"
LLDB23 = LLDB19 + ";swbreak+;hwbreak+;qXfer:libraries:read+;qXfer:libraries-svr4:read+"

PID = 100


class Conversation:
    """One connection to a simulated target. `backend.script` says what happens to the program."""

    def __init__(
        self,
        *processes: SimProcess,
        script: Iterable[Stop] = (),
        options: SessionOptions | None = None,
        before: Iterable[str] = (),
    ) -> None:
        self.backend = SimBackend(*processes, script=script)
        self.session = Session(self.backend, options)
        for packet in before:
            self.ask(packet)

    @property
    def process(self) -> SimProcess:
        """The first process."""
        return next(iter(self.backend.live.values()))

    def raw(self, packet: str | bytes) -> bytes | None:
        """The reply to one packet, None if nothing is sent."""
        return self.session.dispatch(packet if isinstance(packet, bytes) else packet.encode("latin-1"))

    def ask(self, packet: str | bytes) -> str:
        """The reply as text; there has to be one."""
        reply = self.raw(packet)
        assert reply is not None, f"{packet!r} was not answered"
        return reply.decode("latin-1")

    def poll(self) -> str | None:
        """What the server loop does when the target has something to say: the stop reply, if one is sent."""
        reply = self.session.run_control.on_stop(self.backend.poll())
        return None if reply is None else reply.decode("latin-1")


def gdb(*processes: SimProcess, script: Iterable[Stop] = (), hello: str = GDB13) -> Conversation:
    """gdb has connected."""
    return Conversation(*(processes or (SimProcess(PID),)), script=script, before=(hello, "QStartNoAckMode", "?"))


def lldb(*processes: SimProcess, script: Iterable[Stop] = (), hello: str = LLDB19) -> Conversation:
    """lldb has connected."""
    hellos = ("QStartNoAckMode", hello, "QThreadSuffixSupported", "QListThreadsInStopReply", "QEnableErrorStrings", "?")
    return Conversation(*(processes or (SimProcess(PID),)), script=script, before=hellos)


def fields(reply: str) -> dict[str, str]:
    """The ``key:value`` pairs of a stop reply or an information reply; "signal" is the two digits after the T."""
    pairs = {}
    if reply[:1] == "T":
        pairs["signal"], reply = reply[1:3], reply[3:]
    for pair in reply.rstrip(";").split(";"):
        key, _, value = pair.partition(":")
        pairs[key] = value
    return pairs
