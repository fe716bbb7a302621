"""Which thread C may read by itself: what the session has selected, in the form of the byte layer."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from pydbgserver.arch.model import Arch
from pydbgserver.rsp.conversation import DirectReads, Piece, RegisterLayout, RegsetForm
from pydbgserver.target.capabilities import NativeReads

if TYPE_CHECKING:
    from pydbgserver.session.session import Session

BARE, AFTER_B = 1, 2
"""`rsp_reads.reads_binary`: the reply to ``x`` for lldb and for gdb."""


@lru_cache(maxsize=8)
def register_layout(arch: Arch) -> RegisterLayout:
    """The layout of the ``g`` packet for C."""
    sets = [
        RegsetForm(one.nt_type, one.size, one.presence_offset if one.components else -1, one.initial)
        for one in arch.regsets
    ]
    pieces = []
    for piece in arch.pieces:
        component = arch.regsets[piece.regset].component_at(piece.source)
        needs = component.needs if component else 0
        pieces.append(Piece(needs, piece.source, piece.target, piece.size, piece.op, piece.regset))
    return RegisterLayout(pieces, sets, arch.block_size)


def direct_reads(session: Session) -> DirectReads | None:
    """For the thread that packets apply to now; None where the target has no functions for it.

    In non-stop mode the session alone knows which threads count as stopped: the registers are left to it.
    """
    tid = session.selection.tid
    if tid <= 0 or not session.backend.processes:
        return None
    process = session.process
    functions = process.capability(NativeReads)
    if functions is None:
        return None
    identity = f"QC{session.dialect.current_thread_id(process.pid, tid)}".encode() if session.is_offered("qC") else b""
    return DirectReads(
        functions.read_memory,
        functions.read_regset,
        process.pid,
        tid,
        register_layout(process.arch) if session.non_stop is None else None,
        identity,
        AFTER_B if session.dialect.memory_prefix else BARE,
    )
