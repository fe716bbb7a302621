"""Where the examples run as well: a real server that debugs a real program, over loopback."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydbgserver.testing.client import Client, ProtocolError, connect
from tests.e2e.servers import LLDB_SERVERS, find, start_server
from tests.specs.specs import Example
from tests.specs.world import HELLO, OUTPUT, fill, frame, last_result, make_files

WAIT = 5.0
REGISTERS_TRIED = 64
PROGRAM = "loop"
PEERS = {"gdb": "gdbserver", "lldb": "lldb-server"}
"""By dialect, the server that the client is shipped with."""

PEER_COMMANDS = {"gdb": (("gdbserver",), ()), "lldb": (LLDB_SERVERS, ("gdbserver",))}
OUR_COMMANDS = {"gdb": ("-m", "pydbgserver"), "lldb": ("-m", "pydbgserver", "gdbserver")}


@dataclass(frozen=True)
class Contender:
    """A server on one program: ours or a peer. `style`: whose command line it takes, "gdb" or "lldb"."""

    name: str
    style: str
    command: tuple[str, ...]


def our_server(style: str) -> Contender:
    return Contender("pydbgserver", style, (sys.executable, *OUR_COMMANDS[style]))


def peer_server(style: str) -> Contender | None:
    """The server of the same client; None when it is not installed."""
    names, words = PEER_COMMANDS[style]
    path = find(names)
    return None if path is None else Contender(PEERS[style], style, (path, *words))


@dataclass
class Result:
    """What one server said to one example; `trouble` when it said nothing that is a reply."""

    reply: bytes = b""
    trouble: str = ""
    values: Mapping[str, int | str] | None = None


class Talk:
    """A connection to a server that has just launched the program, after the client's hello."""

    def __init__(self, client: Client, hello: Sequence[str], folder: Path, program: Path) -> None:
        self.client = client
        self.values: dict[str, int | str] = {**make_files(folder), "program": str(program).encode().hex()}
        for packet in hello:
            client.request(packet)
        thread = re.search(rb"thread:(?:p[0-9a-f]+\.)?([0-9a-f]+);", client.request("?"))
        if thread is None:
            raise ProtocolError("no thread in the stop reply")
        self.values["pid"] = self.values["tid"] = int(thread[1], 16)
        self.values.update(self._program_counter_and_stack())

    def _program_counter_and_stack(self) -> dict[str, int]:
        """From the `g` block in gdb's order, or by the registers that lldb's description calls pc and sp."""
        block = self.client.request("g")
        if not block.startswith(b"E") and not self.client.request("qRegisterInfo0"):
            return {"sp": _little(block[7 * 16 : 8 * 16]), "pc": _little(block[16 * 16 : 17 * 16])}
        found = {}
        for number in range(REGISTERS_TRIED):
            generic = re.search(rb"generic:(pc|sp);", self.client.request(f"qRegisterInfo{number:x}"))
            if generic is not None:
                found[generic[1].decode()] = _little(self.client.request(f"p{number:x};thread:{self.values['tid']:x};"))
        return found

    def ask(self, text: str) -> bytes:
        """The reply to a request, whose placeholders are filled in; console output before it is skipped."""
        self.client.send_raw(frame(fill(text, self.values).encode("latin-1")))
        while OUTPUT.fullmatch(reply := self.client.receive()):
            pass
        return reply

    def run(self, example: Example) -> Result:
        try:
            for packet in example.given:
                self.values["last"] = last_result(self.ask(packet))
            return Result(self.ask(example.send), values=self.values)
        except TimeoutError:
            return Result(trouble="no reply", values=self.values)
        except (ProtocolError, OSError):
            return Result(trouble="the connection was closed", values=self.values)


def _little(digits: bytes) -> int:
    return int.from_bytes(bytes.fromhex(digits.decode()), "little")


@contextmanager
def talking(contender: Contender, client: str, program: Path) -> Iterator[Talk]:
    """A new server, a new program, a new connection."""
    server = start_server(contender.style, [program], command=contender.command)
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            connect("127.0.0.1", server.port, WAIT, expand=contender.style == "gdb") as connection,
        ):
            hello = [packet for packet in HELLO[client] if packet != "?"]
            yield Talk(connection, hello, Path(folder), program)
    finally:
        server.close()


def style_of(client: str) -> str:
    """Whose command line and whose replies the client of an example takes."""
    return "lldb" if client == "lldb" else "gdb"
