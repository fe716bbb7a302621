"""Sessions recorded with our server, played against it as it is now, on real processes.

They are sessions of `bare`, the program that is the same wherever it is built. What the machine adds (the stack as the
kernel sets it up, the kernel's own library, process ids) is matched; with address randomization it is elsewhere too.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pydbgserver.rsp.transcript import Transcript
from pydbgserver.testing import plugin
from pydbgserver.transcripts.files import load
from tests.e2e import servers
from tests.transcripts.machine import ENVIRONMENT, ROOT, WORK, build
from tests.transcripts.scenarios import BARE, SCENARIOS

CORPUS = Path(__file__).with_name("corpus")
OURS = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import pydbgserver.__main__ as m; sys.exit(m.main())"

# Left out: how far the first thread has come when the second one stops is the scheduler's choice; and what a platform
# does is about files.
NOT_REPEATABLE = frozenset({"bare-threads", "platform"})
REPEATABLE = {one.name for one in SCENARIOS if one.program == BARE} - NOT_REPEATABLE
FILES = [path for path in sorted(CORPUS.glob("*-pydbgserver-*.rsp")) if path.stem.split("-", 2)[2] in REPEATABLE]


# The machine's part is the same whichever release of a client asks: it is moved for those of today.
CASES = [pytest.param(path, False, id=f"{path.stem}-fixed") for path in FILES] + [
    pytest.param(path, True, id=f"{path.stem}-randomized") for path in FILES if path.stem.startswith(("gdb-", "lldb-"))
]


@pytest.fixture(scope="module")
def program() -> Path:
    return build(BARE)


def wait_until_it_spins(pid: int) -> None:
    """Behind "ready" are some hundred instructions, and then the loop: who has used up processor time is in it."""
    deadline = time.monotonic() + servers.WAIT
    while int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11]) == 0:
        assert time.monotonic() < deadline, "the program does not run"
        os.sched_yield()


@contextmanager
def target(transcript: Transcript, path: Path) -> Iterator[str]:
    """The end of the server's command line: the program, or the running process."""
    if transcript.header["started"] != "attached":
        yield "{program} {arguments}"
        return
    command = [str(path), *transcript.header.get("arguments", "").split()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=ENVIRONMENT, cwd=WORK) as running:
        try:
            assert running.stdout is not None
            assert running.stdout.readline() == b"ready\n"
            wait_until_it_spins(running.pid)
            yield str(running.pid)
        finally:
            running.kill()


def command_line(transcript: Transcript, randomized: bool) -> str:
    """The server's options before what it debugs."""
    options = "--no-disable-randomization" if randomized else ""
    attaching = transcript.header["started"] == "attached"
    if transcript.header["client"].startswith("lldb"):
        return f"gdbserver {options} 127.0.0.1:0 {'--attach' if attaching else '--'}"
    return f"--once {options} {'--attach' if attaching else ''} 127.0.0.1:0"


@pytest.mark.parametrize(("path", "randomized"), CASES)
def test_our_server_answers_as_recorded(
    path: Path, randomized: bool, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transcript = load(str(path))
    for name in os.environ:
        monkeypatch.delenv(name)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(WORK)
    with target(transcript, program) as what:
        command = f"{sys.executable} -c {shlex.quote(OURS)} {command_line(transcript, randomized)} {what}"
        with plugin.started(command, transcript, str(program)) as port:
            result = plugin.check(transcript, f"127.0.0.1:{port}", str(program))
    assert result.packets > 20


def test_both_clients_are_played() -> None:
    for client in ("gdb", "lldb"):
        assert sum(path.stem.startswith(f"{client}-") for path in FILES) >= 8
