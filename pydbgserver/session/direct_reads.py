"""What C may read by itself, in the form of the byte layer: the selected thread, and open files."""

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
    """For the thread that packets apply to now, where the target has functions for it, and for the files that are open;
    None where nothing is left.

    In non-stop mode the session alone knows which threads count as stopped: the registers are left to it. To old
    clients, whose numbers of files are decimal, it speaks itself.
    """
    numbers = () if session.dialect.decimal_files else session.files.open_now.items()
    files = tuple((number, file.descriptor) for number, file in numbers)
    tid = session.selection.tid
    process = session.process if tid > 0 and session.backend.processes else None
    functions = process.capability(NativeReads) if process is not None else None
    if process is None or functions is None:
        return DirectReads(files=files) if files else None
    identity = f"QC{session.dialect.current_thread_id(process.pid, tid)}".encode() if session.is_offered("qC") else b""
    return DirectReads(
        functions.read_memory,
        functions.read_regset,
        process.pid,
        tid,
        register_layout(process.arch) if session.non_stop is None else None,
        identity,
        AFTER_B if session.dialect.memory_prefix else BARE,
        files,
    )
