"""The specifications, the registry of handlers and the list of all packets of both protocols agree."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import get_args

import pytest

import pydbgserver.handlers  # noqa: F401 - registers the packets
from pydbgserver.rsp.grammar import Grammar
from pydbgserver.rsp.registry import REGISTRY, THREAD_SUFFIXED
from pydbgserver.rsp.registry import Dialect as Client
from pydbgserver.session.dialect import Dialect
from pydbgserver.session.features import advertise
from pydbgserver.target import capabilities
from tests.sim.conversation import GDB13, GDB18, LLDB19, LLDB23
from tests.specs.specs import (
    CLIENTS,
    COMMON_FORMS,
    NOT_IMPLEMENTED,
    STATES,
    Packet,
    accepts,
    packets,
    read,
    template_names,
)
from tests.specs.world import World, fill

ROWS = Path(__file__).with_name("packet_rows.tsv")
NO_REQUESTS = frozenset({"framing", "feature-client", "feature-server", "stop"})
KINDS = frozenset({"pid", "tid", "thread", "address", "descriptor", "snapshot", "content", "host", "size"})
NAMES = [packet.name for packet in packets()]


def rows() -> list[dict[str, str]]:
    with ROWS.open() as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_specifications_and_registry_name_the_same_packets() -> None:
    assert len(NAMES) == len(set(NAMES))
    registered = {entry.name for entry in REGISTRY}
    assert sorted(registered - set(NAMES)) == [], "write an entry in protocol-specs/ (schema.md says how)"
    assert sorted(set(NAMES) - registered) == []


def test_every_request_is_specified_or_left_out_with_a_reason() -> None:
    requests = {row["name"] for row in rows() if row["category"] not in NO_REQUESTS}
    covered = {row for packet in packets() for row in packet.covered_rows}
    left_out = read(NOT_IMPLEMENTED)["packet"]
    names = [entry["name"] for entry in left_out]
    assert len(names) == len(set(names))
    assert sorted(covered & set(names)) == []
    assert sorted(requests - covered - set(names)) == []
    assert sorted(set(names) - requests) == []
    assert all(len(entry["why"]) > 10 for entry in left_out)


def test_rows_of_entries_are_in_the_list() -> None:
    """Packets newer than the list may be missing there; an entry that says `rows` means rows that are."""
    known = {row["name"] for row in rows()}
    assert {row for packet in packets() for row in packet.rows} <= known


def features() -> dict[str, dict[str, object]]:
    return {entry["name"]: entry for entry in read("features")["feature"]}


def test_every_feature_is_specified_or_left_out_with_a_reason() -> None:
    items = {row["name"].partition("<")[2] for row in rows() if row["category"] == "feature-server"}
    told = {name if not name.endswith("=") else f"{name}<hex>" for name in features()}
    left_out = {entry["name"] for entry in read(NOT_IMPLEMENTED)["feature"]}
    assert sorted(told & left_out) == []
    assert sorted(items - told - left_out) == []
    assert sorted((told | left_out) - items) == []


def _offered_as(feature: str) -> str:
    """The client offers an item with a value by its name alone."""
    return f"{feature.partition('=')[0]}+" if "=" in feature else feature


def expected_features(client: Client, offered: str) -> set[str]:
    """What the specifications say that the client is told."""
    return {
        name
        for name, entry in features().items()
        if entry["to"] in ("both", client)
        and (not entry["mirrored"] or _offered_as(name) in offered.split(";"))
        and ("with" not in entry or entry["with"] in offered.split(";"))
    }


@pytest.mark.parametrize(
    ("client", "hello"),
    [("gdb", GDB13), ("gdb", GDB18), ("lldb", LLDB19), ("lldb", LLDB23)],
    ids=["gdb 13", "gdb 18", "lldb 19", "lldb 23"],
)
def test_what_is_advertised_is_what_the_specifications_say(client: Client, hello: str) -> None:
    assert client in get_args(Client)
    offered = hello.partition(":")[2]
    dialect = Dialect()
    dialect.offer(offered.split(";"))
    items = advertise(dialect, offered.split(";"), REGISTRY.features()).split(";")
    names = [item if item in features() else item.partition("=")[0] + "=" for item in items]
    assert sorted(names) == sorted(expected_features(client, offered))


def test_features_of_packets_are_those_of_the_registry() -> None:
    registered = {(entry.name, item) for entry in REGISTRY for item in entry.features}
    specified = {(name, item) for item, entry in features().items() for name in entry["packets"]}  # type: ignore[attr-defined]
    assert {item for _, item in registered} == {item for _, item in specified}
    assert registered <= specified


@pytest.mark.parametrize("packet", packets(), ids=NAMES)
def test_an_entry_is_consistent(packet: Packet) -> None:
    assert packet.dialect in ("both", *get_args(Client))
    assert set(packet.since) <= ({"gdb", "lldb"} if packet.dialect == "both" else {packet.dialect})
    assert {"gdbserver", "lldb-server", "debugserver"} <= set(packet.servers)
    assert packet.states and set(packet.states) <= set(STATES)
    assert not packet.capability or hasattr(capabilities, packet.capability)
    assert packet.suffix == (packet.name in THREAD_SUFFIXED)
    assert packet.examples and packet.source and packet.meaning
    arguments = set(packet.grammar.names)
    assert template_names(packet.say) <= arguments
    fields = set(arguments)
    for form in packet.replies:
        assert not form.name or form.name == "stop" or form.name in COMMON_FORMS
        if form.source:
            fields |= set(form.grammar.names)
            assert template_names(form.say) <= set(form.grammar.names)
    assert set(packet.volatile) <= fields
    assert set(packet.volatile.values()) <= KINDS


@pytest.mark.parametrize("packet", packets(), ids=NAMES)
def test_examples_fit_their_grammar(packet: Packet, tmp_path: Path) -> None:
    for index, example in enumerate(packet.examples):
        assert example.client in CLIENTS
        assert example.silent + (example.recv is not None) + (example.like is not None) == 1
        folder = tmp_path / str(index)
        folder.mkdir()
        world = World(example.client, folder, state=example.state)
        world.prepare(example)
        wire = world.wire(example.send)
        world.close()
        found = REGISTRY.find(wire)
        assert found is not None and found[0].name == packet.name
        assert wire.startswith(packet.name.encode())
        assert accepts(packet.grammar, wire[len(packet.name) :]), example


def test_keys_of_stop_replies_are_known() -> None:
    keys = {entry["name"]: entry for entry in read("stop")["key"]}
    listed = {row["name"].removeprefix("stop:key:") for row in rows() if row["name"].startswith("stop:key:")}
    assert {entry.get("row", name) for name, entry in keys.items()} == listed
    for name, entry in keys.items():
        assert entry["to"] in ("both", *get_args(Client))
        assert entry.get("volatile", "content") in KINDS
        assert template_names(entry["say"]) <= {"key", "value"}, name
        Grammar(name, f"value:{entry['type']}")


@pytest.mark.parametrize("client", ["gdb", "lldb"])
def test_a_stop_reply_has_only_known_keys(client: str, tmp_path: Path) -> None:
    known = {entry["name"] for entry in read("stop")["key"] if entry["to"] in ("both", client)}
    world = World(client, tmp_path)
    (reply,) = world.ask("?")
    pairs = reply.decode()[3:].rstrip(";").split(";")
    names = {pair.partition(":")[0] for pair in pairs}
    assert {name for name in names if not re.fullmatch("[0-9a-f]+", name)} <= known
    world.close()


def test_placeholders_leave_other_braces_alone() -> None:
    values: dict[str, int | str] = {"pc": 0x401000, "file": "2f"}
    assert fill("{pc} {pc+10} {pc/dec} {pc/le} {file} [0-9]{16} {nothing} {}", values) == (
        "401000 401010 4198400 0010400000000000 2f [0-9]{16} {nothing} {}"
    )
