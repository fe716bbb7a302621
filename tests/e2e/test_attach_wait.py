"""lldb's wait for a program that is not there yet."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pydbgserver.testing.client import Client
from tests.e2e.servers import Server, start_server
from tests.programs import Programs


@pytest.fixture
def server() -> Iterator[Server]:
    started = start_server("lldb")
    yield started
    started.close()


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(socket.create_connection(("127.0.0.1", server.port), timeout=20)) as made:
        assert made.request("QEnableErrorStrings") == b"OK"
        yield made


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def test_the_program_is_caught_when_it_starts(client: Client, program: Programs, tmp_path: Path) -> None:
    path = shutil.copy(program("ungrouped"), tmp_path / "awaited-program")
    client.send(f"vAttachWait;{b'awaited-program'.hex()}")
    with subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            reply = client.receive()
            information = client.request("qProcessInfo").decode()
            assert client.request("D") == b"OK"
        finally:
            process.kill()
    assert reply.startswith(b"T") and b"thread:" in reply
    assert f"pid:{process.pid:x};" in information


def test_a_program_that_starts_before_the_server_reads_the_request_is_caught(
    client: Client, server: Server, program: Programs, tmp_path: Path
) -> None:
    """The machine may be busy: to the client the wait begins with its request."""
    path = shutil.copy(program("echo"), tmp_path / "awaited-program")
    server.process.send_signal(signal.SIGSTOP)
    client.send(f"vAttachWait;{b'awaited-program'.hex()}")
    with subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == b"ready\n"
            server.process.send_signal(signal.SIGCONT)
            assert client.receive().startswith(b"T")
            assert f"pid:{process.pid:x};" in client.request("qProcessInfo").decode()
            assert client.request("D") == b"OK"
        finally:
            server.process.send_signal(signal.SIGCONT)
            process.kill()


def test_waiting_takes_no_processor(client: Client, server: Server) -> None:
    client.send(f"vAttachWait;{b'nobody-has-this-name'.hex()}")
    before = cpu_seconds(server.process.pid)
    client.timeout = 1.5
    with pytest.raises(TimeoutError):
        client.receive()
    assert cpu_seconds(server.process.pid) - before < 0.3


def test_an_interrupt_ends_the_wait(client: Client) -> None:
    client.send(f"vAttachWait;{b'nobody-has-this-name'.hex()}")
    client.send_raw(b"\x03")
    reply = client.receive()
    assert reply.startswith(b"E04;") and b"interrupted" in bytes.fromhex(reply[4:].decode())
    assert client.request("qC").startswith(b"E")
