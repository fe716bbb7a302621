"""Where the examples run: a whole session on the simulated process, bytes in and bytes out."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from pydbgserver.rsp.framing import Control, Framing
from pydbgserver.target.registers import pc, read_register
from pydbgserver.testing.client import decode
from pydbgserver.testing.sim import CODE, SimProcess, Stop
from tests.sim.conversation import GDB13, GDB18, LLDB19, PID, Conversation
from tests.specs.specs import Example

HELLO = {
    "gdb": (GDB13, "?"),
    "gdb18": (GDB18, "?"),
    "lldb": (LLDB19, "QThreadSuffixSupported", "QListThreadsInStopReply", "QEnableErrorStrings", "?"),
    "unknown": (),
}
"""What a client has said when an example begins, after QStartNoAckMode; its `?` only where a process is."""

ESCAPED = re.compile(rb"[#$*}]")
OUTPUT = re.compile(rb"O(?:[0-9a-f]{2})*")
"""Console output; it comes before a reply and is none."""

PLACEHOLDER = re.compile(r"\{([a-z]+)(?:\+([0-9a-f]+))?(/dec|/le)?\}")


def escape(body: bytes) -> bytes:
    """As a server writes it between ``$`` and ``#``."""
    return ESCAPED.sub(lambda found: bytes((0x7D, found[0][0] ^ 0x20)), body)


def frame(wire: bytes) -> bytes:
    """A packet of a body that is escaped already."""
    return b"$%b#%02x" % (wire, sum(wire) & 0xFF)


Values = Mapping[str, int | str]


def fill(text: str, values: Values) -> str:
    """Replace the placeholders of an example; a word in braces that is none stays."""

    def replace(found: re.Match[str]) -> str:
        value = values.get(found[1])
        if isinstance(value, str):
            return value
        if value is None:
            return found[0]
        number = value + int(found[2] or "0", 16)
        return {"/dec": f"{number}", "/le": number.to_bytes(8, "little").hex()}.get(found[3] or "", f"{number:x}")

    return PLACEHOLDER.sub(replace, text)


def make_files(folder: Path) -> Values:
    """A file, a link to it and a name that is free; their paths in hexadecimal."""
    (folder / "the-file").write_text("hello\n")
    (folder / "the-file").chmod(0o644)
    (folder / "the-link").symlink_to("the-file")
    names = {"file": folder / "the-file", "link": folder / "the-link", "new": folder / "new", "dir": folder}
    return {name: os.fsencode(path).hex() for name, path in names.items()} | {"python": sys.executable.encode().hex()}


def last_result(reply: bytes) -> str:
    """What a request of `given` has brought, for ``{last}``: a File-I/O result without its letter, or all of it."""
    found = re.match(rb"F([0-9a-f]+)", reply)
    return (found[1] if found else reply).decode("latin-1")


class World:
    """One connection to a simulated process, or to no process, after a client's hello."""

    def __init__(self, client: str, folder: Path, *, state: str = "stopped") -> None:
        process = SimProcess(PID, mac=state == "mac")
        self.talk = Conversation(*([] if state == "none" else [process]))
        self.framing = Framing()
        self.values: dict[str, int | str] = {**make_files(folder), "pid": PID, "tid": PID, "pc": CODE}
        self.values["sp"] = int.from_bytes(read_register(process, PID, process.arch.sp.number), "little")
        self.values["program"] = process.program.encode().hex()
        self.feed(frame(b"QStartNoAckMode"))
        for packet in HELLO[client]:
            if state != "none" or packet != "?":
                self.ask(packet)
        if state == "running":
            self.talk.backend.script.append(Stop(slow=True))
            assert self.ask("vCont;c") == []

    def feed(self, data: bytes) -> list[bytes]:
        """What the server does with bytes that came; gives the bodies of its replies without console output."""
        session, framing = self.talk.session, self.framing
        for item in framing.receive(data):
            if isinstance(item, Control):
                continue
            reply = session.dispatch(item)
            for body in session.outbox:
                framing.send(body)
            session.outbox.clear()
            session.notices.clear()
            if reply is not None:
                framing.send(reply)
            if session.no_ack_requested:
                framing.no_ack = True
            framing.rle = session.dialect.run_length_encoding
        replies = [decode(wire) for wire in re.findall(rb"\$([^#]*)#[0-9a-f]{2}", bytes(framing.out))]
        framing.out.clear()
        return [reply for reply in replies if not OUTPUT.fullmatch(reply)]

    def ask(self, packet: str) -> list[bytes]:
        """The replies to one request, whose placeholders are filled in."""
        return self.feed(frame(self.wire(packet)))

    def wire(self, packet: str) -> bytes:
        return fill(packet, self.values).encode("latin-1")

    def prepare(self, example: Example) -> None:
        """Send what the example is given."""
        for packet in example.given:
            replies = self.ask(packet)
            self.values["last"] = last_result(replies[-1]) if replies else ""

    def expected(self, example: Example) -> re.Pattern[str]:
        """What the whole reply has to match."""
        if example.like is not None:
            escaped = {name: re.escape(one) if isinstance(one, str) else one for name, one in self.values.items()}
            return re.compile(fill(example.like, escaped), re.DOTALL)
        return re.compile(re.escape(fill(example.recv or "", self.values)), re.DOTALL)

    @property
    def usable(self) -> bool:
        """Whether the session still answers, and knows where its process stands."""
        process = self.talk.backend.live.get(PID)
        if process is not None:
            pc(process, PID)
        return self.feed(frame(b"qFnord")) == [b""] and not self.talk.session.ended

    def close(self) -> None:
        self.talk.session.connection_lost()
