"""Named log channels, off until `configure` turns them on. Lines go to stderr or to a file.

On a path that matters: ``if logs.packets.enabled: logs.packets.write(...)``. The standard library's logging would
cost a tenth of the time that the server has to start listening, and offers nothing else that is needed here.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable


class Channel:
    """One kind of line. `enabled` changes only through `configure`."""

    __slots__ = ("enabled", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.enabled = False

    def write(self, text: str) -> None:
        """Log `text` if the channel is on, each of its lines as one line. Never raises."""
        if self.enabled:
            _emit(self.name, text)


packets = Channel("packets")
ptrace = Channel("ptrace")
events = Channel("events")
breakpoints = Channel("breakpoints")

CHANNELS = {channel.name: channel for channel in (packets, ptrace, events, breakpoints)}

_STDERR = 2


class _Target:
    """Where lines go: a descriptor, written without buffering, so that a crash loses none of them."""

    descriptor = _STDERR
    timestamps = False


def configure(channels: Iterable[str], *, path: str | None = None, timestamps: bool = False) -> None:
    """Turn exactly the named `channels` on and write to the file `path` (appending; stderr if None).

    Raises `ValueError` for an unknown channel and `OSError` if the file cannot be opened; nothing has changed then.
    """
    wanted = set(channels)
    unknown = wanted - CHANNELS.keys()
    if unknown:
        raise ValueError(f"no log channel {', '.join(sorted(unknown))}; there are {', '.join(CHANNELS)}")
    descriptor = _STDERR
    if path is not None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
    if _Target.descriptor != _STDERR:
        os.close(_Target.descriptor)
    _Target.descriptor = descriptor
    _Target.timestamps = timestamps
    for channel in CHANNELS.values():
        channel.enabled = channel.name in wanted


def stamp(on: bool) -> None:
    """Whether lines begin with the time."""
    _Target.timestamps = on


def descriptor() -> int:
    """Where lines go, for the C core, which writes its own."""
    return _Target.descriptor


def enabled(channel: str) -> bool:
    """Whether the channel of that name is on."""
    return CHANNELS[channel].enabled


def problem(text: str) -> None:
    """Log what the user should see whatever is configured, such as a traceback of ours. Never raises."""
    _emit("problem", text)


def _emit(name: str, text: str) -> None:
    stamp = f"{time.time():.6f} " if _Target.timestamps else ""
    lines = "".join(f"{stamp}[{name}] {line}\n" for line in text.splitlines())
    data = lines.encode("utf-8", "backslashreplace")
    while data:
        try:
            written = os.write(_Target.descriptor, data)
        except OSError:
            return
        data = data[written:]
