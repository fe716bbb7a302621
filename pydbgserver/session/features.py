"""qSupported: what the client offers, and which of our features it is told about.

A feature that belongs to a packet is declared where the packet is
(`@packet(..., features=...)`), so that the list cannot promise a packet that
is not there. What belongs to no packet is in `GENERAL`. `OFFERED_TO` says
which of them depend on the client; everything else goes to every client.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from pydbgserver.session.dialect import PACKET_SIZE, Client, Dialect

GENERAL = (
    "multiprocess+",
    "fork-events+",
    "vfork-events+",
    "exec-events+",
    "swbreak+",
    "hwbreak+",
    "no-resumed+",
    "error-message+",
    "native-signals+",
)
"""Features without a packet of their own."""

Offer = Callable[[Dialect, Collection[str], str], bool]


def _if_offered(dialect: Dialect, offered: Collection[str], feature: str) -> bool:
    return feature in offered


def _gdb_if_offered(dialect: Dialect, offered: Collection[str], feature: str) -> bool:
    return dialect.client is Client.GDB and feature in offered


def _thread_options(dialect: Dialect, offered: Collection[str], feature: str) -> bool:
    return dialect.client is Client.GDB and "QThreadOptions+" in offered


def _fork_events(dialect: Dialect, offered: Collection[str], feature: str) -> bool:
    return feature.partition("-")[0] in dialect.events


def _later_lldb(dialect: Dialect, offered: Collection[str], feature: str) -> bool:
    """To lldb 20 and later, which offer swbreak+: the tests of lldb 19 refuse items that lldb 19 does not know."""
    return dialect.client is Client.LLDB and "swbreak+" in offered


def _gdb(dialect: Dialect, offered: Collection[str], feature: str) -> bool:
    return dialect.client is Client.GDB


def _lldb(dialect: Dialect, offered: Collection[str], feature: str) -> bool:
    return dialect.client is Client.LLDB


# Advertising binary-upload+ changes the form of `x` replies, which lldb 19 does not know; native-signals+ changes the
# numbering of signals, which gdb does not know. What a client has to offer first is mirrored, as both servers do.
OFFERED_TO: dict[str, Offer] = {
    "multiprocess+": _if_offered,
    "fork-events+": _fork_events,
    "vfork-events+": _fork_events,
    "exec-events+": _gdb_if_offered,
    "swbreak+": _gdb_if_offered,
    "hwbreak+": _gdb_if_offered,
    "vContSupported+": _gdb_if_offered,
    "no-resumed+": _gdb_if_offered,
    "QThreadEvents+": _gdb_if_offered,
    "error-message+": _gdb_if_offered,
    "single-inf-arg+": _gdb_if_offered,
    "QThreadOptions=3": _thread_options,
    "binary-upload+": _gdb,
    "augmented-libraries-svr4-read+": _gdb,
    "native-signals+": _lldb,
    "qEcho+": _lldb,
    "QThreadSuffixSupported+": _lldb,
    "QListThreadsInStopReply+": _lldb,
    "qSaveCore+": _lldb,
    "MultiMemRead+": _later_lldb,
    "jMultiBreakpoint+": _later_lldb,
}


# lldb 19 to 23 read no others (GDBRemoteCommunicationClient::GetRemoteQSupported), and lldb's own tests of servers
# refuse what they do not know.
READ_BY_LLDB = frozenset(
    {
        "QStartNoAckMode+",
        "QThreadSuffixSupported+",
        "QListThreadsInStopReply+",
        "qXfer:auxv:read+",
        "qXfer:features:read+",
        "qXfer:libraries-svr4:read+",
        "qXfer:siginfo:read+",
        "qEcho+",
        "QPassSignals+",
        "QNonStop+",
        "multiprocess+",
        "fork-events+",
        "vfork-events+",
        "native-signals+",
        "qSaveCore+",
        "MultiMemRead+",
        "jMultiBreakpoint+",
    }
)


def advertise(
    dialect: Dialect, offered: Collection[str], of_packets: Iterable[str], lacking: Collection[str] = ()
) -> str:
    """The reply to qSupported. `of_packets`: the features of all registered packets; `lacking`: features that are not
    for this target."""
    items = [f"PacketSize={PACKET_SIZE:x}"]
    for feature in (*of_packets, *GENERAL):
        if feature in lacking or (dialect.client is Client.LLDB and feature not in READ_BY_LLDB):
            continue
        rule = OFFERED_TO.get(feature)
        if (rule is None or rule(dialect, offered, feature)) and feature not in items:
            items.append(feature)
    return ";".join(items)
