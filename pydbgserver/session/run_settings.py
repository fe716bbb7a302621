"""What the client wants to hear of while the target runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from pydbgserver.target.api import RunOptions

if TYPE_CHECKING:
    from pydbgserver.session.session import Session


class RunSettings:
    """`options`: to be changed in place, then `change` is to be called. `changed`: the backend has not heard of it yet.

    `calls`: (pid, snapshot) of the registers that the client has saved while it calls a function.
    """

    __slots__ = ("_session", "calls", "changed", "options")

    def __init__(self, session: Session, ignored_exceptions: Collection[str] = ()) -> None:
        """`ignored_exceptions`: names of `Backend.exception_types`."""
        types = session.backend.exception_types
        ignored = frozenset(number for name, number in types.items() if name in ignored_exceptions)
        self._session = session
        self.options = RunOptions(ignored_exceptions=ignored)
        self.changed = True
        self.calls: frozenset[tuple[int, int]] = frozenset()

    def change(self) -> None:
        """`options` has been changed: the backend hears of it at the next resume, in non-stop mode at once."""
        self.changed = True
        if self._session.non_stop is not None:
            self.apply()

    def apply(self) -> None:
        """Tell the backend."""
        self.changed = False
        self._session.backend.set_options(self.options)

    def negotiated(self, *, plain_registers: bool) -> None:
        """The client has said by qSupported which events it understands, and whether it reads register descriptions,
        which the backend hears of at once."""
        dialect, options = self._session.dialect, self.options
        options.report_forks = "fork" in dialect.events
        options.report_vforks = self._wants_vforks
        options.report_execs = dialect.is_lldb or "exec" in dialect.events
        self.change()
        if plain_registers is not options.plain_registers:
            options.plain_registers = plain_registers
            self.apply()

    def now_called(self, calls: Iterable[tuple[int, int]]) -> None:
        """The calls that are on have changed. A vfork that lldb is told of ends its call (ThreadPlanCallFunction knows
        no such stop), and the child is held for ever. While a call is on it is followed unseen: `system` is as good
        in an expression as any function."""
        self.calls = frozenset(calls)
        if self.options.report_vforks is not self._wants_vforks:
            self.options.report_vforks = self._wants_vforks
            self.change()

    @property
    def _wants_vforks(self) -> bool:
        return "vfork" in self._session.dialect.events and not self.calls

    def forget(self, pid: int) -> None:
        """The process is gone, or has become another program: its calls are over."""
        if self.calls:
            self.now_called(one for one in self.calls if one[0] != pid)
