"""Mutated packets thrown at a whole session: one reply each, no exception, and the session is usable after."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pydbgserver import logs
from pydbgserver.rsp.registry import REGISTRY
from pydbgserver.testing.sim import SimProcess
from tests.sim import test_connect_sequences as sequences
from tests.sim.conversation import GDB18, PID, Conversation, gdb, lldb

# Nothing that a mutation could turn into a change of this machine's files.
FILES = ("vFile:open", "vFile:unlink", "vFile:symlink")
PACKETS = sorted(
    {
        packet.encode("latin-1")
        for steps in vars(sequences).values()
        if isinstance(steps, list)
        for packet, _ in steps
        if not packet.startswith(FILES)
    }
    | {
        b"G00", b"P10=0011223344556677;thread:64;", b"vCont;C0b:p64.64;r401000,401010:p64.64;t", b"S0b;401000",
        b"c401000",
        b"A4,0,2f6e", b"vAttach;64", b"D;64", b"D1", b"T64", b"Hcp64.64", b"qThreadStopInfo64", b"qThreadExtraInfo,64",
        b"QCatchSyscalls:1;1;2", b"QThreadEvents:1", b"QEnvironment:A=b", b"qfProcessInfo:name:61;name_match:regex;",
        b"qUserName:0", b"qModuleInfo:2f;61", b'jModulesInfo:[{"file":"/","triple":"x-y"}]]', b"qCRC:401000,10",
        b"qSearch:memory:401000;100;ab", b"vFile:pread:3,10,0", b"vFile:close:3", b"vFile:exists:2f", b"vFile:MD5:2f",
        b"qXfer:siginfo:write::0:abc", b"qRcmd,73746174730a", b"qRcmd,6d617073", b"I6869", b"qRegisterInfo10",
        b"QThreadOptions;3:p64.64;0;1:p64.-1", b"qExecAndArgs", b"vFile:setfs:64", b"vFile:stat:2f", b"vFile:lstat:2f",
        b"vFile:readlink:2f", b"vFile:fstat:3", b"qGetTLSAddr:p64.64,10,0", b"qSymbol:401000:61", b"qRcmd,66696c6573",
        b"qXfer:libraries-svr4:read:start=1;prev=0;lmid=5;:0,100", b"qXfer:threads:read::0,40",
        b"qXfer:osdata:read:types:0,100", b"qXfer:exec-file:read:64:0,100", b"vRun;2f61;2762",
        b"k", b"vKill;64",
    }
)  # fmt: skip

# What is left unanswered, by name: a resume (its stop reply follows) and what gdb reads no reply to.
SILENT = {"k", "R", "c", "C", "s", "S", "vCont"}

PIECES = st.sampled_from(
    [b"", b",", b";", b":", b"-1", b"0", b"}", b"*", b"ffffffffffffffff", b"p", b"\xff", b"#", b"1" * 40]
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A real packet, with a few places overwritten, cut out or filled in."""
    packet = draw(st.sampled_from(PACKETS))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(packet)))
        end = draw(st.integers(start, min(len(packet), start + 4)))
        packet = packet[:start] + draw(PIECES | st.binary(max_size=3)) + packet[end:]
    return b"" if packet.startswith(tuple(name.encode() for name in FILES)) else packet


def gdb_18() -> Conversation:
    return gdb(hello=GDB18)


@pytest.mark.parametrize(
    "connect", [gdb, gdb_18, lldb, lambda: Conversation(SimProcess(PID))], ids=["gdb", "gdb 18", "lldb", "unknown"]
)
@settings(max_examples=150, deadline=None)
@given(packets=st.lists(mutated(), min_size=1, max_size=12))
def test_one_reply_each_and_usable_after(connect: Callable[[], Conversation], packets: list[bytes]) -> None:
    problems: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logs, "problem", problems.append)
        talk = connect()
        for packet in packets:
            was_running = talk.session.running
            reply = talk.raw(packet)
            assert reply is None or isinstance(reply, bytes)
            if reply is None:
                found = REGISTRY.find(packet)
                assert found is not None and found[0].name in SILENT, packet
                assert not was_running or found[0].name in {"k", "R"}, packet
            if talk.session.running:
                talk.session.run_control.interrupt()
                assert talk.poll() is not None
        assert problems == []
        talk.backend.add(SimProcess(900))
        assert talk.ask("qfThreadInfo").startswith("m")
        assert talk.ask("vMustReplyEmpty") == ""
        talk.session.connection_lost()


@settings(max_examples=300, deadline=None)
@given(packet=st.binary(max_size=40).filter(lambda packet: not packet.startswith(b"vFile:")))
def test_any_bytes_are_answered(packet: bytes) -> None:
    problems: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logs, "problem", problems.append)
        talk = gdb()
        reply = talk.raw(packet)
        assert isinstance(reply, bytes) or REGISTRY.find(packet) is not None
        assert problems == []
