"""protocol-specs/ as objects. The schema is in protocol-specs/schema.md."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from pydbgserver.errors import MalformedPacket
from pydbgserver.rsp.grammar import Grammar

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "protocol-specs"
NOT_IMPLEMENTED = "not-implemented"
NO_PACKETS = frozenset({NOT_IMPLEMENTED, "features", "stop"})
"""Files that hold no packets."""

CLIENTS = ("gdb", "gdb18", "lldb", "unknown")
STATES = ("stopped", "running", "none")

COMMON_FORMS: dict[str, re.Pattern[bytes]] = {
    "OK": re.compile(rb"OK"),
    "empty": re.compile(rb""),
    "error": re.compile(rb"E[0-9a-fA-F]{2}(?:;(?:[0-9a-fA-F]{2})*)?|E\.[^\n]*"),
    "file-error": re.compile(rb"F-1,[0-9a-f]+"),
    "none": re.compile(rb"(?!)"),
}
"""What the names in `replies` stand for; "stop" is in stop.toml."""


@dataclass(frozen=True)
class Form:
    """One form of a reply: a common one by its `name`, else a grammar."""

    name: str
    source: str = ""
    say: str = ""

    @cached_property
    def grammar(self) -> Grammar:
        return Grammar(f"reply {self.source}", self.source)

    def matches(self, body: bytes) -> bool:
        """`body`: the reply as on the wire, escaped."""
        if self.name == "stop":
            return any(one.matches(body) for one in stop_forms())
        if self.name:
            return COMMON_FORMS[self.name].fullmatch(body) is not None
        return accepts(self.grammar, body)


@dataclass(frozen=True)
class Example:
    """A request and its reply; texts still have their placeholders."""

    client: str
    send: str
    given: tuple[str, ...] = ()
    state: str = "stopped"
    recv: str | None = None
    like: str | None = None
    silent: bool = False
    peers: bool = True


@dataclass(frozen=True)
class Packet:
    """One entry of a packet that is implemented."""

    family: str
    name: str
    dialect: str
    source: str
    meaning: str
    say: str
    replies: tuple[Form, ...]
    states: tuple[str, ...]
    since: Mapping[str, str]
    servers: Mapping[str, str]
    malformed: tuple[str, ...]
    examples: tuple[Example, ...]
    arguments: str = ""
    suffix: bool = False
    capability: str = ""
    rows: tuple[str, ...] = ()
    volatile: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def grammar(self) -> Grammar:
        return Grammar(self.name, self.arguments, suffix=self.suffix)

    @property
    def covered_rows(self) -> tuple[str, ...]:
        return self.rows or (self.name,)

    def form_of(self, body: bytes) -> Form | None:
        """The first form that the reply `body`, escaped, has."""
        return next((form for form in self.replies if form.matches(body)), None)


def accepts(grammar: Grammar, body: bytes) -> bool:
    try:
        grammar.parser()(body)
    except MalformedPacket:
        return False
    return True


def read(name: str) -> dict[str, Any]:
    """One file of the folder, without its suffix."""
    return tomllib.loads((FOLDER / f"{name}.toml").read_text())


def _form(value: str | Mapping[str, str]) -> Form:
    if isinstance(value, str):
        return Form(value)
    return Form("", value["form"], value["say"])


def _example(entry: Mapping[str, Any]) -> Example:
    return Example(**{**entry, "given": tuple(entry.get("given", ()))})


def _packet(family: str, entry: Mapping[str, Any]) -> Packet:
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    fields["replies"] = tuple(map(_form, entry["replies"]))
    fields["examples"] = tuple(map(_example, fields.pop("example")))
    return Packet(family, **fields)


@cache
def packets() -> Sequence[Packet]:
    """All entries, family by family."""
    families = sorted(path.stem for path in FOLDER.glob("*.toml") if path.stem not in NO_PACKETS)
    return [_packet(family, entry) for family in families for entry in read(family)["packet"]]


@cache
def stop_forms() -> Sequence[Form]:
    return [Form("", entry["form"], entry["say"]) for entry in read("stop")["stop"]]


def template_names(template: str) -> set[str]:
    """The values that a template in `say` shows."""
    return set(re.findall(r"\{(\w+)(?:/dec)?\}", template))
