"""How many packets everyday commands take: limits on counts, which no busy machine changes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.e2e.clients import GDB, ClientKind
from tests.e2e.conftest import Debug, debug, kind  # noqa: F401 - fixtures
from tests.e2e.servers import with_peers
from tests.e2e.session import Session

if with_peers():
    pytest.skip("the peers do not log packets in our form", allow_module_level=True)


def packets(log: Path) -> list[str]:
    """What the client has sent so far."""
    return re.findall(r"<- (.*)", log.read_text())


def counted(session: Session, log: Path, gdb: str, lldb: str) -> list[str]:
    before = len(packets(log))
    session.client.command(gdb if session.client.kind is GDB else lldb)
    return packets(log)[before:]


@pytest.fixture
def logged(debug: Debug, kind: ClientKind, tmp_path: Path) -> tuple[Session, Path]:  # noqa: F811
    """A session at tick(), the second time, and the file that its packets are logged to."""
    log = tmp_path / "packets"
    options = [f"--log-file={log}", "--log-channels=packets"]
    session = debug.start(kind, "loop", options=options)
    for _ in range(2):
        session.client.command("break tick" if kind is GDB else "breakpoint set -n tick")
        session.client.command("continue")
    return session, log


def test_packets_of_a_line_step(logged: tuple[Session, Path]) -> None:
    session, log = logged
    counted(session, log, "next", "thread step-over")
    sent = counted(session, log, "next", "thread step-over")
    assert 1 <= len(sent) <= (9 if session.client.kind is GDB else 20), sent


def test_packets_of_an_instruction_step(logged: tuple[Session, Path]) -> None:
    session, log = logged
    counted(session, log, "stepi", "thread step-inst")
    sent = counted(session, log, "stepi", "thread step-inst")
    assert 1 <= len(sent) <= (8 if session.client.kind is GDB else 10), sent


def test_packets_of_a_breakpoint_to_the_next(logged: tuple[Session, Path]) -> None:
    session, log = logged
    counted(session, log, "continue", "continue")
    sent = counted(session, log, "continue", "continue")
    assert 1 <= len(sent) <= 24, sent


def test_no_packet_repeats_at_one_stop(logged: tuple[Session, Path]) -> None:
    """What a stop reply has told need not be asked for again."""
    session, log = logged
    sent = counted(session, log, "stepi", "thread step-inst")
    registers = [packet for packet in sent if packet.startswith(("g", "p"))]
    assert len(registers) == len(set(registers)), sent
