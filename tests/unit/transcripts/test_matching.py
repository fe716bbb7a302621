"""What may differ between two runs and what may not."""

from __future__ import annotations

import pytest

from pydbgserver.rsp.transcript import Transcript, TranscriptError
from pydbgserver.transcripts.matching import Matcher
from pydbgserver.transcripts.rules import Rules


@pytest.mark.parametrize(
    ("request_body", "recorded", "actual", "same"),
    [
        (b"qSupported", b"PacketSize=20;a+;b-", b"b-;a+;PacketSize=400", True),
        (b"qSupported", b"a+", b"a-", False),
        (b"qSupported:b+", b"a+;size=10", b"a+;c+;size=10", True),
        (b"qSupported:b+", b"a+;c+;size=10", b"a+;size=10", False),
        (b"qSupported:b+", b"a+;size=10", b"a+;size=20;c+", False),
        (b"qSupported", b"a+", b"", False),
        (b"m1000,8", b"0011223344556677", b"0011223344556677", True),
        (b"m1000,8", b"0111223344556677", b"0111223344556600", False),
        (b"m1000,8", b"0011223344556677", b"00112233", False),
        (b"m1000,8", b"0011223344556677", b"E0e", False),
        (b"m1000,8", b"00f0ffffff7f0000", b"00e0ffffff7f0000", True),
        (b"m1000,4", b"E0e", b"E01", False),
        (b"qHostInfo", b"triple:aa;", b"triple:bb;", True),
        (b"qHostInfo", b"triple:aa;", b"", False),
        (b"vCont;c", b"T05thread:10;", b"T05thread:20;", True),
        (b"vCont;c", b"T05thread:10;core:1;", b"T05thread:10;core:2;", True),
        (b"vCont;c", b"T05thread:10;swbreak:;", b"T05thread:10;", False),
        (b"vCont;c", b"T05thread:10;", b"T0bthread:10;", False),
        (b"vCont;c", b"T05thread:10;", b"W00", False),
        (b"vCont;c", b"W3;process:10", b"W03;process:20", True),
        (b"vCont;c", b"W3;process:10", b"W30;process:20", False),
        (b"vCont?", b"vCont;c;C;t;s;S;r", b"vCont;c;C;s;S;t;r", True),
        (b"vCont?", b"vCont;c;C;t;s;S;r", b"vCont;c;C;s;S;t", False),
        (b"vUnknown", b"one", b"two", False),
        (b"vCont;c", b"Stop:T05swbreak:;thread:p10.10;", b"Stop:T05swbreak:;thread:p20.20;", True),
        (b"vCont;c", b"Stop:T05swbreak:;thread:p10.10;", b"Stop:T05thread:p20.20;", False),
        (b"vCont;c", b"Stop:W00;process:10", b"Stop:W01;process:20", False),
    ],
)
def test_replies(request_body: bytes, recorded: bytes, actual: bytes, same: bool) -> None:
    assert (Matcher(Rules()).differs(request_body, recorded, actual) is None) == same


def test_a_bound_thread_has_to_stay_the_same() -> None:
    matcher = Matcher(Rules())
    assert matcher.differs(b"?", b"T05thread:p100.100;", b"T05thread:p200.200;") is None
    assert matcher.differs(b"vCont;c", b"T05thread:p100.100;", b"T05thread:p200.201;") == "thread is another"
    assert matcher.bindings.translate(b"vCont;s:p100.100;c:p100.-1") == b"vCont;s:p200.200;c:p200.-1"
    assert matcher.bindings.translate(b"Hgp100.100") == b"Hgp200.200"
    assert matcher.bindings.translate(b'jThreadExtendedInfo:{"thread":256}]') == b'jThreadExtendedInfo:{"thread":512}]'
    assert matcher.bindings.translate(b"vFile:open:" + b"/proc/256/maps".hex().encode() + b",0,0").endswith(
        b"/proc/512/maps".hex().encode() + b",0,0"
    )


def test_files_have_the_numbers_that_they_are_given_now() -> None:
    matcher = Matcher(Rules())
    opened = b"vFile:open:" + b"/lib/a".hex().encode() + b",0,0"
    assert matcher.differs(opened, b"F3", b"F3") is None
    assert matcher.differs(opened, b"F6", b"F4") is None
    translate = matcher.bindings.translate
    assert translate(b"vFile:pread:6,47ff,6") == b"vFile:pread:4,47ff,6"
    assert translate(b"vFile:pwrite:6,0,:6") == b"vFile:pwrite:4,0,:6"
    assert (translate(b"vFile:fstat:3"), translate(b"vFile:close:6")) == (b"vFile:fstat:3", b"vFile:close:4")
    assert matcher.differs(opened, b"F6", b"F-1,2") == "another kind of reply"
    assert matcher.differs(opened, b"F3", b"F5") is None
    assert (translate(b"vFile:fstat:3"), translate(b"vFile:fstat:7")) == (b"vFile:fstat:5", b"vFile:fstat:7")


def test_a_list_of_threads_binds_its_threads() -> None:
    matcher = Matcher(Rules())
    recorded, actual = (b'l<threads>\n<thread id="p%d.%d" core="1"/>\n</threads>\n' % (one, one) for one in (100, 200))
    assert matcher.differs(b"qXfer:threads:read::0,1000", recorded, actual) is None
    assert matcher.bindings.translate(b"qAttached:100") == b"qAttached:200"
    assert matcher.differs(b"vStopped", b"T05thread:p100.100;", b"T05thread:p201.201;") == "thread is another"


def test_what_moved_together_stays_together() -> None:
    matcher = Matcher(Rules())
    assert matcher.differs(b"?", b"T0507:00e0ffffff7f0000;", b"T0507:00d0ffffff7f0000;") is None
    assert matcher.bindings.translate(b"m7fffffffe010,8") == b"m7fffffffd010,8"
    assert matcher.bindings.translate(b"m401000,8") == b"m401000,8"
    assert matcher.differs(b"m1000,8", b"08e0ffffff7f0000", b"08d0ffffff7f0000") is None
    assert matcher.differs(b"m1000,8", b"08e0ffffff7f0000", b"09d0ffffff7f0000") is not None


def test_a_transcript_has_rules_of_its_own() -> None:
    transcript = Transcript("f", {"match": "vUnknown ignore\nqHostInfo exact"})
    matcher = Matcher(Rules(transcript))
    assert matcher.differs(b"vUnknown", b"one", b"two") is None
    assert matcher.differs(b"qHostInfo", b"one", b"two") is not None
    with pytest.raises(TranscriptError, match="f: 'match: qC maybe'"):
        Rules(Transcript("f", {"match": "qC maybe"}))


def test_a_vanished_feature_is_named_and_a_new_one_is_not() -> None:
    assert Matcher(Rules()).differs(b"qSupported", b"a+;b+", b"a+;c+") == "missing: b+"
    strict = Matcher(Rules(Transcript("f", {"match": "qSupported items"})))
    assert strict.differs(b"qSupported", b"a+;b+", b"a+;c+") == "missing: b+; new: c+"


def test_exact_lets_nothing_through() -> None:
    assert Matcher(Rules(exact=True)).differs(b"qHostInfo", b"one", b"two") is not None
