"""Sessions recorded with our server, played against it as it is now, on real processes."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest

from pydbgserver.testing import plugin
from pydbgserver.transcripts.files import load
from tests.transcripts.machine import ENVIRONMENT, ROOT, WORK, build, c_library

CORPUS = Path(__file__).with_name("corpus")

# Left out: sessions in which time decides what is where (threads, an interrupt of a running program) or in which the
# environment's strings on the stack are looked at.
SCENARIOS = (
    "launch", "breakpoints", "step", "watch", "values", "expression", "registers", "crash", "fork", "exit-code",
)  # fmt: skip


@pytest.mark.parametrize("client", ["gdb", "lldb"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_our_server_answers_as_recorded(client: str, scenario: str, monkeypatch: pytest.MonkeyPatch) -> None:
    transcript = load(str(CORPUS / f"{client}-pydbgserver-{scenario}.rsp"))
    if transcript.header["c-library"] != c_library():
        pytest.skip("recorded with another build of the C library: scripts/record_corpus records it anew")
    path = str(build(transcript.header["source"]))
    assert path == transcript.header["program"]
    style = "gdbserver 127.0.0.1:0 -- {program}" if client == "lldb" else "--once 127.0.0.1:0 {program}"
    for name in os.environ:
        monkeypatch.delenv(name)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(WORK)
    start = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import pydbgserver.__main__ as m; sys.exit(m.main())"
    with plugin.started(f"{sys.executable} -c {shlex.quote(start)} {style}", transcript, path) as port:
        result = plugin.check(transcript, f"127.0.0.1:{port}", path)
    assert result.packets > 20
