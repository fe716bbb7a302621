from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pydbgserver.errors import MalformedPacket
from pydbgserver.rsp.grammar import ALL, ANY, Grammar, ThreadId

MEMORY = "address:hex ',' length:hex"
XFER = "':' annex:text ':' offset:hex ',' length:hex"

ACCEPTED: list[tuple[str, bytes, tuple[Any, ...]]] = [
    ("", b"", ()),
    (MEMORY, b"7fff1234,10", (0x7FFF1234, 0x10)),
    (MEMORY, b"0x7FFF,0", (0x7FFF, 0)),
    (MEMORY, b"0000000000000000000010,0X00ff", (0x10, 0xFF)),
    (MEMORY, b"ffffffffffffffff,1", (2**64 - 1, 1)),
    ("id:dec", b"0018446744073709551615", (2**64 - 1,)),
    ("[';' pid:hex]", b"", (None,)),
    ("[';' pid:hex]", b";00000000000000ab", (0xAB,)),
    ("':' on:dec [';' rest:hex+';']", b":1", (1, ())),
    ("':' on:dec [';' rest:hex+';']", b":1;e7;0", (1, (0xE7, 0))),
    ("':' signals:hex*';'", b":", ((),)),
    ("':' signals:hex*';'", b":0e;1B;1", ((14, 27, 1),)),
    ("';' words:hextext+';'", b";2f62696e;;c3a4", (("/bin", "", "ä"),)),
    ("items:text", b"anything: at, all;", ("anything: at, all;",)),
    ("':' path:hextext ',' flags:hex", b":2f78ff,0", ("/x\udcff", 0)),
    ("data:hexbytes", b"00fFc3", (b"\x00\xff\xc3",)),
    (MEMORY + " ':' data:binary", b"0,4:a}\x03,}]:", (0, 4, b"a#,}:")),
    (MEMORY + " ':' data:binary", b"0,1:\n", (0, 1, b"\n")),
    (XFER, b":target.xml:0,fff", ("target.xml", 0, 0xFFF)),
    (XFER, b"::0,fff", ("", 0, 0xFFF)),
    (XFER, b":start=10;prev=20;:0,1", ("start=10;prev=20;", 0, 1)),
    ("kind:word ':' rest:word", b"c:", ("c", "")),
    ("[':' offered:text*';']", b":xmlRegisters=i386,arm;a:b+", (("xmlRegisters=i386,arm", "a:b+"),)),
    ("number:hex '=' value:hexbytes", b"1f=00aa", (0x1F, b"\x00\xaa")),
]

REFUSED = [
    ("", b"x"),
    (MEMORY, b""),
    (MEMORY, b"10"),
    (MEMORY, b"10,"),
    (MEMORY, b"g,10"),
    (MEMORY, b"-1,10"),
    (MEMORY, b" 1,10"),
    (MEMORY, b"1_0,10"),
    (MEMORY, b"10,10 "),
    (MEMORY, b"10,10\n"),
    (MEMORY, b"10000000000000000,1"),
    ("id:dec", b"a"),
    ("id:dec", b"9" * 5000),
    ("data:hexbytes", b"123"),
    ("data:hexbytes", b"1g"),
    ("data:hexbytes ';' last:hex", b"123;1"),
    ("path:hextext", b"zz"),
    ("';' words:hextext+';'", b";2f6"),
    ("':' signals:hex+';'", b":"),
    ("':' signals:hex*';'", b":1;"),
    ("[';' pid:hex]", b";"),
    ("thread:thread", b""),
    ("thread:thread", b"p"),
    ("thread:thread", b"p1."),
    ("thread:thread", b"-2"),
    ("kind:word", b"a:b"),
]

THREADS = [
    (b"0", ThreadId(None, ANY)),
    (b"-1", ThreadId(None, ALL)),
    (b"1aB", ThreadId(None, 0x1AB)),
    (b"p1f", ThreadId(0x1F, ALL)),
    (b"p1f.-1", ThreadId(0x1F, ALL)),
    (b"p-1", ThreadId(ALL, ALL)),
    (b"p-1.-1", ThreadId(ALL, ALL)),
    (b"p0.0", ThreadId(ANY, ANY)),
    (b"p00001F.0020", ThreadId(0x1F, 0x20)),
]


@pytest.mark.parametrize(("grammar", "wire", "values"), ACCEPTED)
def test_arguments(grammar: str, wire: bytes, values: tuple[Any, ...]) -> None:
    assert Grammar("test", grammar).parser()(wire) == values


@pytest.mark.parametrize(("grammar", "wire"), REFUSED)
def test_arguments_that_do_not_fit(grammar: str, wire: bytes) -> None:
    with pytest.raises(MalformedPacket, match="packet test takes "):
        Grammar("test", grammar).parser()(wire)


