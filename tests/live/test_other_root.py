"""Host I/O with a process in a mount namespace of its own, and with another root directory."""

from __future__ import annotations

import os
import stat
import struct
import subprocess
from pathlib import Path

import pytest

import pydbgserver.handlers  # noqa: F401 - registers the packets
from pydbgserver.session.session import Session
from tests.live.debuggee import Debuggee, Debuggees

NO_SUCH_FILE, NOT_PERMITTED, NO_SPACE = 2, 1, 28
"""File-I/O error numbers (gdb manual, "Errno Values")."""


class Client:
    """A client's host I/O requests, in the view of `target`'s process; paths are relative to the hidden folder."""

    def __init__(self, target: Debuggee, folder: str) -> None:
        self.session = Session(target.backend)
        self._folder = folder
        assert self.ask(f"vFile:setfs:{target.pid:x}") == b"F0"

    def ask(self, packet: str) -> bytes:
        reply = self.session.dispatch(packet.encode("latin-1"))
        assert reply is not None
        return reply

    def path(self, name: str) -> str:
        return f"{self._folder}/{name}".encode().hex()

    def on(self, request: str, name: str, rest: str = "") -> bytes:
        return self.ask(f"vFile:{request}:{self.path(name)}{rest}")


@pytest.fixture(params=[False, True], ids=["namespace", "chroot"])
def client(request: pytest.FixtureRequest, debuggees: Debuggees, tmp_path: Path) -> Client:
    child = subprocess.Popen(
        [debuggees.programs("jail"), tmp_path, *(["chroot"] if request.param else [])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    debuggees.owns(child)
    assert child.stdout is not None
    said = child.stdout.readline()
    if not said.startswith(b"ready"):
        pytest.skip(f"this system does not let a process have a mount namespace: {said!r}")
    return Client(debuggees.attach_to(child.pid, "jail"), "" if request.param else str(tmp_path))


def test_files_that_only_the_process_sees(client: Client, tmp_path: Path) -> None:
    assert list(tmp_path.iterdir()) == []
    assert client.on("open", "inside", ",0,0") == b"F3"
    assert client.ask("vFile:pread:3,10,0") == b"F7;hidden\n"
    assert client.on("readlink", "link") == b"F7;/inside"
    for request, name, kind in (("stat", "inside", stat.S_IFREG), ("lstat", "link", stat.S_IFLNK)):
        reply = client.on(request, name)
        assert reply[:4] == b"F40;"
        (mode,) = struct.unpack(">I", reply[12:16])
        assert stat.S_IFMT(mode) == kind
    assert client.on("unlink", "inside") == b"F0"
    assert client.on("stat", "inside") == b"F-1,%x" % NO_SUCH_FILE
    assert client.on("open", "inside", ",0,0") == b"F-1,%x" % NO_SUCH_FILE


def test_an_absolute_link_stays_below_the_root(client: Client) -> None:
    in_chroot = client.path("x") == b"/x".hex()
    reply = client.on("stat", "link")
    assert reply.startswith(b"F40;") if in_chroot else reply == b"F-1,%x" % NO_SUCH_FILE


def test_a_full_file_system(client: Client) -> None:
    assert client.on("open", "inside", ",1,0") == b"F3"
    assert client.ask("vFile:pwrite:3,1000,more") == b"F-1,%x" % NO_SPACE
    assert client.ask("vFile:close:3") == b"F0"


def test_back_to_the_servers_own_files(client: Client, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("x")
    assert client.on("stat", "outside") == b"F-1,%x" % NO_SUCH_FILE
    assert client.ask("vFile:setfs:0") == b"F0"
    assert client.ask(f"vFile:stat:{os.fsencode(tmp_path / 'outside').hex()}").startswith(b"F40;")


def test_a_process_that_is_not_there(client: Client) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert client.ask(f"vFile:setfs:{gone.pid:x}") == b"F-1,%x" % NO_SUCH_FILE
    assert client.on("stat", "inside").startswith(b"F40;"), "the view stays as it was"


def test_a_path_that_cannot_be(client: Client) -> None:
    assert client.ask("vFile:stat:2f0061") == b"F-1,16"
    assert client.ask("vFile:open:2f0061,0,0") == b"F-1,16"
