"""The process and the thread that packets apply to, and those that they name."""

from __future__ import annotations

from pydbgserver.errors import NoSuchProcess, NoSuchThread
from pydbgserver.rsp.grammar import ALL, ANY, ThreadId
from pydbgserver.target.api import Backend, Process


class Selection:
    """What Hg chose, or the last stop: `process` (None until there is one) and `tid` (ANY likewise)."""

    __slots__ = ("_backend", "process", "tid")

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.process: Process | None = None
        self.tid = ANY
        self._choose_first()

    def select(self, process: Process, tid: int) -> None:
        """Make these what packets apply to."""
        self.process = process
        self.tid = tid

    def drop(self, pid: int) -> None:
        """The process is gone: if it was selected, another one is now."""
        if self.process is not None and self.process.pid == pid:
            self.process = None
            self.tid = ANY
            self._choose_first()

    def _choose_first(self) -> None:
        for process in self._backend.processes.values():
            tids = process.threads()
            self.select(process, tids[0] if tids else process.pid)
            return

    def some_process(self) -> Process:
        """The one selected, or else the first, which is selected then. Raises `NoSuchProcess`."""
        if self.process is None:
            self._choose_first()
            if self.process is None:
                raise NoSuchProcess
        return self.process

    def thread(self, tid: int | None = None) -> tuple[Process, int]:
        """The process and the thread id that packets apply to: `tid` if it is given, else what is selected.

        Raises `NoSuchProcess`, and `NoSuchThread` if there is no such thread in several processes.
        """
        process = self.process
        if process is None:
            process = self.some_process()
        if tid is None:
            return process, self.tid
        if len(self._backend.processes) > 1:
            process = self.owner(tid)
        return process, tid

    def owner(self, tid: int) -> Process:
        """The process that has the thread `tid`. Raises `NoSuchThread`."""
        for process in self._backend.processes.values():
            if tid in process.threads():
                return process
        raise NoSuchThread(tid)

    def process_of(self, pid: int) -> Process:
        """The debugged process `pid`. Raises `NoSuchProcess`."""
        process = self._backend.processes.get(pid)
        if process is None:
            raise NoSuchProcess(pid)
        return process

    def find(self, pattern: ThreadId) -> tuple[Process, int]:
        """The thread that `pattern` names; ANY and ALL stand for the present one, or a process' first.

        Raises `NoSuchProcess` and `NoSuchThread`.
        """
        pid, tid = pattern.pid, pattern.tid
        if tid in (ANY, ALL):
            process = self.some_process() if pid in (None, ANY, ALL) else self.process_of(pid or 0)
            tids = process.threads()
            return process, self.tid if self.tid in tids else tids[0]
        process = self.owner(tid) if pid in (None, ANY, ALL) else self.process_of(pid or 0)
        if tid not in process.threads():
            raise NoSuchThread(tid)
        return process, tid
