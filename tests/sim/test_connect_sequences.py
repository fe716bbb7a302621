"""What real clients send when they connect and work (captured), as whole sessions on a simulated target.

Each step is a packet and a regular expression that its reply has to match; None: no reply is sent now.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from pydbgserver.target.events import BreakpointHit, ProcessExited, SignalStop, WatchKind, WatchpointHit
from pydbgserver.testing.sim import SimProcess, Stop
from tests.sim.conversation import GDB13, GDB18, LLDB19, LLDB23, PID, Conversation

Step = tuple[str, str | None]
STOP_GDB = r"T05(06|07|10):.*thread:p64\.64;"
STOP_LLDB = (
    r"T13thread:p64\.64;name:program;threads:64;thread-pcs:[0-9a-f]{16};00:.*10:0010400000000000;.*reason:signal;"
)
PROGRAM = b"/usr/bin/program".hex()

GDB13_CONNECT: list[Step] = [
    (GDB13, "PacketSize=20000;.*multiprocess\\+.*"),
    ("vMustReplyEmpty", ""),
    ("QStartNoAckMode", "OK"),
    ("QProgramSignals:0;1;3;4;6;7;8;9;a;b;c;d;e;f;10;11;12;13;14", "OK"),
    ("Hgp0.0", "OK"),
    ("qXfer:features:read:target.xml:0,1000", r"m<\?xml.*i386:x86-64.*"),
    ("qXfer:features:read:target.xml:1000,1000", "[ml].*"),
    ("qTStatus", ""),
    ("?", STOP_GDB),
    ("qXfer:threads:read::0,1000", '.<threads>\n<thread id="p64.64" core="0" name="program"/>\n</threads>\n'),
    ("qAttached:64", "0"),
    ("qXfer:exec-file:read:64:0,1000", "l/usr/bin/program"),
    ("vFile:setfs:0", "F0"),
    ("vFile:open:6a7573742070726f62696e67,0,1c0", "F-1,2"),
    ("vFile:setfs:64", "F0"),
    (f"vFile:open:{PROGRAM},0,0", "F-1,2"),
    ("Hc-1", "OK"),
    ("qOffsets", ""),
    ("g", "[0-9a-f]+"),
    ("qXfer:auxv:read::0,1000", "l.*"),
    ("m401000,4", "00010203"),
    ("qXfer:libraries-svr4:read::0,1000", "l<library-list-svr4 .*"),
    ("qSymbol::", "qSymbol:[0-9a-f]+"),
    ("qTStatus", ""),
    ("qTfP", ""),
    ("qXfer:btrace-conf:read::0,1000", ""),
]

GDB13_WORK: list[Step] = [
    ("Z0,401010,1", "OK"),
    ("QPassSignals:e;10;14;17;1a;1b;1c;21;24;25;2c;4c;97;", "OK"),
    ("vCont?", "vCont;c;C;s;S;t;r"),
    ("vCont;c:p64.-1", "T05swbreak:;.*10:1010400000000000;thread:p64.64;"),
    ("z0,401010,1", "OK"),
    ("QPassSignals:", "OK"),
    ("vCont;s:p64.64", "T0506:.*10:1110400000000000;.*"),
    ("X404000,0:", "OK"),
    ("X404000,1:a", "OK"),
    ("Z2,404008,8", "OK"),
    ("vCont;c:p64.-1", "T05watch:404008;.*"),
    ("z2,404008,8", "OK"),
    ("vCont;c:p64.-1", "T0b06:.*"),
    ("vCont;C0b:p64.64;c:p64.-1", "X0b;process:64"),
]

LLDB19_CONNECT: list[Step] = [
    ("QStartNoAckMode", "OK"),
    (LLDB19, "PacketSize=20000;.*native-signals\\+"),
    ("QThreadSuffixSupported", "OK"),
    ("QListThreadsInStopReply", "OK"),
    ("qHostInfo", "triple:.*"),
    ("vCont?", "vCont;c;C;s;S;t.*"),
    ("qVAttachOrWaitSupported", "OK"),
    ("QEnableErrorStrings", "OK"),
    ("qProcessInfo", "pid:64;parent-pid:1;.*"),
    ("qC", "QC64"),
    ("qfThreadInfo", r"mp64\.64"),
    ("qsThreadInfo", "l"),
    ("?", STOP_LLDB),
    ("qXfer:features:read:target.xml:0,131071", r"l<\?xml.*"),
    ("p0;thread:0064;", "0{16}"),
    ("qOffsets", ""),
    ("qStructuredDataPlugins", r"\[\]"),
    ("qXfer:auxv:read::0,131071", "l.*"),
    ("qMemoryRegionInfo:401000", "start:401000;size:1000;permissions:rx;flags:;name:[0-9a-f]+;"),
    ("x0,0", "OK"),
    ("x401000,4", "\x00\x01\x02\x03"),
    ("qSymbol::", "OK"),
    ("qShlibInfoAddr", ""),
    ("qXfer:libraries-svr4:read::0,131071", "l<library-list-svr4.*"),
    ("Z0,401010,1", "OK"),
    ("jThreadsInfo", r'\[\{"name":"program","reason":"signal".*'),
    ("jThreadExtendedInfo:", "OK"),
]

LLDB19_WORK: list[Step] = [
    ("QPassSignals:0e;1b", "OK"),
    ("vCont;c:p64.-1", "T05thread:p64.64;.*10:1010400000000000;.*reason:breakpoint;"),
    ("jThreadsInfo", r'.*"reason":"breakpoint".*'),
    ("p6;thread:0064;", "0{16}"),
    ("QSaveRegisterState;thread:0064;", "1"),
    ("_M1000,rwx", "00007ffff7000000"),
    ("M7ffff7000000,1:cc", "OK"),
    ("P10=0000407ff7ff0000;thread:0064;", "OK"),
    ("QRestoreRegisterState:1;thread:0064;", "OK"),
    ("_m7ffff7000000", "OK"),
    ("z0,401010,1", "OK"),
    ("vCont;s:0064", "T05.*10:1110400000000000;.*reason:trace;"),
    ("Z0,401010,1", "OK"),
    ("Z2,404008,8", "OK"),
    ("vCont;c:p64.-1", "T05.*reason:watchpoint;description:[0-9a-f]+;"),
    ("z2,404008,8", "OK"),
    ("vCont;c:p64.-1", "T0b.*reason:signal;"),
    ("vCont;C0b:p64.64;c:p64.-1", "X0b;process:64"),
]

GDB18_CONNECT: list[Step] = [
    (GDB18, "PacketSize=20000;.*binary-upload\\+.*error-message\\+.*"),
    ("vCont?", "vCont;c;C;s;S;t;r"),
    ("vMustReplyEmpty", ""),
    ("QStartNoAckMode", "OK"),
    ("qExecAndArgs", "U"),
    ("QProgramSignals:0;1", "OK"),
    ("Hgp0.0", "OK"),
    ("qXfer:features:read:target.xml:0,1fffb", r"l<\?xml.*"),
    ("qXfer:auxv:read::0,1000", "l.*"),
    ("?", STOP_GDB),
    ("vFile:lstat:2f6e6f7065", "F-1,2"),
    ("Hg0", "OK"),
    ("x401000,4", "b\x00\x01\x02\x03"),
    ("x0,4", r"E\.cannot read 4 bytes at 0x0.*"),
    ("m0,4", r"E\.cannot read 4 bytes at 0x0.*"),
    ("QThreadOptions;3:p64.-1", "OK"),
]

LLDB23_CONNECT: list[Step] = [
    ("QStartNoAckMode", "OK"),
    (LLDB23, "PacketSize=20000;.*native-signals\\+"),
    *LLDB19_CONNECT[2:],
    ("QSetSTDIOWindowSize:cols=80;rows=24", "OK"),
    ("MultiMemRead:ranges:401000,4;", "4;\x00\x01\x02\x03"),
]

SCRIPT = (
    Stop(BreakpointHit(PID, PID, 0x401010)),
    Stop(WatchpointHit(PID, PID, 0x404008, WatchKind.WRITE, 0)),
    Stop(SignalStop(PID, PID, 11)),
    Stop(ProcessExited(PID, signal=11)),
)


def play(talk: Conversation, steps: Sequence[Step]) -> None:
    for packet, expected in steps:
        reply = talk.raw(packet)
        if expected is None:
            assert reply is None, packet
        else:
            assert reply is not None, packet
            assert re.fullmatch(expected, reply.decode("latin-1"), re.DOTALL), (packet, reply)


class _Stepping(Conversation):
    """The script's stops are for the continues; steps are the program's own."""

    def raw(self, packet: str | bytes) -> bytes | None:
        script = self.backend.script
        if str(packet).startswith("vCont;s"):
            self.backend.script = type(script)()
        try:
            return super().raw(packet)
        finally:
            self.backend.script = script


@pytest.mark.parametrize(
    "steps",
    [GDB13_CONNECT, GDB13_CONNECT + GDB13_WORK, GDB18_CONNECT,
     LLDB19_CONNECT, LLDB19_CONNECT + LLDB19_WORK, LLDB23_CONNECT],
    ids=["gdb 13", "gdb 13 working", "gdb 18", "lldb 19", "lldb 19 working", "lldb 23"],
)  # fmt: skip
def test_a_real_clients_session(steps: list[Step]) -> None:
    play(_Stepping(SimProcess(PID), script=SCRIPT), steps)


def test_gdb_runs_a_program_in_extended_mode() -> None:
    talk = Conversation()
    play(
        talk,
        [
            (GDB13, "PacketSize.*"),
            ("vMustReplyEmpty", ""),
            ("QStartNoAckMode", "OK"),
            ("!", "OK"),
            ("Hgp0.0", r"E\..*"),
            ("qXfer:features:read:target.xml:0,1000", r"E\..*"),
            ("?", "W00"),
            ("QDisableRandomization:1", "OK"),
            ("QStartupWithShell:1", "OK"),
            ("QEnvironmentReset", "OK"),
            ("QSetWorkingDir:", "OK"),
            (f"vRun;{PROGRAM}", "T05.*"),
            ("qXfer:exec-file:read:44c:0,1000", "l/usr/bin/program"),
            ("vCont;c", None),
            ("vKill;44c", "OK"),
            ("?", "W00"),
        ],
    )


def test_lldb_launches_through_the_connection() -> None:
    talk = Conversation()
    play(
        talk,
        [
            *LLDB19_CONNECT[:8],
            ("qProcessInfo", "E[0-9a-f]{2};.*"),
            ("qC", "E[0-9a-f]{2};.*"),
            ("qfThreadInfo", "OK"),
            ("?", "E[0-9a-f]{2};.*"),
            ("QSetSTDIN:2f6465762f6e756c6c", "OK"),
            ("QSetDisableASLR:1", "OK"),
            ("QSetDetachOnError:1", "OK"),
            ("QLaunchArch:x86_64", "OK"),
            ("QSetWorkingDir:2f746d70", "OK"),
            ("QEnvironmentHexEncoded:" + b"A=\n".hex(), "OK"),
            (f"vRun;{PROGRAM}", "T13.*"),
            ("qProcessInfo", "pid:44c;.*"),
            ("?", "T13.*"),
            ("D;000000000000044c", "OK"),
        ],
    )
