"""Linux as the command line needs it (see `pydbgserver.backends.System`)."""

from __future__ import annotations

from pydbgserver.backends.linux.spawn import attach, launch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydbgserver.backends import Started
    from pydbgserver.target.api import Backend

__all__ = ["NOTICE", "attach", "launch", "make_backend", "prepare", "processes_named"]

NOTICE = ""


def processes_named(name: str) -> Sequence[int]:
    from pydbgserver.backends.linux import host

    return host.processes_named(name)


def prepare() -> None:
    import pydbgserver.backends.linux.backend  # noqa: F401


def make_backend(started: Started | None) -> Backend:
    from pydbgserver.backends.linux import spawn
    from pydbgserver.backends.linux.backend import LinuxBackend

    backend = LinuxBackend()
    if started is not None:
        assert isinstance(started, spawn.Started)
        backend.adopt(started)
    return backend
