"""The target's signals and what lldb is to do with them until its user says otherwise."""

from __future__ import annotations

from pydbgserver.errors import Unsupported
from pydbgserver.rsp.registry import packet
from pydbgserver.session.session import Session

# lldb 19's own table for Linux (SBPlatform.GetUnixSignals), so that a remote session treats signals as a local one.
SILENT = frozenset({"SIGALRM", "SIGPROF"})
SHOWN_ONLY = frozenset({"SIGCHLD", "SIGCONT"})
SUPPRESSED = frozenset({"SIGINT", "SIGTRAP", "SIGSTOP"})
FIRST_INTERNAL, FIRST_REAL_TIME, MIDDLE_REAL_TIME, LAST_REAL_TIME = 32, 34, 49, 64


@packet("jSignalsInfo", dialect="lldb")
def signals_info(session: Session) -> str:
    """Not for a platform's client: lldb 19 adds what it reads to a table of gdb's numbers without replacing any of
    them, and would deliver SIGSTOP, which it takes for SIGCONT. It never reads lldb-server's reply, in which braces are
    not escaped, and goes by the system's name, which is right."""
    if session.platform is not None:
        raise Unsupported("a table that the client would misread")
    import json

    return json.dumps(
        [_entry(number, name) for number, name in session.dialect.signals.names.items()], separators=(",", ":")
    )


def _entry(number: int, name: str) -> dict[str, object]:
    real_time = number >= FIRST_INTERNAL
    stops = not real_time and name not in SILENT and name not in SHOWN_ONLY
    return {
        "name": _lldb_name(number, name),
        "notify": stops or name in SHOWN_ONLY,
        "signo": number,
        "stop": stops,
        "suppress": name in SUPPRESSED,
    }


def _lldb_name(number: int, name: str) -> str:
    """lldb counts real-time signals from both ends."""
    if number < FIRST_REAL_TIME:
        return name
    base, offset = ("SIGRTMIN", number - FIRST_REAL_TIME) if number <= MIDDLE_REAL_TIME else (
        "SIGRTMAX", number - LAST_REAL_TIME)  # fmt: skip
    return f"{base}{offset:+d}" if offset else base
