"""The operating systems: which backend there is for this one, and how its processes are begun.

Each package has a module ``start`` with the functions of `System`, which imports what they need when they are called:
a program is started before the server listens, and the backend that debugs it is loaded afterwards.
"""

from __future__ import annotations

import sys

from pydbgserver.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Protocol

    from pydbgserver.target.api import Backend
    from pydbgserver.target.launch_spec import LaunchSpec

    class Started(Protocol):
        """A process that is stopped and traced by this server, before a backend has it."""

        pid: int

    class System(Protocol):
        """What the command line needs of an operating system. `NOTICE`: what is to be said at the start, "" for
        nothing."""

        NOTICE: str

        def launch(self, spec: LaunchSpec) -> Started:
            """Start a program, stopped. Raises `LaunchError`."""

        def attach(self, pid: int) -> Started:
            """Attach to a process, stopped. Raises `AttachError`."""

        def processes_named(self, name: str) -> Sequence[int]:
            """The ids of the processes whose program has this base name."""

        def prepare(self) -> None:
            """Load what every session will need; nothing of it has to do with this process."""

        def make_backend(self, started: Any) -> Backend:
            """The backend, with `started` taken over: what `launch` or `attach` gave, or None."""


NATIVE = {"linux": "linux", "darwin": "macos"}
"""By `sys.platform`: the backend of this system."""
SIMULATIONS = {"macos-sim": "macos_sim"}
"""Test equipment, which is in a source tree only."""


def names() -> tuple[str, ...]:
    """The backends that --backend takes here."""
    return (NATIVE.get(sys.platform, "linux"), *SIMULATIONS)


def system(name: str = "") -> System:
    """The system of the backend `name`, this machine's own if none is given. Raises `UsageError`."""
    if name and name not in names():
        raise UsageError(f"there is no backend {name} here; there are {', '.join(names())}")
    package = SIMULATIONS.get(name) or NATIVE.get(sys.platform, "linux")
    if package == "linux":
        from pydbgserver.backends.linux import start as linux

        return linux
    if package == "macos":
        from pydbgserver.backends.macos import start as macos

        return macos
    try:
        from pydbgserver.backends.macos_sim import start as macos_sim
    except ImportError:
        raise UsageError(
            f"the backend {name} is test equipment: it is in the source tree of pydbgserver, and not installed"
        ) from None
    return macos_sim
