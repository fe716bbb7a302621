"""gdb and lldb, driven through a pty as a user drives them.

lldb runs in its synchronous mode (a `continue` ends when the program stops), which makes one prompt the end of
every command; `resume` and `interrupt` use the asynchronous mode, because only there lldb takes a Ctrl-C.

PYDBGSERVER_E2E_GDB in the environment names another gdb to use.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pexpect

from tests.e2e.servers import WAIT

# The cursor movements that lldb's line editor sends even to a dumb terminal.
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
# What another thread of lldb says comes between the keys of a line that is being typed; what there was of the line is
# shown once more after it, with a space and a movement back onto it (Editline::PrintAsync).
SHOWN_AGAIN = r"(?: ?\x1b\[[0-9;?]*[A-Za-z])*"
NOT_RUNNING = r"error: (?:Failed to halt process: )?Process is not running"

GDB_SETTINGS = (
    "set pagination off",
    "set confirm off",
    "set width 0",
    "set height 0",
    "set style enabled off",
    "set debuginfod enabled off",
    "set editing off",
    "set breakpoint pending off",
)
LLDB_SETTINGS = (
    "settings set use-color false",
    "settings set auto-confirm true",
    "settings set symbols.enable-external-lookup false",
    # lldb gives a server up after 6 seconds without an answer to its first packet: on a busy machine that is short.
    f"settings set plugin.process.gdb-remote.packet-timeout {WAIT:.0f}",
    "settings set stop-line-count-before 1",
    "settings set stop-line-count-after 1",
    "script lldb.debugger.SetAsync(False)",
)


@dataclass(frozen=True)
class ClientKind:
    """What differs between the two clients, beside the commands themselves."""

    name: str
    executables: tuple[str, ...]
    arguments: tuple[str, ...]
    prompt: str
    connect: str
    resumed: str
    stopped: str
    settings: tuple[str, ...]


GDB = ClientKind(
    name="gdb",
    executables=(os.environ.get("PYDBGSERVER_E2E_GDB") or "gdb",),
    arguments=("-nx", "-q", *(word for setting in GDB_SETTINGS for word in ("-iex", setting))),
    prompt=r"\(gdb\) ",
    connect="target remote 127.0.0.1:{port}",
    resumed=r"Continuing\.",
    stopped=r"received signal SIGINT",
    settings=(),
)
LLDB = ClientKind(
    name="lldb",
    executables=("lldb-19", "lldb"),
    arguments=("-x", "--no-use-colors"),
    prompt=r"\(lldb\) ",
    connect="gdb-remote 127.0.0.1:{port}",
    resumed=r"Process \d+ (resuming|launched)",
    stopped=r"Process \d+ stopped",
    settings=LLDB_SETTINGS,
)
KINDS = {kind.name: kind for kind in (GDB, LLDB)}


class Transcript:
    """Everything the client has said; a file object for pexpect's `logfile_read`."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        """Nothing is buffered."""


class Client:
    """One running client. Every wait ends after `WAIT` seconds with an AssertionError that shows the transcript."""

    def __init__(
        self,
        kind: ClientKind,
        executable: str,
        home: Path,
        program: Path | None = None,
        environment: dict[str, str] | None = None,
        context: Callable[[], str] = str,
    ) -> None:
        self.kind = kind
        self.transcript = Transcript()
        self._context = context
        settings = {"TERM": "dumb", "HOME": str(home), "PATH": "/usr/bin:/bin", "LC_ALL": "C", **(environment or {})}
        self.child: Any = pexpect.spawn(
            executable,
            list(kind.arguments),
            env=settings,
            encoding="utf-8",
            codec_errors="replace",
            echo=False,
            dimensions=(50, 500),
            timeout=WAIT,
        )
        self.child.delaybeforesend = None
        self.child.logfile_read = self.transcript
        self.wait_for(kind.prompt)
        for setting in kind.settings:
            self.command(setting)
        if program is not None:
            self.command(f"file {program}")

    def command(self, line: str, event: str | None = None) -> str:
        """Send a command; what was said between it and the next prompt, or the next after the regex `event`."""
        self._type(line)
        return self.wait_for(self.kind.prompt) if event is None else self._to_the_prompt(self.wait_for(event))

    def resume(self, line: str) -> None:
        """Send a command that lets the program run and wait only until the client says so."""
        if self.kind is LLDB:
            self.command("script lldb.debugger.SetAsync(True)")
        self._type(line)
        self.wait_for(self.kind.resumed)

    def _type(self, line: str) -> None:
        """lldb's line editor echoes the line: what stands before that was said late, by an earlier command. The line
        has been taken when its end follows; until then it may be shown again, after a prompt that is none."""
        self.child.sendline(line)
        if self.kind is LLDB:
            self.wait_for("".join(re.escape(key) + SHOWN_AGAIN for key in line) + r"\s*\n")

    def interrupt(self) -> str:
        """Ctrl-C; what was said until the prompt after the stop.

        lldb gets the command: its line editor takes the key for itself until the process' own input handler is there,
        of which it says nothing. Both send the same byte.
        """
        if self.kind is LLDB:
            return self._interrupt_when_running()
        self.child.send("\x03")
        return self.wait_for_stop(self.kind.stopped)

    def _interrupt_when_running(self) -> str:
        """lldb says that it resumes before its event thread has set the process's public state, and until then
        Process::Halt refuses (lldb/source/Target/Process.cpp)."""
        deadline = time.monotonic() + WAIT
        while time.monotonic() < deadline:
            self._type("process interrupt")
            before = self.wait_for(f"{NOT_RUNNING}|{self.kind.stopped}")
            if not re.match(NOT_RUNNING, str(self.child.after)):
                return self._after_stop(before)
            self.wait_for(self.kind.prompt)
        self.fail("the process does not run")

    def wait_for_stop(self, how: str) -> str:
        """After `resume`: what was said from the regex `how` to the prompt after it."""
        return self._after_stop(self.wait_for(how))

    def _to_the_prompt(self, before: str) -> str:
        return before + str(self.child.after) + self.wait_for(self.kind.prompt)

    def _after_stop(self, before: str) -> str:
        said = self._to_the_prompt(before)
        if self.kind is LLDB:
            self.command("script lldb.debugger.SetAsync(False)")
        return said

    def send(self, text: str) -> None:
        """Type `text` for the program that runs."""
        self.child.send(text)

    def read_available(self) -> bool:
        """Take in what the client has said without consuming it; False when it has ended."""
        return bool(self.child.expect([pexpect.EOF, pexpect.TIMEOUT], timeout=0))

    def wait_for(self, pattern: str) -> str:
        try:
            self.child.expect(pattern)
        except (pexpect.TIMEOUT, pexpect.EOF) as error:
            self.fail(f"{type(error).__name__} while waiting for {pattern!r}")
        return CONTROL.sub("", str(self.child.before))

    def fail(self, why: str) -> NoReturn:
        raise AssertionError(f"{self.kind.name}: {why}\n--- transcript\n{self.shown()}\n{self._context()}")

    def shown(self) -> str:
        return CONTROL.sub("", self.transcript.text)

    def close(self) -> None:
        """Quit as a user does; a client that does not end is killed."""
        try:
            self.child.sendline("quit")
            self.child.expect(pexpect.EOF, timeout=5)
        except (pexpect.TIMEOUT, OSError):
            pass
        finally:
            self.child.close(force=True)
