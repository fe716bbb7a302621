"""Plays client and kernel of a transcript, both, against a session of this server's backend. Sans-IO.

Nothing runs, so that nothing differs: process ids, addresses and times are those of the recording, and the replies have
to be the same bytes. Only what was asked of the machine's files, names and users is not compared.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from pydbgserver.rsp.transcript import Line, Mark, Transcript, console_text
from pydbgserver.session.session import Session
from pydbgserver.transcripts.play_client import Difference, Result
from pydbgserver.transcripts.specs import packet_name

OF_THE_MACHINE = (
    "vFile:", "qPlatform", "qHostInfo", "qModuleInfo", "jModulesInfo", "qGetWorkingDir", "qGetPid", "qUserName",
    "qGroupName", "qPathComplete", "qFileLoadAddress", "qLaunchGDBServer",
)  # fmt: skip
"""How the names of packets begin that are answered without the backend."""

_FROM_CLIENT = frozenset({Mark.TO_SERVER, Mark.INTERRUPT, Mark.INPUT})


class Kernel(Protocol):
    """What has been recorded of the kernel. `limit`: the line before which everything has happened by now."""

    limit: int
    deviation: str
    """A call that is not in the recording, "" if there was none."""

    @property
    def stop_is_next(self) -> bool:
        """Whether a stop waits to be collected."""

    @property
    def place(self) -> str:
        """Where the recording goes on."""


class KernelPlayer:
    """One replay."""

    def __init__(self, transcript: Transcript, session: Session, kernel: Kernel) -> None:
        self._transcript = transcript
        self._session = session
        self._kernel = kernel
        self._said: deque[bytes] = deque()
        self._request: bytes | None = None
        self.result = Result(transcript.file)

    def run(self) -> Result:
        """Play to the end, or to where the backend calls the kernel otherwise."""
        lines = [line for line in self._transcript.lines if line.mark is not Mark.KERNEL]
        limits = _limits(lines)
        for line, limit in zip(lines, limits, strict=True):
            if line.mark in _FROM_CLIENT:
                self._drop_extra(line)
                self._kernel.limit = limit
                self._tell(line)
            elif line.mark in (Mark.TO_CLIENT, Mark.NOTIFICATION):
                self._compare(line)
            if self._kernel.deviation:
                where = f"the backend calls {self._kernel.deviation}; the recording goes on at {self._kernel.place}"
                self.result.broken = f"{self._transcript.file}:{line.number}: {where}"
                break
        return self.result

    def _tell(self, line: Line) -> None:
        """What the client does, and the stops that follow before it does anything else."""
        session = self._session
        reply: bytes | None = None
        if line.mark is Mark.INTERRUPT:
            session.run_control.interrupt()
        else:
            self._request = line.body if line.mark is Mark.TO_SERVER else b"I" + line.body.hex().encode()
            self.result.packets += 1
            reply = session.dispatch(self._request)
        self._say(reply)
        while self._kernel.stop_is_next and not self._kernel.deviation:
            self._say(session.run_control.on_stop(session.backend.poll()))

    def _say(self, reply: bytes | None) -> None:
        said = [*self._session.outbox, *([] if reply is None else [reply])]
        self._session.outbox.clear()
        self._said += [body for body in said if body[:1] != b"O" or console_text(body) is None]

    def _compare(self, line: Line) -> None:
        actual = self._said.popleft() if self._said else None
        self.result.compared += 1
        if actual == line.body or (actual is not None and self._of_the_machine()):
            return
        self._differ(line.number, line.body, actual, "no reply" if actual is None else "not the same bytes")

    def _of_the_machine(self) -> bool:
        return self._request is not None and packet_name(self._request).startswith(OF_THE_MACHINE)

    def _drop_extra(self, line: Line) -> None:
        while self._said:
            self._differ(line.number, None, self._said.popleft(), "not in the transcript")

    def _differ(self, number: int, recorded: bytes | None, actual: bytes | None, why: str) -> None:
        self.result.differences.append(Difference(number, self._request, recorded, actual, why))


def _limits(lines: Sequence[Line]) -> list[int]:
    """For each line the number of the next one that the client says."""
    limits, limit = [], lines[-1].number + 1 if lines else 0
    for line in reversed(lines):
        limits.append(limit)
        if line.mark in _FROM_CLIENT:
            limit = line.number
    return limits[::-1]
