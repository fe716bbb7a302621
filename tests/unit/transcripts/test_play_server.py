"""A recorded server answers what it can, in whatever order it is asked."""

from __future__ import annotations

from pydbgserver.rsp.transcript import Mark, format_header, parse
from pydbgserver.transcripts.play_server import RecordedServer

SESSION = b"""\
0.000001 <- qSupported
0.000002 -> binary-upload-
0.000003 <- ?
0.000004 -> T05thread:1;
0.000005 <- m1000,8
0.000006 -> 0001020304050607
0.000007 <- g
0.000008 -> aaaa
0.000009 <- Z0,1004,1
0.000010 -> OK
0.000011 <- vCont;c
0.000012 o> hi\\n
0.000013 -> T05thread:2;
0.000014 <- m1004,2
0.000015 -> ff05
0.000016 <- g
0.000017 -> bbbb
0.000018 <- vCont;c
0.000019 <!
0.000020 -> T02thread:1;
0.000021 <- k
"""


def recorded() -> RecordedServer:
    return RecordedServer(parse(format_header({}) + SESSION, "f"))


def ask(server: RecordedServer, request: bytes) -> bytes:
    ((mark, body),) = server.ask(request)
    assert mark is Mark.TO_CLIENT
    return body


def test_any_order_between_two_resumes() -> None:
    server = recorded()
    assert ask(server, b"g") == b"aaaa"
    assert ask(server, b"m1002,3") == b"020304"
    assert ask(server, b"x1002,3") == b"\2\3\4"
    assert ask(server, b"?") == b"T05thread:1;"
    assert server.ask(b"vCont;c:1") == [(Mark.TO_CLIENT, b"O68690a"), (Mark.TO_CLIENT, b"T05thread:2;")]
    assert ask(server, b"g") == b"bbbb"
    assert ask(server, b"m1004,2") == b"ff05"
    assert ask(server, b"qSupported") == b"binary-upload-"
    assert not server.strays


def test_memory_of_other_stops_and_what_was_written() -> None:
    server = recorded()
    server.ask(b"vCont;c")
    assert ask(server, b"m1000,6") == b"00010203ff05"
    assert ask(server, b"M1000,1:77") == b"OK"
    assert ask(server, b"m1000,2") == b"7701"


def test_an_interrupted_resume_waits_for_it() -> None:
    server = recorded()
    server.ask(b"vCont;c")
    assert server.ask(b"vCont;c") == []
    assert server.interrupt() == [(Mark.TO_CLIENT, b"T02thread:1;")]
    assert server.interrupt() == []
    assert server.ask(b"k") == []
    assert server.at_end


def test_what_is_not_there() -> None:
    server = recorded()
    assert ask(server, b"m2000,4") == b"E0e"
    assert ask(server, b"vUnknown") == b""
    assert ask(server, b"Z0,5000,1") == b"OK"
    assert [stray.body for stray in server.strays] == [b"m2000,4", b"vUnknown"]
    assert "read 4 bytes at 0x2000" in str(server.strays[0])
