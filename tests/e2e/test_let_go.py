"""What was let go runs on, whatever the client does next: children in their parent's memory, several forks at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.e2e.clients import GDB, ClientKind
from tests.e2e.conftest import Debug, require_client
from tests.e2e.servers import with_peers
from tests.e2e.session import Session, Step
from tests.e2e.test_sudden_ends import eventually


@pytest.fixture
def gdb() -> ClientKind:
    return require_client(GDB.name)


def at_vfork(debug: Debug, gdb: ClientKind) -> tuple[Session, int]:
    """Stopped where the program has vforked, with a breakpoint ahead in the memory that the two share; the child."""
    session = debug.start(gdb, "vfork")
    session.run(Step("break by_posix_spawn", None, r"Breakpoint 1"), Step("catch vfork", None, r"Catchpoint 2"))
    child = re.search(r"vforked process (\d+)", session.client.command("continue"))
    assert child is not None
    return session, int(child[1])


def test_both_sides_of_a_vfork_run_on_when_they_are_let_go(debug: Debug, gdb: ClientKind) -> None:
    session, _ = at_vfork(debug, gdb)
    session.run(Step("detach", None, r"detached"))
    session.wait_for_output("vfork 0 posix_spawn 0")


@pytest.mark.skipif(with_peers(), reason="gdbserver leaves the child to the parent's breakpoints")
def test_a_vfork_child_runs_to_its_end_while_its_parent_stands(debug: Debug, gdb: ClientKind) -> None:
    """Nobody waits for a stop then, and the server has to see the child through its exec all the same."""
    session, child = at_vfork(debug, gdb)
    session.run(Step("print $_siginfo.si_signo", None, r"= 5$"))
    session.run(Step(f"maint packet D;{child:x}", None, r'received: "OK"'))
    status = Path(f"/proc/{child}/stat")
    assert eventually(lambda: status.read_text().rpartition(")")[2].split()[0] == "Z")
