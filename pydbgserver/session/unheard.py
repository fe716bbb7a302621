"""Children whose beginning waits for its turn to be told (gdb takes one stop after the other).

A client that comes upon such a child in a list of threads takes it for a thread that it has missed: gdb has no program
and no registers for it then, and fails. gdbserver leaves it out, too (server.cc, handle_qxfer_threads_worker).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from pydbgserver.errors import DebugError
from pydbgserver.target.api import Process
from pydbgserver.target.events import Cloned, Forked, StopEvent

if TYPE_CHECKING:
    from pydbgserver.session.session import Session


def known_threads(session: Session) -> Iterator[tuple[Process, Sequence[int]]]:
    """Every process with its threads, as far as the client may know them."""
    children = {_child(event) for event in _untold(session) if isinstance(event, Forked | Cloned)}
    for process in session.backend.processes.values():
        tids = process.threads()
        yield process, [tid for tid in tids if tid not in children] if children else tids


def let_go(session: Session, pid: int) -> None:
    """The events of process `pid` will never be told: its children go as if nobody had wanted to hear of them."""
    for event in _untold(session):
        child = session.backend.processes.get(event.child_pid) if isinstance(event, Forked) else None
        if child is None or event.pid != pid:
            continue
        with suppress(DebugError):
            child.detach()
            session.gone(child.pid)


def _untold(session: Session) -> Sequence[StopEvent]:
    return session.stops.waiting if session.non_stop is None else session.non_stop.stops.untold


def _child(event: Forked | Cloned) -> int:
    """Its id as a thread."""
    return event.child_tid if isinstance(event, Cloned) else event.child_pid
