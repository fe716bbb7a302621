"""A program that is attached to when it starts (vAttachWait): `Session.awaited`."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from pydbgserver.errors import AttachError, DebugError
from pydbgserver.target.api import Backend

if TYPE_CHECKING:
    from pydbgserver.session.session import Session

_PACKET = "vAttachWait"


class AwaitedProgram(NamedTuple):
    """The base name of a program, and the processes of that name that are not meant."""

    name: str
    not_meant: frozenset[int] = frozenset()

    def find(self, backend: Backend, among: Sequence[int] | None) -> int | None:
        """The pid of one that is meant and runs. `among`: it can only be one of these."""
        found = (pid for pid in backend.processes_named(self.name, among) if pid not in self.not_meant)
        return next(found, None)


def look_for_awaited(session: Session, among: Sequence[int] | None = None) -> bytes | None:
    """Attach to the program that the client waits for, if it runs by now: gives the reply, else None.

    `among`: the processes that have started since the last look; None: it may be any.
    """
    pid = session.awaited.find(session.backend, among) if session.awaited is not None else None
    if pid is None:
        return None
    try:
        session.run_settings.apply()
        reply = session.run_control.started(session.backend.attach(pid))
    except DebugError as error:
        if isinstance(error, AttachError) and error.code == errno.ESRCH:
            return None  # It has ended already: the next one may stay.
        reply = session.dialect.error(error, _PACKET)
    session.awaited = None
    return reply


def give_up(session: Session) -> None:
    """The client's interrupt ends the wait: it gets an error."""
    session.awaited = None
    error = AttachError("interrupted before the program was started", errno.EINTR)
    session.outbox.append(session.dialect.error(error, _PACKET))
