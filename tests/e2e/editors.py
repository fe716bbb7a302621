"""What an editor speaks: gdb's machine interface, and the Debug Adapter Protocol of lldb-dap.

Both are read with a limit of `WAIT` seconds for each answer.
"""

from __future__ import annotations

import json
import os
import re
import selectors
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.e2e.servers import WAIT

Message = dict[str, Any]


class Silent(AssertionError):
    """What was waited for did not come; the message is all that came instead."""


class Pipe:
    """A program that is spoken to through its standard input and output."""

    def __init__(self, command: Sequence[str]) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        self.heard = b""

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def read_more(self, deadline: float) -> bytes:
        """At least a byte. Raises `Silent`."""
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            ready = selector.select(max(0.0, deadline - time.monotonic()))
        data = os.read(self.process.stdout.fileno(), 1 << 16) if ready else b""
        self.heard += data
        if not data:
            raise Silent(self.heard.decode(errors="replace"))
        return data

    def close(self) -> None:
        self.process.kill()
        self.process.wait(WAIT)
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()


@contextmanager
def speaking_to(command: Sequence[str]) -> Iterator[Pipe]:
    pipe = Pipe(command)
    try:
        yield pipe
    finally:
        pipe.close()


class MachineInterface:
    """gdb --interpreter=mi (gdb manual, "GDB/MI Output Syntax"). Records are lines without their end."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._token = 0
        self._part = b""

    def ask(self, command: str, result: str = "done") -> str:
        """The result record of `command`, of that class. What comes before it is left out."""
        self._token += 1
        self._pipe.write(f"{self._token}{command}\n".encode())
        record = self.wait_for(rf"{self._token}\^")
        assert record.startswith(f"{self._token}^{result}"), record
        return record

    def wait_for(self, pattern: str) -> str:
        """The next record that begins like that. Raises `Silent`."""
        deadline = time.monotonic() + WAIT
        while True:
            line, end, rest = self._part.partition(b"\n")
            if end:
                self._part = rest
                record = line.decode(errors="replace")
                if re.match(pattern, record):
                    return record
            else:
                self._part += self._pipe.read_more(deadline)


class DebugAdapter:
    """lldb-dap (the Debug Adapter Protocol's specification, "Base Protocol": a header with the body's length, JSON)."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._sequence = 0
        self._part = b""
        self._events: list[Message] = []
        self._responses: dict[int, Message] = {}

    def send(self, command: str, **arguments: object) -> Callable[[], Message]:
        """What is returned waits for the response's body."""
        self._sequence += 1
        number = self._sequence
        request = {"seq": number, "type": "request", "command": command, "arguments": arguments}
        body = json.dumps(request).encode()
        self._pipe.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        return lambda: self._response(number)

    def ask(self, command: str, **arguments: object) -> Message:
        return self.send(command, **arguments)()

    def _response(self, number: int) -> Message:
        while number not in self._responses:
            self._receive()
        response = self._responses.pop(number)
        assert response["success"], response
        body: Message = response.get("body", {})
        return body

    def wait_for(self, event: str) -> Message:
        """The body of the first event of that name that nobody has waited for."""
        while True:
            for index, message in enumerate(self._events):
                if message["event"] == event:
                    body: Message = self._events.pop(index).get("body", {})
                    return body
            self._receive()

    def _receive(self) -> None:
        message = self._message()
        if message["type"] == "event":
            self._events.append(message)
        elif message["type"] == "response":
            self._responses[message["request_seq"]] = message

    def _message(self) -> Message:
        deadline = time.monotonic() + WAIT
        while not (
            header := re.match(rb"(?:[^\r\n]+\r\n)*?Content-Length: (\d+)\r\n(?:[^\r\n]+\r\n)*\r\n", self._part)
        ):
            self._part += self._pipe.read_more(deadline)
        end = header.end() + int(header[1])
        while len(self._part) < end:
            self._part += self._pipe.read_more(deadline)
        message: Message = json.loads(self._part[header.end() : end])
        self._part = self._part[end:]
        return message
