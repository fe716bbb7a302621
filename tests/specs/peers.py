"""The examples of protocol-specs/ sent to real servers that debug the same program, and what differs in the replies."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.programs import Programs
from tests.specs.real import PROGRAM, Result, our_server, peer_server, style_of, talking
from tests.specs.specs import Example, Form, Packet, packets, read
from tests.specs.world import escape

SHOWN = 90
REGISTER_PAIR = re.compile(r"(?:(?<=^...)|(?<=;))[0-9a-f]{2}:[^;]*;")
"""In a stop reply; register numbers are each server's own."""

HOST_PAIR = re.compile(r"\b(core):[^;]*;")

UNSUPPORTED = "not supported"
"""The difference to a peer that answers with the empty reply."""


@dataclass(frozen=True)
class Comparison:
    """One example as two servers answered it; `difference` is empty when they agree, `equal` when to the letter."""

    packet: Packet
    example: Example
    ours: str
    theirs: str
    difference: str
    equal: bool


def compare_all(style: str, only: Sequence[str] = ()) -> list[Comparison]:
    """Every example of one client, sent to this server and to the client's own. [] without that."""
    ours, peer = our_server(style), peer_server(style)
    if peer is None:
        return []
    found = []
    with tempfile.TemporaryDirectory() as directory:
        program = Programs(Path(directory))(PROGRAM)
        for packet in packets():
            if only and not any(word in packet.name for word in only):
                continue
            examples = [one for one in packet.examples if one.peers and style_of(one.client) == style]
            for example in examples:
                results = []
                for contender in (ours, peer):
                    with talking(contender, example.client, program) as talk:
                        results.append(talk.run(example))
                found.append(compare(packet, example, *results))
    return found


def compare(packet: Packet, example: Example, ours: Result, theirs: Result) -> Comparison:
    equal = not (ours.trouble or theirs.trouble) and normal(ours) == normal(theirs)
    difference = "" if equal else difference_of(packet, ours, theirs)
    return Comparison(packet, example, shown(packet, ours), shown(packet, theirs), difference, equal)


def shown(packet: Packet, result: Result) -> str:
    """A reply for the page: of what the machine or the run decides only that it is there."""
    form = packet.form_of(escape(result.reply))
    text = result.trouble or normal(result)
    if form is not None and form.name == "stop":
        return HOST_PAIR.sub(r"\1:...;", REGISTER_PAIR.sub("", text))
    if form is None or not form.source:
        return text
    values = form.grammar.parser()(escape(result.reply))
    for name, value in zip(form.grammar.names, values, strict=True):
        if packet.volatile.get(name) in ("host", "content"):
            if name == "pairs":
                return "".join(f"{key}:...;" for key in (one.partition(":")[0] for one in value) if key)
            return form.source
    return text


def normal(result: Result) -> str:
    """The reply as text, with the numbers of this run replaced by their names."""
    text = result.reply.decode("latin-1")
    values = result.values or {}
    for name in ("pc", "sp", "pid"):
        value = values.get(name)
        if isinstance(value, int):
            text = re.sub(rf"(?<![0-9a-f])0*{value:x}(?![0-9a-f])", f"{{{name}}}", text)
            text = text.replace(value.to_bytes(8, "little").hex(), f"{{{name}/le}}")
            text = re.sub(rf"(?<![0-9a-f]){value}(?![0-9a-f])", f"{{{name}/dec}}", text)
    return text


def difference_of(packet: Packet, ours: Result, theirs: Result) -> str:
    """In what two replies that are not equal differ beside what is volatile; "" when in nothing else."""
    if ours.trouble or theirs.trouble:
        return "no reply of one"
    if not theirs.reply:
        return UNSUPPORTED
    forms = [packet.form_of(escape(one.reply)) for one in (ours, theirs)]
    first, second = forms
    if first is None or second is None:
        return "a reply of no known form"
    if first != second:
        return f"form: {shown_form(first)} and {shown_form(second)}"
    if first.name == "error":
        return ""
    if first.name == "stop":
        return stop_difference(normal(ours), normal(theirs))
    return fields_difference(packet, first, escape(ours.reply), escape(theirs.reply))


def shown_form(form: Form) -> str:
    return form.name or form.source


def fields_difference(packet: Packet, form: Form, ours: bytes, theirs: bytes) -> str:
    if not form.source:
        return "error number"
    parse = form.grammar.parser()
    for name, one, other in zip(form.grammar.names, parse(ours), parse(theirs), strict=True):
        if name == "pairs":
            if (words := keys_difference(_keys(";".join(one)), _keys(";".join(other)))) != "":
                return words
        elif name not in packet.volatile and one != other:
            return name
    return ""


def stop_difference(ours: str, theirs: str) -> str:
    if ours[:3] != theirs[:3]:
        return f"{ours[:3]} and {theirs[:3]}"
    kinds = {entry["name"]: entry.get("volatile", "") for entry in read("stop")["key"]}
    plain = [REGISTER_PAIR.sub("", one)[3:] for one in (ours, theirs)]
    pairs = [dict(pair.partition(":")[::2] for pair in one.split(";") if pair) for one in plain]
    if (words := keys_difference(*map(set, pairs))) != "":
        return words
    return ", ".join(key for key in pairs[0] if key in kinds and not kinds[key] and pairs[0][key] != pairs[1][key])


def _keys(text: str) -> set[str]:
    return {pair.partition(":")[0] for pair in text.split(";") if pair}


def keys_difference(ours: set[str], theirs: set[str]) -> str:
    more, fewer = sorted(ours - theirs), sorted(theirs - ours)
    words = [f"also {', '.join(more)}"] if more else []
    return "keys: " + "; ".join([*words, *([f"without {', '.join(fewer)}"] if fewer else [])]) if more or fewer else ""


def cell(text: str) -> str:
    """`text` in a cell of a Markdown table: printable, short, in code marks."""
    printable = "".join(one if " " <= one <= "~" else f"\\x{ord(one):02x}" for one in text)
    short = printable if len(printable) <= SHOWN else printable[:SHOWN] + "..."
    return f"`{short}`".replace("|", "\\|") if short else "(empty)"
