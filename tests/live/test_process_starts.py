"""Programs as they start, told by the kernel."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator

import pytest
import trio

from pydbgserver.backends.linux import host, process_starts
from pydbgserver.backends.linux.process_starts import KernelProcessStarts


@pytest.fixture
def starts() -> Iterator[KernelProcessStarts]:
    made = process_starts.watch()
    if made is None:
        pytest.skip("the kernel tells of programs that start only to CAP_NET_ADMIN of the first namespaces")
    yield made
    made.close()


async def test_a_program_that_starts_is_told_of(starts: KernelProcessStarts) -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        seen: set[int] = set()
        with trio.fail_after(20):
            while process.pid not in seen:
                seen |= set(await starts.wait() or ())
        assert host.processes_named("sleep", [process.pid, os.getpid()]) == [process.pid]
        process.kill()


async def test_lost_events_mean_that_it_may_have_been_any(starts: KernelProcessStarts) -> None:
    starts._link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    for _ in range(50):
        subprocess.run(["true"], check=True)
    with trio.fail_after(20):
        assert await starts.wait() is None


def test_without_permission_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refused:
        def __init__(self, *_: object) -> None:
            raise PermissionError

    monkeypatch.setattr(socket, "socket", Refused)
    assert process_starts.watch() is None


def test_silence_means_that_nothing_will_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel answers nobody outside the first namespaces (cn_proc_mcast_ctl)."""
    monkeypatch.setattr(KernelProcessStarts, "_drain", lambda self: [])
    assert process_starts.watch() is None
