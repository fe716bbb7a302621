"""What qSupported promises to whom."""

from __future__ import annotations

from pydbgserver.rsp.registry import REGISTRY
from pydbgserver.session import features
from tests.sim.conversation import GDB13, GDB18, LLDB19, LLDB23, Conversation

# What gdbserver 13.1 answers to GDB13 (captured), without tracing, branch tracing, agents, non-stop and osdata.
GDBSERVER13 = {
    "QPassSignals+", "QProgramSignals+", "QStartupWithShell+", "QEnvironmentHexEncoded+", "QEnvironmentReset+",
    "QEnvironmentUnset+", "QSetWorkingDir+", "QCatchSyscalls+", "qXfer:libraries-svr4:read+",
    "augmented-libraries-svr4-read+", "qXfer:auxv:read+", "qXfer:siginfo:read+", "qXfer:siginfo:write+",
    "qXfer:features:read+", "QStartNoAckMode+", "multiprocess+", "fork-events+", "vfork-events+", "exec-events+",
    "QDisableRandomization+", "qXfer:threads:read+", "swbreak+", "hwbreak+", "qXfer:exec-file:read+",
    "vContSupported+", "QThreadEvents+", "no-resumed+",
}  # fmt: skip
# What lldb-server 19 answers to LLDB19, without non-stop.
LLDB_SERVER19 = {
    "QStartNoAckMode+", "qEcho+", "native-signals+", "QThreadSuffixSupported+", "QListThreadsInStopReply+",
    "qXfer:features:read+", "QPassSignals+", "qXfer:auxv:read+", "qXfer:libraries-svr4:read+", "qXfer:siginfo:read+",
    "multiprocess+", "fork-events+", "vfork-events+",
}  # fmt: skip


def answer(hello: str) -> set[str]:
    items = Conversation().ask(hello).split(";")
    assert len(items) == len(set(items))
    return set(items)


def test_gdb_is_promised_all_that_gdbserver_promises() -> None:
    assert GDBSERVER13 - answer(GDB13) == set()
    assert {"binary-upload+", "error-message+"} <= answer(GDB18)


def test_gdb_13_is_not_told_of_what_it_did_not_offer() -> None:
    assert "error-message+" not in answer(GDB13)


def test_gdb_is_not_told_of_lldb_things_that_change_meanings() -> None:
    assert not {"native-signals+", "QThreadSuffixSupported+", "qEcho+"} & answer(GDB18)


def test_lldb_is_promised_all_that_lldb_server_promises() -> None:
    assert LLDB_SERVER19 - answer(LLDB19) == set()
    assert LLDB_SERVER19 - answer(LLDB23) == set()


def test_lldb_is_never_told_of_binary_upload_or_break_keys() -> None:
    for hello in (LLDB19, LLDB23):
        assert not {"binary-upload+", "swbreak+", "hwbreak+", "no-resumed+", "exec-events+"} & answer(hello)


def test_lldb_is_told_only_of_what_it_reads() -> None:
    for hello in (LLDB19, LLDB23):
        told = {item for item in answer(hello) if not item.startswith("PacketSize=")}
        assert told <= features.READ_BY_LLDB


def test_what_has_to_be_offered_first_is_mirrored() -> None:
    bare = answer("qSupported:xmlRegisters=i386;vContSupported+")
    assert not {"multiprocess+", "fork-events+", "vfork-events+", "exec-events+", "QThreadEvents+"} & bare


def test_packet_size_is_hexadecimal() -> None:
    assert "PacketSize=20000" in answer(GDB13)


def test_every_rule_is_about_a_feature_that_there_is() -> None:
    assert features.OFFERED_TO.keys() <= {*features.GENERAL, *REGISTRY.features()}
