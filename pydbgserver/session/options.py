"""What the command line decides for every session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from pydbgserver.session.dialect import Client
from pydbgserver.session.launch import LaunchSettings
from pydbgserver.target.api import LaunchSpec

RESUME_BUDGET_US = 300
"""How long a resume waits for its stop before the server loop takes over: several times a single step (15 us), a
fifth of what a person notices in a hundred steps."""

# gdbserver's names for --disable-packet, and the packets each of them takes away.
DISABLED_PACKETS = {
    "vCont": ("vCont", "vCont?"),
    "qC": ("qC",),
    "qfThreadInfo": ("qfThreadInfo", "qsThreadInfo"),
    "threads": ("qfThreadInfo", "qsThreadInfo", "qXfer:threads:read"),
    "T": (),
    "Tthread": (),
}


class StopForms(NamedTuple):
    """What --disable-packet leaves of stop replies: `details` (else plain ``Sss``), `thread_key`."""

    thread_key: bool = True
    details: bool = True


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


class SessionOptions(NamedTuple):
    """`program`: what the server launched itself, for `R` and vRun. `disabled_packets`: keys of `DISABLED_PACKETS`."""

    program: LaunchSpec | None = None
    extended: bool = False
    disable_aslr: bool = True
    through_shell: bool = True
    wrapper: Sequence[str] = ()
    disabled_packets: frozenset[str] = frozenset()
    resume_budget_us: int = RESUME_BUDGET_US
    platform: SessionHost | None = None
    """In platform mode: the server of the other sessions."""
    ignored_exceptions: frozenset[str] = frozenset()
    """Of `Backend.exception_types`, those that are left to the system from the beginning."""
    presumed: Client = Client.UNKNOWN
    """Who is expected to connect; what the client sends decides."""

    def launch_settings(self) -> LaunchSettings:
        """What holds for launches until the client says otherwise."""
        return LaunchSettings(
            last=self.program,
            disable_aslr=self.disable_aslr,
            through_shell=self.through_shell,
            wrapper=self.wrapper,
        )

    def unknown_packets(self) -> frozenset[str]:
        """The names of the packets that `disabled_packets` takes away."""
        return frozenset(name for key in self.disabled_packets for name in DISABLED_PACKETS.get(key, ()))

    def stop_forms(self) -> StopForms:
        """What it leaves of stop replies."""
        return StopForms(thread_key="Tthread" not in self.disabled_packets, details="T" not in self.disabled_packets)
