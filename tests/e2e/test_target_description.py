"""Our target.xml against the one that the real gdbserver makes on this machine, and in the eyes of the real gdb."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pydbgserver.arch.model import Arch
from pydbgserver.arch.tdesc import target_xml
from pydbgserver.arch.x86 import XsaveLayout, amd64
from pydbgserver.backends.linux import tracer
from pydbgserver.testing.client import Client

TIMEOUT = 20
CHUNK = 0xFFF

needs_gdbserver = pytest.mark.skipif(shutil.which("gdbserver") is None, reason="gdbserver is not installed")
needs_gdb = pytest.mark.skipif(shutil.which("gdb") is None, reason="gdb is not installed")


@pytest.fixture(scope="module")
def arch() -> Arch:
    return amd64(XsaveLayout.from_cpuid(tracer.cpuid))


@contextmanager
def gdbserver() -> Iterator[Client]:
    command = ["gdbserver", "--once", "127.0.0.1:0", shutil.which("true") or "true"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stderr is not None
            port = next(
                int(found[1]) for line in server.stderr if (found := re.search(r"Listening on port (\d+)", line))
            )
            with Client(socket.create_connection(("127.0.0.1", port), TIMEOUT), TIMEOUT) as client:
                yield client
                client.send("k")
            server.wait(TIMEOUT)
        finally:
            server.kill()


def read_feature(client: Client, name: str) -> bytes:
    document = b""
    for _ in range(100):
        reply = client.request(f"qXfer:features:read:{name}:{len(document):x},{CHUNK:x}")
        document += reply[1:]
        if reply[:1] != b"m":
            return document
    raise AssertionError(f"{name} does not end")


@pytest.fixture(scope="module")
def reference() -> bytes:
    """gdbserver's target.xml; gdbserver 13 gives it as one document, without includes."""
    with gdbserver() as client:
        client.request("qSupported:multiprocess+;swbreak+;hwbreak+;xmlRegisters=i386")
        client.request("Hgp0.0")
        document = read_feature(client, "target.xml")
    assert b"<feature" in document
    return document


def rows(document: bytes) -> list[tuple[str | None, ...]]:
    """(feature, name, size, type, number, group) of every register, in the order of the document."""
    names = ("name", "bitsize", "type", "regnum", "group")
    root = ElementTree.fromstring(document)
    return [
        (feature.get("name"), *(row.get(name) for name in names))
        for feature in root.iter("feature")
        for row in feature.iter("reg")
    ]


@needs_gdbserver
def test_same_registers_as_gdbserver(arch: Arch, reference: bytes) -> None:
    assert rows(target_xml(arch)) == rows(reference)


@needs_gdbserver
def test_the_block_has_gdbservers_size(arch: Arch) -> None:
    with gdbserver() as client:
        client.request("qSupported:xmlRegisters=i386")
        client.request("Hg0")
        assert len(client.request("g")) == 2 * arch.block_size


def as_gdb_sees_it(document: bytes, directory: Path) -> str:
    path = directory / "target.xml"
    path.write_bytes(document)
    commands = ["-ex", f"set tdesc filename {path}", "-ex", "maint print xml-tdesc"]
    run = subprocess.run(
        ["gdb", "-nx", "-batch", *commands], capture_output=True, text=True, timeout=TIMEOUT, check=True
    )
    assert run.stderr == ""
    return run.stdout


@needs_gdb
@needs_gdbserver
def test_gdb_understands_both_alike(arch: Arch, reference: bytes, tmp_path: Path) -> None:
    ours = as_gdb_sees_it(target_xml(arch), tmp_path)
    assert '<reg name="rip"' in ours
    assert ours == as_gdb_sees_it(reference, tmp_path)
