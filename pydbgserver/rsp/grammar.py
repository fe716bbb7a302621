"""The argument grammar of packets, compiled once per packet to a regular expression and conversions.

A grammar is a sequence of

    'text'           bytes that must be there
    name:type        an argument
    name:type*'sep'  any number of them with `sep` between them, as a tuple (nothing at all is the empty tuple)
    name:type+'sep'  the same, at least one
    [ ... ]          all of it or nothing; arguments not given are None, lists not given the empty tuple

Types: hex and dec (int, at most 64 bits), thread (`ThreadId`), hexbytes (bytes), hextext (str from hex digits),
word (str without ``:;,``), text (str), binary (bytes, unescaped). Numbers take upper case, 0x and leading zeros.
`text` and `binary` reach to the end, or as little as lets the rest of the grammar match; in a list, to the separator.
"""

from __future__ import annotations

import re
from binascii import unhexlify
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any, NamedTuple, TypeAlias

from pydbgserver.errors import MalformedPacket
from pydbgserver.rsp.codec import unescape

ALL = -1
"""In a `ThreadId`: every process, or every thread of the process."""

ANY = 0
"""In a `ThreadId`: whichever the server likes."""


class ThreadId(NamedTuple):
    """A thread as the client writes it: a pattern, not a thread that is known to exist.

    `pid` is None in the form without a process; both may be `ALL` or `ANY`. The form ``pPID`` means all its threads.
    """

    pid: int | None
    tid: int


@lru_cache(maxsize=1024)
def parse_thread(wire: bytes) -> ThreadId:
    """``TID``, ``pPID`` or ``pPID.TID``, hexadecimal, -1 for all and 0 for any. Raises `ValueError`."""
    if wire[:1] != b"p":
        return ThreadId(None, int(wire, 16))
    pid, _, tid = wire[1:].partition(b".")
    return ThreadId(int(pid, 16), int(tid, 16) if tid else ALL)


class ArgumentType(NamedTuple):
    """`pattern` has no capturing group; `convert` is the Python expression of the value, `{}` the bytes matched.

    `last` is a cheaper pattern for the end of a packet: it lets anything through and leaves refusing to `convert`,
    which raises `ValueError`.
    """

    pattern: str
    convert: str
    words: str
    last: str | None = None


# Atomic groups: the ways to share zeros between the two parts would multiply over the elements of a list.
_HEX = "(?>(?:0[xX])?0*[0-9a-fA-F]{1,16})"
_THREAD_PART = "(?>-1|0*[0-9a-fA-F]{1,16})"
_ANYTHING = ".*?"
_DECODE = "{}.decode('utf-8', 'surrogateescape')"

TYPES = {
    "hex": ArgumentType(_HEX, "int({}, 16)", "hexadecimal number"),
    "dec": ArgumentType("(?>0*[0-9]{1,20})", "int({})", "decimal number"),
    "thread": ArgumentType(rf"(?:p{_THREAD_PART}(?:\.{_THREAD_PART})?|{_THREAD_PART})", "parse_thread({})", "thread"),
    "hexbytes": ArgumentType("[0-9a-fA-F]*", "unhexlify({})", "bytes in hexadecimal", last=".*"),
    "hextext": ArgumentType("[0-9a-fA-F]*", _DECODE.format("unhexlify({})"), "text in hexadecimal", last=".*"),
    "word": ArgumentType("[^:;,]*", _DECODE, "word"),
    "text": ArgumentType(_ANYTHING, _DECODE, "text", last=".*"),
    "binary": ArgumentType(_ANYTHING, "unescape({})", "escaped bytes", last=".*"),
}

THREAD_SUFFIX = f"(?:;thread:(?:p{_THREAD_PART}[.])?({_HEX});?)?"
"""lldb's selector of a thread for one packet; lldb 19 to 23 write a bare thread id."""

_TOKEN = re.compile(r"\s*(?:'(?P<literal>[^']+)'|(?P<bracket>[][])|"
                    r"(?P<name>[a-z_]+):(?P<type>[a-z]+)(?:(?P<repeat>[*+])'(?P<separator>[^']+)')?)\s*")  # fmt: skip

_FACTORY = """
def make(fullmatch, malformed, handler):
    def call(session, body, offset=0):
        match = fullmatch(body, offset)
        if match is None:
            raise malformed()
        try:
            {targets} = match.groups()
            {targets} = {values}
        except ValueError as error:
            raise malformed() from error
        return {result}
    return call
"""

_FACTORY_WITHOUT_ARGUMENTS = """
def make(fullmatch, malformed, handler):
    def call(session, body, offset=0):
        if fullmatch(body, offset) is None:
            raise malformed()
        return {result}
    return call
"""

Call: TypeAlias = Callable[[Any, bytes, int], Any]
"""``call(session, body, offset)``: parses the arguments from `offset` on and calls the handler with their values."""


@cache
def _factory(values: tuple[str, ...], result: str) -> Callable[..., Call]:
    """A parser as Python would be written by hand for these arguments; shared by grammars that look alike.

    One general parser that goes through lists of arguments takes twice as long, and this runs for every packet.
    """
    template = _FACTORY if values else _FACTORY_WITHOUT_ARGUMENTS
    targets = "".join(f"a{index}, " for index in range(len(values)))
    namespace: dict[str, Any] = {"parse_thread": parse_thread, "unescape": unescape, "unhexlify": unhexlify}
    exec(template.format(targets=targets, values="".join(f"{value}, " for value in values), result=result), namespace)
    make: Callable[..., Call] = namespace["make"]
    return make


