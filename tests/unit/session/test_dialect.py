"""Who the client is found to be, and the forms that follow."""

from __future__ import annotations

import pytest

from pydbgserver.errors import BadAddress, DebugError, Unsupported
from pydbgserver.session.dialect import Client, Dialect, FileFailure
from pydbgserver.target.events import WatchKind

GDB_OFFER = {"multiprocess+", "swbreak+", "vContSupported+", "no-resumed+", "exec-events+", "xmlRegisters=i386"}
LLDB_OFFER = {"xmlRegisters=i386,arm,mips,arc", "multiprocess+", "swbreak+", "fork-events+"}


def dialect(client: Client, *offer: str) -> Dialect:
    made = Dialect()
    made.client = client
    made.offer({*offer, *(GDB_OFFER if client is Client.GDB else LLDB_OFFER if client is Client.LLDB else ())})
    return made


@pytest.mark.parametrize(
    ("packet", "client"),
    [
        (b"QStartNoAckMode", Client.UNKNOWN),
        (b"vCont?", Client.UNKNOWN),
        (b"!", Client.GDB),
        (b"vMustReplyEmpty", Client.GDB),
        (b"Hgp0.0", Client.GDB),
        (b"QProgramSignals:0;1", Client.GDB),
        (b"QThreadSuffixSupported", Client.LLDB),
        (b"qHostInfo", Client.LLDB),
        (b"qProcessInfo", Client.LLDB),
        (b"jThreadsInfo", Client.LLDB),
        (b"QSetDisableASLR:1", Client.LLDB),
    ],
)
def test_a_packet_of_only_one_client_tells_which(packet: bytes, client: Client) -> None:
    seen = Dialect()
    seen.observe(packet)
    assert seen.client is client


def test_who_is_expected_is_believed_until_a_packet_tells() -> None:
    expected = Dialect(Client.LLDB)
    expected.observe(b"QStartNoAckMode")
    expected.offer({"multiprocess+"})
    assert (expected.client, expected.presumed, expected.native_signals) == (Client.LLDB, True, True)
    expected.offer(GDB_OFFER)
    assert (expected.client, expected.presumed, expected.native_signals) == (Client.GDB, False, False)
    expected.observe(b"qHostInfo")
    assert expected.client is Client.LLDB


@pytest.mark.parametrize(
    ("offer", "client"),
    [
        (GDB_OFFER, Client.GDB),
        (LLDB_OFFER, Client.LLDB),
        # gdb built for every target lists more architectures, but offers its own items too.
        (GDB_OFFER | {"xmlRegisters=i386,arm,mips,arc"}, Client.GDB),
        ({"multiprocess+", "swbreak+", "hwbreak+"}, Client.UNKNOWN),
        ({"xmlRegisters=i386"}, Client.UNKNOWN),
    ],
)
def test_qsupported_tells_which(offer: set[str], client: Client) -> None:
    seen = Dialect()
    seen.offer(offer)
    assert seen.client is client


def test_signals_are_native_for_lldb_only() -> None:
    gdb, lldb = dialect(Client.GDB), dialect(Client.LLDB)
    assert [gdb.signal_to_wire(number) for number in (7, 10, 17, 19)] == [10, 30, 20, 17]
    assert [gdb.signal_from_wire(number) for number in (10, 30, 20, 17)] == [7, 10, 17, 19]
    assert [lldb.signal_to_wire(number) for number in (7, 10, 17, 19)] == [7, 10, 17, 19]
    assert gdb.signal_from_wire(145) is None


def test_the_thread_suffix_makes_signals_native_for_lldb_but_not_for_a_confused_client() -> None:
    lldb, other = Dialect(), Dialect()
    lldb.observe(b"QThreadSuffixSupported")
    lldb.thread_suffix()
    other.thread_suffix()
    assert lldb.native_signals and not other.native_signals


def test_numeric_errors_where_gdb_takes_nothing_else() -> None:
    error = BadAddress(0x10, 4)
    gdb = dialect(Client.GDB)
    assert gdb.error(error, "m") == b"E0e"
    assert gdb.error(error, "Z0").startswith(b"E.cannot read 4 bytes at 0x10")
    assert dialect(Client.GDB, "error-message+").error(error, "m").startswith(b"E.cannot read")


def test_lldb_gets_text_only_after_it_asked_for_it() -> None:
    lldb = dialect(Client.LLDB)
    assert lldb.error(DebugError("why"), "Z0") == b"E01"
    lldb.error_strings = True
    assert lldb.error(DebugError("why"), "Z0") == b"E01;" + b"why".hex().encode()


def test_an_unknown_client_gets_what_both_understand() -> None:
    unknown = Dialect()
    assert unknown.error(DebugError("why"), "Z0") == b"E01"
    assert unknown.memory_prefix == b""
    assert unknown.thread_id(1, 2) == "2"
    assert not unknown.run_length_encoding


@pytest.mark.parametrize("client", list(Client))
def test_unsupported_is_empty_and_file_errors_have_their_own_form(client: Client) -> None:
    assert dialect(client).error(Unsupported("no"), "Z3") == b""
    assert dialect(client).error(FileFailure(2), "vFile:open") == b"F-1,2"


def test_no_error_text_for_gdb_needs_escaping() -> None:
    text = dialect(Client.GDB).error(DebugError("a}b#c$d*e\n\u20ac"), "Z0")
    assert text == b"E.a?b?c?d?e??"


def test_forms_that_differ() -> None:
    gdb, lldb = dialect(Client.GDB), dialect(Client.LLDB)
    assert (gdb.memory_prefix, lldb.memory_prefix) == (b"b", b"")
    assert (gdb.read_watch, lldb.read_watch) == (WatchKind.READ, WatchKind.ACCESS)
    assert (gdb.current_thread_id(0x10, 0x11), lldb.current_thread_id(0x10, 0x11)) == ("p10.11", "11")
    assert (gdb.initial_signal, lldb.initial_signal) == (5, 19)
    assert (gdb.run_length_encoding, lldb.run_length_encoding) == (True, False)


def test_events_follow_the_offer_of_each_negotiation() -> None:
    gdb = dialect(Client.GDB, "fork-events+")
    assert gdb.events == {"fork", "exec"} and gdb.multiprocess
    gdb.offer({"swbreak+"})
    assert gdb.events == frozenset() and not gdb.multiprocess and gdb.client is Client.GDB
