"""Which packets there are. `packet` on a handler is all there is to adding one.

A packet is named by its letter, or, for those that begin with ``q Q v j _``, by everything up to the first of
``:;,``. Longer names take part of the arguments in ("qXfer:features:read", "Z0"), and a name whose grammar begins
with an argument is followed by it directly ("qRegisterInfo" and ``qRegisterInfo1f``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Literal, TypeAlias, TypeVar, cast

from pydbgserver.rsp.grammar import Call, Grammar

Handler = TypeVar("Handler", bound=Callable[..., Any])
Dialect = Literal["gdb", "lldb"]


class Reply(Enum):
    """Results of handlers that are no reply."""

    NONE = "none"


NO_REPLY: Final = Reply.NONE
"""Nothing is sent now: a stop reply follows later, or never (``k``, ``R``)."""

THREAD_SUFFIXED = frozenset({"g", "G", "p", "P", "QSaveRegisterState", "QRestoreRegisterState"})
"""The packets to which lldb appends ``;thread:TID;`` after QThreadSuffixSupported."""

_NAMED = frozenset(b"qQvj_")
# Matches every body, if only with nothing.
_word_of = cast("Callable[..., re.Match[bytes]]", re.compile(rb"[^:;,]*").match)


@dataclass(slots=True)
class Entry:
    """One packet. `call(session, body, offset)` parses the arguments and gives the handler's result.

    `dialect`: the client that sends it, None for both. `features`: the qSupported items that tell of it.
    """

    name: str
    grammar: Grammar
    handler: Callable[..., Any]
    dialect: Dialect | None = None
    features: tuple[str, ...] = ()
    call: Call = field(init=False)

    def __post_init__(self) -> None:
        self.call = self._first_call

    def _first_call(self, session: Any, body: bytes, offset: int) -> Any:
        self.call = self.grammar.bind(self.handler)
        return self.call(session, body, offset)


def _check_parameters(handler: Callable[..., Any], grammar: Grammar) -> None:
    """A handler's parameters after the session are the grammar's arguments, by the same names in the same order."""
    code = handler.__code__
    parameters = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
    if parameters != grammar.names:
        raise TypeError(f"{handler.__qualname__} takes {parameters}, packet {grammar.packet} has {grammar.names}")


_Prefixes: TypeAlias = list[tuple[bytes, Entry]]


def _by_prefix(prefixes: _Prefixes, body: bytes) -> tuple[Entry, int] | None:
    for name, entry in prefixes:
        end = len(name)
        if body.startswith(name) and (entry.grammar.glued or body[end : end + 1] in b":;,"):
            return entry, end
    return None


class Registry:
    """A set of packets, found by the bytes of a packet's body."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._letters: dict[int, Entry] = {}
        self._names: dict[bytes, Entry] = {}
        self._unfinished: set[bytes] = set()
        """What comes before a delimiter within a name: "qXfer" and "qXfer:features"."""
        self._prefixes: dict[bytes, _Prefixes] = {}
        """"Z0", "qRegisterInfo" and the like, by their first two bytes, the longest first."""

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def __getitem__(self, name: str) -> Entry:
        return self._entries[name]

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def packet(
        self, name: str, grammar: str = "", *, dialect: Dialect | None = None, features: Sequence[str] = ()
    ) -> Callable[[Handler], Handler]:
        """Register the decorated function as the handler of packet `name`; `grammar` as in `rsp.grammar`.

        It is called as ``handler(session, argument, ...)``; a packet with a thread suffix has a last keyword
        `tid`. `features`: the packet's qSupported items, such as "QStartNoAckMode+". Raises `ValueError` when the
        name is taken or the grammar is none, `TypeError` when the parameters are not those of the grammar.
        """

        def register(handler: Handler) -> Handler:
            compiled = Grammar(name, grammar, suffix=name in THREAD_SUFFIXED)
            _check_parameters(handler, compiled)
            self._add(Entry(name, compiled, handler, dialect, tuple(features)))
            return handler

        return register

    def _add(self, entry: Entry) -> None:
        if entry.name in self._entries:
            raise ValueError(f"packet {entry.name} is registered twice")
        self._entries[entry.name] = entry
        name = entry.name.encode()
        if len(name) == 1:
            self._letters[name[0]] = entry
        elif name[0] not in _NAMED or entry.grammar.glued:
            prefixes = self._prefixes.setdefault(name[:2], [])
            prefixes.append((name, entry))
            prefixes.sort(key=lambda one: -len(one[0]))
        else:
            self._names[name] = entry
            end = _word_of(name).end()
            while end < len(name):
                self._unfinished.add(name[:end])
                end = _word_of(name, end + 1).end()

    def find(self, body: bytes) -> tuple[Entry, int] | None:
        """The packet that `body` is, and where its arguments begin; None if it is unknown."""
        if not body:
            return None
        if body[0] not in _NAMED:
            prefixes = self._prefixes.get(body[:2])
            found = _by_prefix(prefixes, body) if prefixes is not None else None
            return found or self._find_letter(body[0])
        end = at = _word_of(body).end()
        word = body[:end]
        entry = self._names.get(word)
        while end < len(body) and word in self._unfinished:
            end = _word_of(body, end + 1).end()
            word = body[:end]
            longer = self._names.get(word)
            if longer is not None:
                entry, at = longer, end
        if entry is not None:
            return entry, at
        return _by_prefix(self._prefixes.get(body[:2], []), body)

    def _find_letter(self, letter: int) -> tuple[Entry, int] | None:
        entry = self._letters.get(letter)
        return None if entry is None else (entry, 1)

    def features(self) -> tuple[str, ...]:
        """The qSupported items of all packets, each once, in the order of registration."""
        return tuple(dict.fromkeys(item for entry in self for item in entry.features))


REGISTRY: Final = Registry()
"""The packets of the server; complete once `pydbgserver.handlers` has been imported."""

packet = REGISTRY.packet
