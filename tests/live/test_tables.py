"""The machine in tables: this process, its threads, files and sockets are found where they belong."""

from __future__ import annotations

import os
import socket

import pytest

from pydbgserver.backends.linux import osdata


def rows(name: str) -> list[dict[str, str]]:
    found = osdata.table(name)
    assert found is not None
    columns, lines = found
    return [dict(zip(columns, line, strict=True)) for line in lines]


@pytest.mark.parametrize("name", sorted(osdata.TABLES))
def test_every_table_can_be_made(name: str) -> None:
    found = osdata.table(name)
    assert found is not None
    columns, lines = found
    assert all(len(line) == len(columns) and all(isinstance(value, str) for value in line) for line in lines)


def test_this_process_is_in_the_tables() -> None:
    pid = str(os.getpid())
    (process,) = [row for row in rows("processes") if row["pid"] == pid]
    assert "pytest" in process["command"] and process["cores"]
    assert pid in [row["tid"] for row in rows("threads") if row["pid"] == pid]
    assert str(os.getpgid(0)) in [row["pgid"] for row in rows("procgroups") if row["pid"] == pid]
    with open(os.devnull, encoding="ascii") as file:
        assert (str(file.fileno()), os.devnull) in [
            (row["file descriptor"], row["name"]) for row in rows("files") if row["pid"] == pid
        ]


@pytest.mark.parametrize(("family", "host"), [("INET", "127.0.0.1"), ("INET6", "::1")])
def test_a_listening_socket_is_in_the_table(family: str, host: str) -> None:
    with socket.socket(socket.AddressFamily[f"AF_{family}"]) as listener:
        listener.bind((host, 0))
        listener.listen()
        port = str(listener.getsockname()[1])
        (row,) = [row for row in rows("sockets") if row["local port"] == port and row["state"] == "LISTEN"]
    assert (row["local address"], row["family"], row["protocol"]) == (host, family, "STREAM")


def test_an_unknown_table() -> None:
    assert osdata.table("nothing") is None
    assert [row[0] for row in osdata.names()] == sorted(osdata.TABLES)