class _Part(NamedTuple):
    """A piece of a grammar: its regular expression, its words, and if it is an argument its name and value."""

    pattern: str
    words: str
    name: str = ""
    value: str = ""


def _tokens(source: str) -> list[re.Match[str]]:
    matches = []
    position = depth = 0
    while position < len(source):
        match = _TOKEN.match(source, position)
        if match is None or (match["type"] or "text") not in TYPES:
            raise ValueError(f"grammar {source!r} makes no sense at {source[position:]!r}")
        depth += {"[": 1, "]": -1}.get(match["bracket"], 0)
        if depth < 0:
            break
        matches.append(match)
        position = match.end()
    if depth:
        raise ValueError(f"the brackets of grammar {source!r} do not match")
    return matches


def _single(token: re.Match[str], target: str, last: bool, optional: bool) -> _Part:
    kind = TYPES[token["type"]]
    pattern = kind.last if last and kind.last is not None else kind.pattern
    value = kind.convert.format(target)
    if optional:
        value = f"None if {target} is None else {value}"
    return _Part(f"({pattern})", f"<{token['name']}: {kind.words}>", token["name"], value)


def _several(token: re.Match[str], target: str) -> _Part:
    kind, separator = TYPES[token["type"]], token["separator"]
    element = f"[^{re.escape(separator)}]*" if kind.pattern == _ANYTHING else kind.pattern
    pattern = f"{element}(?:{re.escape(separator)}{element})*"
    if token["repeat"] == "*":
        pattern = f"(?:{pattern})?"
    one = kind.convert.format("one")
    value = f"tuple([{one} for one in {target}.split({separator.encode()!r})]) if {target} else ()"
    return _Part(f"({pattern})", f"<{token['name']}: {kind.words}s between '{separator}'>", token["name"], value)


def _parts(tokens: list[re.Match[str]], suffix: bool) -> list[_Part]:
    parts: list[_Part] = []
    depth = arguments = 0
    for token in tokens:
        if token["bracket"]:
            depth += 1 if token["bracket"] == "[" else -1
            parts.append(_Part("(?:" if token["bracket"] == "[" else ")?", token["bracket"]))
        elif token["literal"]:
            parts.append(_Part(re.escape(token["literal"]), f"'{token['literal']}'"))
        else:
            target = f"a{arguments}"
            last = token is tokens[-1] and not suffix
            parts.append(_several(token, target) if token["repeat"] else _single(token, target, last, depth > 0))
            arguments += 1
    if suffix:
        value = f"None if a{arguments} is None else int(a{arguments}, 16)"
        parts.append(_Part(THREAD_SUFFIX, "[';thread:' <tid: hexadecimal number> ';']", "tid", value))
    return parts


class Grammar:
    """The grammar of the arguments of `packet`; `names` are the arguments' names.

    `suffix`: an lldb thread suffix may follow the arguments; its value is the last one, "tid", an int or None.
    `glued`: an argument may follow the packet's name without anything between them. Compiled when first used: a
    session uses a third of all packets. Raises `ValueError` for a grammar that is none.
    """

    __slots__ = ("_tokens", "glued", "names", "packet", "source", "suffix")

    def __init__(self, packet: str, source: str, *, suffix: bool = False) -> None:
        self.packet = packet
        self.source = source
        self.suffix = suffix
        self._tokens = _tokens(source)
        self.names = tuple(token["name"] for token in self._tokens if token["name"]) + (("tid",) if suffix else ())
        first = next((token for token in self._tokens if not token["bracket"]), None)
        self.glued = first is not None and first["name"] is not None

    def _parts(self) -> list[_Part]:
        return _parts(self._tokens, self.suffix)

    def malformed(self) -> MalformedPacket:
        """The error for arguments that do not fit, with what was expected in words."""
        words = " ".join(part.words for part in self._parts())
        return MalformedPacket(f"packet {self.packet} takes {words or 'no arguments'}")

    def bind(self, handler: Callable[..., Any]) -> Call:
        """What calls ``handler(session, *arguments)``, with the suffix as keyword `tid`.

        The result raises `MalformedPacket`, and whatever the handler raises.
        """
        arguments = [f"a{index}" for index in range(len(self.names))]
        if self.suffix:
            arguments[-1] = f"tid={arguments[-1]}"
        return self._make(f"handler({', '.join(['session', *arguments])})", handler)

    def parser(self) -> Callable[[bytes], tuple[Any, ...]]:
        """A function from bytes to the arguments' values in order, for grammars of parts of a packet.

        It raises `MalformedPacket`.
        """
        call = self._make("({})".format("".join(f"a{index}, " for index in range(len(self.names)))), None)
        return lambda wire: call(None, wire, 0)

    def _make(self, result: str, handler: Callable[..., Any] | None) -> Call:
        parts = self._parts()
        pattern = re.compile("".join(part.pattern for part in parts).encode(), re.DOTALL)
        make = _factory(tuple(part.value for part in parts if part.name), result)
        return make(pattern.fullmatch, self.malformed, handler)