@pytest.mark.parametrize(("wire", "thread"), THREADS)
def test_thread_ids(wire: bytes, thread: ThreadId) -> None:
    assert Grammar("test", "thread:thread").parser()(wire) == (thread,)
    assert Grammar("test", "letter:word [':' thread:thread]").parser()(b"s:" + wire) == ("s", thread)


def bound(grammar: str, *, suffix: bool) -> Any:
    def handler(session: Any, *arguments: Any, **keywords: Any) -> Any:
        return session, arguments, keywords

    return Grammar("test", grammar, suffix=suffix).bind(handler)


@pytest.mark.parametrize(
    ("suffix", "tid"),
    [(b"", None), (b";thread:1f;", 0x1F), (b";thread:001F", 0x1F), (b";thread:p1.1f;", 0x1F)],
)
@pytest.mark.parametrize(
    ("grammar", "wire", "values"),
    [
        ("", b"", ()),
        ("number:hex", b"1f", (0x1F,)),
        ("data:hexbytes", b"0011", (b"\0\x11",)),
        ("[':' id:dec]", b"", (None,)),
    ],
)
def test_the_thread_suffix(grammar: str, wire: bytes, values: tuple[Any, ...], suffix: bytes, tid: int | None) -> None:
    call = bound(grammar, suffix=True)
    assert call("session", b"?" + wire + suffix, 1) == ("session", values, {"tid": tid})


@pytest.mark.parametrize("suffix", [b";", b";thread:", b";thread:x;", b";thread:1;x"])
def test_a_broken_thread_suffix(suffix: bytes) -> None:
    with pytest.raises(MalformedPacket, match="thread"):
        bound("number:hex", suffix=True)("session", b"1" + suffix, 0)


def test_a_suffix_that_was_not_declared_is_refused() -> None:
    with pytest.raises(MalformedPacket):
        bound("number:hex", suffix=False)("session", b"1;thread:1;", 0)


def test_the_error_tells_what_was_expected() -> None:
    expected = "packet m takes <address: hexadecimal number> ',' <length: hexadecimal number>"
    assert str(Grammar("m", MEMORY).malformed()) == expected
    assert str(Grammar("qC", "").malformed()) == "packet qC takes no arguments"
    grammar = Grammar("QPassSignals", "':' signals:hex*';' ['.' x:dec]")
    assert str(grammar.malformed()) == (
        "packet QPassSignals takes ':' <signals: hexadecimal numbers between ';'> [ '.' <x: decimal number> ]"
    )


def test_an_error_of_the_handler_is_not_taken_for_a_malformed_packet() -> None:
    def handler(session: Any, number: int) -> None:
        raise ValueError("of its own")

    with pytest.raises(ValueError, match="of its own"):
        Grammar("test", "number:hex").bind(handler)(None, b"1", 0)


@pytest.mark.parametrize("grammar", ["address", "[':' a:hex", "a:hex ]", "a:hex '", "a:octal", "a:hex*", "] a:hex ["])
def test_a_grammar_that_is_none(grammar: str) -> None:
    with pytest.raises(ValueError, match="grammar"):
        Grammar("test", grammar)


@pytest.mark.parametrize(
    ("grammar", "glued"), [("", False), ("tid:hex", True), ("':' tid:hex", False), ("[tid:hex]", True)]
)
def test_glued_grammars(grammar: str, glued: bool) -> None:
    assert Grammar("test", grammar).glued is glued


@pytest.mark.parametrize("element", [b"0" * 16, b"0" * 200, b"p" + b"0" * 16])
@pytest.mark.parametrize("kind", ["hex", "dec", "thread", "hextext", "text"])
def test_a_long_list_that_fails_at_its_end_fails_soon(kind: str, element: bytes) -> None:
    """Without care, zeros that can be matched in sixteen ways make 16**n attempts for n elements."""
    with pytest.raises(MalformedPacket):
        Grammar("test", f"many:{kind}+';' '!'").parser()(b";".join([element] * 200) + b"?")


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.booleans())
def test_numbers_of_any_size(address: int, length: int, upper: bool) -> None:
    text = f"{address:x},{length:x}"
    assert Grammar("m", MEMORY).parser()((text.upper() if upper else text).encode()) == (address, length)


@given(st.sampled_from([grammar for grammar, _, _ in ACCEPTED]), st.binary(max_size=60))
def test_garbage_is_malformed_and_nothing_else(grammar: str, wire: bytes) -> None:
    parse = Grammar("test", grammar).parser()
    try:
        values = parse(wire)
    except MalformedPacket:
        return
    assert len(values) == len(Grammar("test", grammar).names)
