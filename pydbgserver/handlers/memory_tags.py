"""Memory tags: x86-64 has none, so that memory-tagging+ is not told and each request fails in words."""

from __future__ import annotations

from pydbgserver.errors import DebugError
from pydbgserver.rsp.registry import packet
from pydbgserver.session.session import Session


def _no_tags(session: Session) -> DebugError:
    return DebugError(f"{session.process.arch.name} has no memory tags")


@packet("qMemTags", "':' address:hex ',' length:hex ':' kind:hex")
def read_tags(session: Session, address: int, length: int, kind: int) -> str:
    raise _no_tags(session)


@packet("QMemTags", "':' address:hex ',' length:hex ':' kind:hex ':' tags:hexbytes")
def write_tags(session: Session, address: int, length: int, kind: int, tags: bytes) -> str:
    raise _no_tags(session)
