"""The simulated Mac as the command line needs it (see `pydbgserver.backends.System`)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from pydbgserver.backends.linux import host
from pydbgserver.backends.macos import spawn
from pydbgserver.backends.macos.spawn import Started
from pydbgserver.backends.macos.tracer import Tracer
from pydbgserver.backends.macos_sim.backend import SimBackend
from pydbgserver.target.api import Backend
from pydbgserver.target.launch_spec import LaunchSpec

NOTICE = "--backend macos-sim is test equipment: the macOS backend on a Linux program, over a simulated Mach kernel"


@cache
def backend() -> SimBackend:
    """The one backend of this server process."""
    return SimBackend(Tracer())


def launch(spec: LaunchSpec) -> Started:
    return spawn.launch(backend().tracer, spec)


def attach(pid: int) -> Started:
    return spawn.attach(backend().tracer, pid)


def processes_named(name: str) -> Sequence[int]:
    return host.processes_named(name)


def prepare() -> None:
    """All of it is loaded with this module."""


def make_backend(started: Started | None) -> Backend:
    if started is not None:
        backend().adopt(started)
    return backend()
