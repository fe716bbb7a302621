"""One script for both clients: steps that name the gdb command, the lldb command and what each must say."""

from __future__ import annotations

import re
import select
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.e2e.clients import Client
from tests.e2e.servers import WAIT, Server

Patterns = str | Sequence[str]


@dataclass(frozen=True)
class Step:
    """A command for each client (None: that client has no such step) and regexes seen in its answer, in order.

    `sees` is for both clients; `gdb_sees` and `lldb_sees` come on top of it for one of them. A regex
    matches within the answer to this command only; `^` and `$` match at lines. `lldb_event` is what lldb's event
    thread says of it, before the prompt or after it: it is waited for, lest it be said amid the next command.
    """

    gdb: str | None
    lldb: str | None
    sees: Patterns = ()
    gdb_sees: Patterns = ()
    lldb_sees: Patterns = ()
    not_sees: str | None = None
    lldb_event: str | None = None

    def command(self, client: str) -> str | None:
        return self.gdb if client == "gdb" else self.lldb

    def patterns(self, client: str) -> list[str]:
        return [*as_list(self.sees), *as_list(self.gdb_sees if client == "gdb" else self.lldb_sees)]


# lldb's public state is set when its event thread takes the exit from a queue and tells of it, which may be after the
# prompt of `process kill` (Process::SetExitStatus, Process::ProcessEventData::DoOnRemoval).
KILL = (
    Step("kill", "process kill", gdb_sees=r"killed", lldb_event=r"Process \d+ exited with status = 9"),
    Step("info program", "process status", (), r"not being run", r"exited with status = 9"),
)
DETACH = Step("detach", "process detach", gdb_sees=r"Detaching", lldb_event=r"Process \d+ detached")


def select_thread(number: int) -> Step:
    """Make the client's thread `number` (from 1) the current one.

    lldb's `thread select` shows the thread from another thread of its own, after the prompt; its Python does not.
    """
    return Step(f"thread {number}", f"script lldb.process.SetSelectedThreadByIndexID({number})")


def as_list(patterns: Patterns) -> list[str]:
    return [patterns] if isinstance(patterns, str) else list(patterns)


def first_missing(said: str, patterns: Sequence[str]) -> str | None:
    """The first of `patterns` that is not found in `said` after the one before it."""
    position = 0
    for pattern in patterns:
        match = re.compile(pattern, re.MULTILINE).search(said, position)
        if match is None:
            return pattern
        position = match.end()
    return None


@dataclass
class Session:
    """A client connected to a server (None: the client starts its own)."""

    client: Client
    server: Server | None

    @property
    def is_gdb(self) -> bool:
        return self.client.kind.name == "gdb"

    def run(self, *steps: Step) -> str:
        """Run the steps one after another; the answer to the last one."""
        said = ""
        for step in steps:
            line = step.command(self.client.kind.name)
            if line is not None:
                said = self._run(step, line)
        return said

    def _run(self, step: Step, line: str) -> str:
        said = self.client.command(line, None if self.is_gdb else step.lldb_event)
        missing = first_missing(said, step.patterns(self.client.kind.name))
        if missing is not None:
            self.client.fail(f"`{line}`: {missing!r} not found in\n{said}")
        if step.not_sees is not None and re.search(step.not_sees, said, re.MULTILINE):
            self.client.fail(f"`{line}`: {step.not_sees!r} found in\n{said}")
        return said

    def connect(self) -> str:
        """Connect the client to the server; what it says then."""
        assert self.server is not None
        return self.client.command(self.client.kind.connect.format(port=self.server.port))

    def resume(self, gdb: str = "continue", lldb: str = "continue") -> None:
        """Let the program run and come back at once."""
        self.client.resume(gdb if self.is_gdb else lldb)

    def interrupt(self) -> str:
        return self.client.interrupt()

    def wait_for_stop(self, gdb: str, lldb: str) -> str:
        """After `resume`: wait until the client tells of a stop as given."""
        return self.client.wait_for_stop(gdb if self.is_gdb else lldb)

    def wait_for_output(self, pattern: str) -> str:
        """Wait until the debugged program has written `pattern`, wherever its terminal is; the matched text."""
        deadline = time.monotonic() + WAIT
        sources = {self.client.child.child_fd: self.client.read_available}
        if self.server is not None and self.server.process.stdout is not None:
            sources[self.server.process.stdout.fileno()] = self.server.read_available
        while (match := re.search(pattern, self.program_output())) is None:
            left = deadline - time.monotonic()
            readable = select.select(list(sources), [], [], left)[0] if sources and left > 0 else []
            if not readable:
                self.client.fail(f"the program did not write {pattern!r}")
            for descriptor in readable:
                if not sources[descriptor]():
                    del sources[descriptor]
        return match[0]

    def program_output(self) -> str:
        """All that server, program and client have written: lldb shows what its server forwards."""
        return (self.server.output if self.server else "") + self.client.shown()
