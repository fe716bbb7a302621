"""The parts of a stop reply that both clients read alike."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING

from pydbgserver.arch.model import Arch
from pydbgserver.target.api import Process
from pydbgserver.target.events import Forked

if TYPE_CHECKING:
    from pydbgserver.session.session import Session


@lru_cache(maxsize=8)
def _form(arch: Arch, lldb: bool) -> tuple[str, str, Callable[[str], tuple[str, ...]]]:
    """Of the registers sent along: their register set, ``NN:%s;`` for each, and what cuts the digits for it out of
    those of the whole set."""
    slices = arch.general_slices if lldb else arch.expedited_slices
    form = "".join([f"{number:02x}:%s;" for number, _, _ in slices])
    return arch.pc.regset, form, itemgetter(*(slice(2 * start, 2 * end) for _, start, end in slices))


def sent_registers(process: Process, tid: int, lldb: bool) -> str:
    """``NN:value;`` of the registers sent along, in target byte order."""
    regset, form, cut = _form(process.arch, lldb)
    return form % cut(process.read_regset(tid, regset).hex())


def fork_key(session: Session, event: Forked) -> str:
    """``fork:`` or ``vfork:`` and the child."""
    name = "vfork" if event.vfork else "fork"
    return f"{name}:{session.dialect.thread_id(event.child_pid, event.child_pid)};"
