"""macOS as the command line needs it (see `pydbgserver.backends.System`)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from pydbgserver.backends.macos import host, spawn
from pydbgserver.backends.macos.backend import MacBackend
from pydbgserver.backends.macos.spawn import Started
from pydbgserver.backends.macos.tracer import Tracer
from pydbgserver.target.api import Backend
from pydbgserver.target.launch_spec import LaunchSpec

NOTICE = "the macOS backend has not yet been run on a Mac; docs/macos.md says what has been tested, and how"


@cache
def backend() -> MacBackend:
    """The one backend of this server process."""
    return MacBackend(Tracer())


def launch(spec: LaunchSpec) -> Started:
    return spawn.launch(backend().tracer, spec)


def attach(pid: int) -> Started:
    return spawn.attach(backend().tracer, pid)


def processes_named(name: str) -> Sequence[int]:
    return host.processes_named(backend().tracer, name)


def prepare() -> None:
    """All of it is loaded with this module."""


def make_backend(started: Started | None) -> Backend:
    if started is not None:
        backend().adopt(started)
    return backend()
