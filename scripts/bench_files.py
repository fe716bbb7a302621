"""Files to and from the server: platform mode for lldb's kind of request, an extended session of gdbserver's.

put-file and get-file ask as lldb 19 does, 16 KiB and 1 KiB in a packet: what a person with a file and lldb waits for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench_link import Link
from bench_rows import MIB, Row, Samples
from bench_servers import OURS, Contender

from pydbgserver.testing.client import frame
from tests.e2e.servers import LLDB_SERVERS, WAIT, NotStarted, Server, find, spawn

PUT_PIECE = 16 << 10
GET_PIECE = 1 << 10
BIG_PIECE = 64 << 10
CREATE, READ = 0x601, 0
"""File-I/O open flags: create, empty and write; read."""

FILE_ROWS = {
    row.name: row
    for row in (
        Row("put-file", "MiB/s", 1.0, is_rate=True),
        Row("get-file", "MiB/s", 1.0, is_rate=True),
        Row("get-file, large packets", "MiB/s", 1.0, is_rate=True),
    )
}


@contextmanager
def files_of(contender: Contender, folder: Path) -> Iterator[Link]:
    """A connection through which files can be moved."""
    if contender.style == "gdb" and contender.name != OURS:
        server = contender.start(options=["--multi"])
    else:
        command = contender.command if contender.name == OURS else (find(LLDB_SERVERS) or LLDB_SERVERS[0],)
        options = ["platform", "--server", "--listen", "127.0.0.1:0", "--socket-file"]
        server = start_platform([*command, *options], folder / f"port-{contender.name}")
    try:
        link = contender.connect(server)
        yield link
        link.close()
    finally:
        server.close()


def start_platform(command: Sequence[str], path: Path) -> Server:
    """Start a platform server by `command`, whose last option is the one that `path` is the value of: the file that
    gets the port. Raises NotStarted."""
    server = Server(spawn([*command, str(path)]), 0, stays=True)
    deadline = time.monotonic() + WAIT
    while not (path.exists() and path.read_text().strip("\0\n")):
        if time.monotonic() > deadline or server.process.poll() is not None:
            server.read_available()
            server.close()
            raise NotStarted(server.output)
        server.read_available(0.01)
    server.port = int(path.read_text().strip("\0\n"))
    return server


def open_file(link: Link, path: Path, flags: int) -> str:
    reply = link.ask(b"vFile:open:%b,%x,1a4" % (bytes(path).hex().encode(), flags))
    if reply.startswith(b"F-"):
        raise AssertionError(f"{path}: {reply!r}")
    return reply[1:].decode()


def uploads(link: Link, path: Path, content: bytes) -> Callable[[], float]:
    number = open_file(link, path, CREATE)
    link.ask(f"vFile:close:{number}".encode())
    packets = [
        frame(f"vFile:pwrite:{number},{at:x},".encode() + content[at : at + PUT_PIECE])
        for at in range(0, len(content), PUT_PIECE)
    ]

    def batch() -> float:
        start = time.perf_counter()
        if open_file(link, path, CREATE) != number:
            raise AssertionError("the file has another number than before")
        for packet in packets:
            link.exchange(packet)
        link.ask(f"vFile:close:{number}".encode())
        rate = len(content) / MIB / (time.perf_counter() - start)
        if path.read_bytes() != content:
            raise AssertionError("other bytes arrived than were sent")
        return rate

    return batch


def downloads(link: Link, path: Path, content: bytes, piece: int) -> Callable[[], float]:
    path.write_bytes(content)
    piece = min(piece, (link.packet_size - 64) // 2 & ~1023)
    number = open_file(link, path, READ)
    first = link.ask(f"vFile:pread:{number},{piece:x},0".encode()).partition(b";")[2]
    if not first or first != content[: len(first)]:
        raise AssertionError("other bytes came than are in the file")
    # A client reads on where the last reply has ended.
    places = [0, *range(len(first), len(content), piece)]
    packets = [frame(f"vFile:pread:{number},{piece:x},{at:x}".encode()) for at in places]

    def batch() -> float:
        start = time.perf_counter()
        for packet in packets:
            link.exchange(packet)
        return len(content) / MIB / (time.perf_counter() - start)

    return batch


def file_rows(samples: Samples, servers: Sequence[Contender]) -> None:
    """All rows of `FILE_ROWS` that are wanted, in turns."""
    # Without the asterisk, which clients escape and `frame` does not.
    block = bytes((i * 37 + (i >> 8)) & 0xFF for i in range(1 << 16)).replace(b"*", b"+")
    content = block * round(32 * min(1.0, samples.scale * 2))
    kinds: dict[str, Callable[[Link, Path], Callable[[], float]]] = {
        "put-file": lambda link, path: uploads(link, path, content),
        "get-file": lambda link, path: downloads(link, path, content, GET_PIECE),
        "get-file, large packets": lambda link, path: downloads(link, path, content, BIG_PIECE),
    }
    for row, prepare in kinds.items():
        if not samples.wanted(row):
            continue
        with TemporaryDirectory() as name:
            for contender in servers:
                with files_of(contender, Path(name)) as link:
                    batch = prepare(link, Path(name) / contender.name)
                    batch()
                    for _ in samples.batches(6):
                        samples.add(row, contender.name, batch())
