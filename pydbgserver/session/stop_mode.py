"""Switching between all-stop and non-stop mode: `Session.non_stop` is None in all-stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydbgserver import logs
from pydbgserver.errors import DebugError, TargetRunning

if TYPE_CHECKING:
    from pydbgserver.session.session import Session


def begin(session: Session) -> None:
    """Enter non-stop mode. Raises `TargetRunning` and `Unsupported`."""
    from pydbgserver.session.non_stop import NonStop

    if session.non_stop is not None:
        return
    if session.running:
        raise TargetRunning
    session.non_stop = NonStop(session)
    session.running = True
    if session.ran_before:
        session.non_stop.run_on()


def end(session: Session) -> None:
    """Leave it; nothing happens in all-stop. Raises `TargetRunning` if something does not stop."""
    mode, session.non_stop = session.non_stop, None
    if mode is not None:
        session.running = False
        mode.end()


def abandon(session: Session) -> None:
    """The same when the client leaves; `Session.left_running` says then whether something ran."""
    if session.non_stop is None:
        return
    session.left_running = session.non_stop.anything_runs
    try:
        end(session)
    except DebugError as error:
        logs.problem(f"non-stop mode: {error}")
