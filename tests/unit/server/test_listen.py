"""Listeners of every kind, on real descriptors; no port is chosen here."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import termios
from pathlib import Path

import pytest
import trio

from pydbgserver.cli.comm import parse_comm, parse_lldb
from pydbgserver.errors import UsageError
from pydbgserver.options import DESCRIPTOR, SERIAL, Endpoint
from pydbgserver.server.listen import Link, is_loopback, open_listener


async def accept(endpoint_listener: object) -> Link:
    with trio.fail_after(5):
        link = await endpoint_listener.accept()  # type: ignore[attr-defined]
    assert isinstance(link, Link)
    return link


def check_both_ways(link: Link, client: socket.socket) -> None:
    client.settimeout(5)
    client.sendall(b"to the server")
    os.set_blocking(link.read_descriptor, True)
    assert os.read(link.read_descriptor, 100) == b"to the server"
    os.write(link.write_descriptor, b"to the client")
    assert client.recv(100) == b"to the client"


@pytest.mark.parametrize("text", [":0", "localhost:0", "127.0.0.1:0", "tcp4:localhost:0"])
async def test_tcp_on_loopback(text: str) -> None:
    listener = open_listener(parse_comm(text))
    assert listener.host == "127.0.0.1" and listener.port and listener.again
    assert listener.place == str(listener.port) and listener.listening == f"Listening on port {listener.port}"
    with socket.create_connection(("127.0.0.1", listener.port), 5) as client:
        link = await accept(listener)
        assert link.peer == f"from host 127.0.0.1, port {client.getsockname()[1]}"
        accepted = socket.socket(fileno=os.dup(link.read_descriptor))
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        check_both_ways(link, client)
        link.close()
        link.close()
    listener.close()


async def test_the_next_client_can_come() -> None:
    listener = open_listener(parse_comm(":0"))
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", listener.port or 0), 5):
            (await accept(listener)).close()
    listener.close()


def test_everybody_is_bound_only_when_asked_for() -> None:
    listener = open_listener(parse_comm("*:0"))
    assert listener.host == "0.0.0.0" and not is_loopback(listener.host)
    listener.close()
    assert is_loopback("127.0.0.1") and is_loopback("127.9.9.9") and is_loopback("::1") and not is_loopback("::")


def test_a_busy_port_is_one_clear_line() -> None:
    first = open_listener(parse_comm(":0"))
    with pytest.raises(UsageError, match=r"^Can't bind address: Address already in use\.$"):
        open_listener(parse_comm(f":{first.port}"))
    first.close()


def test_a_host_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="cannot resolve name"):
        open_listener(parse_comm("no-such-host.invalid:0"))


async def test_reverse_connect() -> None:
    with socket.create_server(("127.0.0.1", 0)) as waiting:
        listener = open_listener(parse_lldb(f"127.0.0.1:{waiting.getsockname()[1]}", reverse=True))
        assert listener.place == "" and not listener.again
        client, _ = waiting.accept()
        with client:
            link = await accept(listener)
            check_both_ways(link, client)
        listener.close()


def test_reverse_connect_to_nobody() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(UsageError, match=f"Can't connect to 127.0.0.1:{port}: Connection refused"):
        open_listener(parse_lldb(f"127.0.0.1:{port}", reverse=True))


async def test_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    listener = open_listener(parse_comm(path))
    assert listener.place == path and listener.port is None and listener.listening == f"Listening on {path}"
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        link = await accept(listener)
        assert link.peer == "from a local socket"
        check_both_ways(link, client)
        link.close()
    listener.close()
    assert not os.path.exists(path)


def test_a_stale_socket_is_replaced_and_a_live_one_is_not(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
    live = open_listener(parse_comm(path))
    with pytest.raises(UsageError, match="Address already in use"):
        open_listener(parse_comm(path))
    live.close()


def test_a_file_is_not_a_socket(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("kept")
    with pytest.raises(UsageError, match="Can't bind"):
        open_listener(parse_comm(str(path)))
    assert path.read_text() == "kept"


async def test_abstract_socket() -> None:
    name = f"pydbgserver-test-{os.getpid()}"
    listener = open_listener(parse_lldb(f"unix-abstract://{name}"))
    assert listener.place == name
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(f"\0{name}")
        link = await accept(listener)
        check_both_ways(link, client)
        link.close()
    listener.close()


async def test_a_serial_line_is_set_to_raw() -> None:
    ours, theirs = os.openpty()
    listener = open_listener(Endpoint(kind=SERIAL, path=os.ttyname(theirs), speed=115200))
    settings = termios.tcgetattr(theirs)
    assert not settings[3] & (termios.ICANON | termios.ECHO | termios.ISIG)
    assert not settings[1] & termios.OPOST and not settings[0] & (termios.ICRNL | termios.IXON)
    assert settings[4] == termios.B115200
    link = await accept(listener)
    os.write(ours, b"\x03$?#3f")
    with trio.fail_after(5):
        await trio.lowlevel.wait_readable(link.read_descriptor)
    assert os.read(link.read_descriptor, 100) == b"\x03$?#3f"
    os.write(link.write_descriptor, b"+\r\n")
    assert os.read(ours, 100) == b"+\r\n"
    listener.close()
    os.close(ours)
    os.close(theirs)


def test_a_serial_line_that_is_not_there_or_too_fast() -> None:
    with pytest.raises(UsageError, match="Can't open /dev/ttyNONE: No such file or directory"):
        open_listener(parse_comm("/dev/ttyNONE"))
    ours, theirs = os.openpty()
    with pytest.raises(UsageError, match="cannot be set to 12345 baud"):
        open_listener(Endpoint(kind=SERIAL, path=os.ttyname(theirs), speed=12345))
    os.close(ours)
    os.close(theirs)


async def test_an_inherited_socket_or_pipe() -> None:
    server_side, client = socket.socketpair()
    listener = open_listener(Endpoint(kind=DESCRIPTOR, descriptor=server_side.detach()))
    with client:
        link = await accept(listener)
        check_both_ways(link, client)
    listener.close()
    reading, writing = os.pipe()
    listener = open_listener(Endpoint(kind=DESCRIPTOR, descriptor=reading))
    link = await accept(listener)
    assert not os.get_blocking(link.read_descriptor)
    listener.close()
    os.close(writing)


def test_a_descriptor_that_is_not_open() -> None:
    reading, writing = os.pipe()
    os.close(writing)
    os.close(reading)
    with pytest.raises(UsageError, match=f"descriptor {writing}: Bad file descriptor"):
        open_listener(Endpoint(kind=DESCRIPTOR, descriptor=writing))


STDIO_CHILD = """
import os
from pydbgserver.cli.comm import parse_comm
from pydbgserver.server.listen import open_listener
import trio
async def main():
    link = await open_listener(parse_comm("-")).accept()
    await trio.lowlevel.wait_readable(link.read_descriptor)
    assert os.read(link.read_descriptor, 100) == b"question"
    os.write(link.write_descriptor, b"answer")
    assert os.read(0, 100) == b""
    os.write(1, b"printed")
    link.close()
trio.run(main)
"""


def test_stdio_keeps_what_is_printed_away_from_the_client() -> None:
    child = subprocess.run(
        [sys.executable, "-c", STDIO_CHILD], input=b"question", capture_output=True, timeout=20, check=True
    )
    assert (child.stdout, child.stderr) == (b"answer", b"printed")
