"""What goes wrong with files and ports comes back to lldb as what it is, and leaves nothing half done."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.clients import LLDB
from tests.e2e.conftest import Debug
from tests.e2e.servers import WAIT, Server, find, server_environment
from tests.e2e.session import Session, Step

SMALL = 256 << 10
"""Bytes of the small disk."""


@pytest.fixture
def session(debug: Debug, server: Server) -> Session:
    session = debug.client(LLDB, None)
    session.run(
        Step(None, "platform select remote-linux"),
        Step(None, f"platform connect connect://127.0.0.1:{server.port}", r"Connected: yes"),
    )
    return session


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0 or find(["mount"]) is None:
        pytest.skip("only root may mount a small disk")
    path = tmp_path / "disk"
    path.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "small", str(path)]
    if subprocess.run(mounting, capture_output=True, check=False).returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def test_a_full_disk(session: Session, small_disk: Path, tmp_path: Path) -> None:
    big, old = tmp_path / "big", small_disk / "file"
    big.write_bytes(os.urandom(2 * SMALL))
    old.write_text("what was there")
    session.run(Step(None, f"platform put-file {big} {old}", r"(?i)error: .*(space|disk)"))
    assert old.read_text() == "what was there"
    session.run(Step(None, f"platform put-file {big} {small_disk / 'new'}", r"(?i)error: .*(space|disk)"))
    assert [one.name for one in small_disk.iterdir()] == ["file"]
    session.run(Step(None, f"platform put-file {__file__} {small_disk / 'new'}", not_sees="error"))
    assert (small_disk / "new").read_bytes() == Path(__file__).read_bytes()


def test_paths_that_are_not_there(session: Session, tmp_path: Path) -> None:
    missing = tmp_path / "no" / "such"
    session.run(
        Step(None, f"platform put-file {__file__} {missing}", r"error: .*"),
        Step(None, f"platform get-file {missing} {tmp_path / 'fetched'}", r"unable to open source file"),
        Step(None, f"platform get-size {missing}", r"[Ee]rror"),
        Step(None, f"platform file-exists {missing}", r"does not exist"),
        Step(None, "platform shell exit 7", r"status 7"),
    )
    assert not (tmp_path / "fetched").exists() or not (tmp_path / "fetched").stat().st_size
    assert not missing.exists()


def test_an_upload_that_breaks_off(debug: Debug, server: Server, session: Session, tmp_path: Path) -> None:
    """The client is killed in the middle of a file that never ends."""
    endless, there = tmp_path / "endless", tmp_path / "there"
    there.mkdir()
    os.mkfifo(endless)
    session.client.child.sendline(f"platform put-file {endless} {there / 'file'}")
    with endless.open("wb", buffering=0) as writer:
        for _ in range(16):
            writer.write(bytes(1 << 14))
        session.client.child.close(force=True)
    other = debug.client(LLDB, None)
    other.run(
        Step(None, "platform select remote-linux"),
        Step(None, f"platform connect connect://127.0.0.1:{server.port}", r"Connected: yes"),
        Step(None, f"platform file-exists {there / 'file'}", r"does not exist"),
    )


def test_a_port_that_is_taken(server: Server) -> None:
    command = [sys.executable, "-m", "pydbgserver", "platform", "--listen", f"127.0.0.1:{server.port}"]
    done = subprocess.run(command, capture_output=True, text=True, env=server_environment(), timeout=WAIT, check=False)
    assert done.returncode == 1
    assert "Address already in use" in done.stderr
    assert "Traceback" not in done.stderr
