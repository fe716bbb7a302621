"""Malformed and mutated requests, and requests at the wrong time: one reply each, and the session lives on."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pydbgserver import logs
from pydbgserver.rsp.registry import REGISTRY
from tests.specs.specs import COMMON_FORMS, STATES, Example, Packet, accepts, packets
from tests.specs.world import World, escape, frame

NAMES = [packet.name for packet in packets()]
OFTEN_SILENT = frozenset(packet.name for packet in packets() if any(form.name == "none" for form in packet.replies))
"""A resume or a wait, whose reply is the stop that follows, and what gdb reads no reply to."""

ACT_ON_THIS_MACHINE = ("vFile:open", "vFile:unlink", "vFile:symlink", "vFile:pwrite", "qPlatform_")
"""Nothing that a mutation could turn into a change of this machine."""

EXAMPLES = [
    example for packet in packets() for example in packet.examples if not packet.name.startswith(ACT_ON_THIS_MACHINE)
]
PIECES = st.sampled_from([b"", b",", b";", b":", b"-1", b"p", b"0", b"}", b"ffffffffffffffff", b"\xff", b"1" * 40])


@pytest.fixture
def problems(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What handlers failed with that was no `DebugError`."""
    found: list[str] = []
    monkeypatch.setattr(logs, "problem", found.append)
    return found


def is_refusal(body: bytes) -> bool:
    return any(COMMON_FORMS[name].fullmatch(escape(body)) for name in ("error", "file-error", "empty"))


@pytest.mark.parametrize("client", ["gdb", "lldb", "unknown"])
@pytest.mark.parametrize("packet", packets(), ids=NAMES)
def test_malformed_requests_are_refused(packet: Packet, client: str, tmp_path: Path, problems: list[str]) -> None:
    world = World(client, tmp_path)
    for body in packet.malformed:
        replies = world.ask(body)
        assert len(replies) == 1, body
        assert is_refusal(replies[0]), (body, replies)
        assert problems == [], body
        assert world.usable, body
    world.close()


@pytest.mark.parametrize("packet", packets(), ids=NAMES)
@pytest.mark.parametrize("state", STATES)
def test_a_request_in_every_run_state(packet: Packet, state: str, tmp_path: Path, problems: list[str]) -> None:
    example = next((one for one in packet.examples if not one.given and one.state == "stopped"), packet.examples[0])
    world = World(example.client, tmp_path, state=state)
    world.prepare(example)
    replies = world.ask(example.send)
    assert problems == []
    assert len(replies) == 1 or (replies == [] and "none" in [form.name for form in packet.replies])
    for reply in replies:
        if state in packet.states:
            assert packet.form_of(escape(reply)) is not None, reply
        else:
            assert is_refusal(reply), reply
    world.talk.session.connection_lost()


@st.composite
def mutations(draw: st.DrawFn) -> tuple[Example, bytes]:
    """An example, and what has been overwritten in its request, cut out of it or put into it."""
    example = draw(st.sampled_from(EXAMPLES))
    with tempfile.TemporaryDirectory() as folder:
        world = World(example.client, Path(folder))
        wire = world.wire(example.send)
        world.close()
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(wire)))
        end = draw(st.integers(start, min(len(wire), start + 4)))
        wire = wire[:start] + draw(PIECES | st.binary(max_size=3)) + wire[end:]
    wire = wire.translate(None, b"#$*")
    return example, b"" if wire.startswith(tuple(name.encode() for name in ACT_ON_THIS_MACHINE)) else wire


@settings(max_examples=250, deadline=None)
@given(mutation=mutations())
def test_a_mutated_request_gets_one_reply(mutation: tuple[Example, bytes]) -> None:
    example, wire = mutation
    problems: list[str] = []
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(logs, "problem", problems.append)
        world = World(example.client, Path(folder), state=example.state)
        world.prepare(example)
        replies = world.feed(frame(wire))
        found = REGISTRY.find(wire)
        silent = found is not None and found[0].name in OFTEN_SILENT
        assert len(replies) == 1 or (silent and not replies), replies
        assert problems == []
        assert world.feed(frame(b"qFnord")) == [b""]
        assert not world.talk.session.ended or silent or b"qRcmd" in wire
        world.close()


@pytest.mark.parametrize("packet", packets(), ids=NAMES)
def test_malformed_requests_do_not_fit_or_mean_nothing(packet: Packet, tmp_path: Path) -> None:
    """What the grammar lets through is refused for its values, and then it must be found by this packet's name."""
    world = World("unknown", tmp_path)
    for body in packet.malformed:
        wire = world.wire(body)
        assert wire.startswith(packet.name.encode())
        if accepts(packet.grammar, wire[len(packet.name) :]):
            found = REGISTRY.find(wire)
            assert found is not None and found[0].name == packet.name, body
    world.close()


def test_every_packet_that_takes_something_has_malformed_requests() -> None:
    assert [packet.name for packet in packets() if not packet.malformed] == ["k"]
