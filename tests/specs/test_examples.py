"""Every example of protocol-specs/ through a whole session: fed at once, byte by byte, and glued to the next packet."""

from __future__ import annotations

from pathlib import Path

import pytest

from pydbgserver import logs
from tests.specs.specs import Example, Packet, packets
from tests.specs.world import World, escape, frame

EXAMPLES = [(packet, example) for packet in packets() for example in packet.examples]
NAMES = [f"{packet.name} {example.client} {example.send[:40]}".replace("\0", "?") for packet, example in EXAMPLES]
NEXT = b"qFnord"
"""A packet that no server knows: its reply is empty at any time."""


@pytest.fixture(autouse=True)
def no_problems(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler that fails by anything but a `DebugError` writes of a problem, which fails the test."""

    def fail(text: str) -> None:
        raise AssertionError(text)

    monkeypatch.setattr(logs, "problem", fail)


def check(packet: Packet, example: Example, world: World, replies: list[bytes]) -> None:
    if example.silent:
        assert replies == []
        return
    assert len(replies) == 1, replies
    assert world.expected(example).fullmatch(replies[0].decode("latin-1")), replies[0]
    assert packet.form_of(escape(replies[0])) is not None, (replies[0], packet.replies)


def at_once(world: World, wire: bytes) -> list[bytes]:
    return world.feed(frame(wire))


def byte_by_byte(world: World, wire: bytes) -> list[bytes]:
    return [reply for byte in frame(wire) for reply in world.feed(bytes((byte,)))]


def glued_to_the_next(world: World, wire: bytes) -> list[bytes]:
    replies = world.feed(frame(wire) + frame(NEXT))
    assert replies.pop() == b""
    return replies


@pytest.mark.parametrize(("packet", "example"), EXAMPLES, ids=NAMES)
def test_an_example_however_it_comes(packet: Packet, example: Example, tmp_path: Path) -> None:
    for feed in (at_once, byte_by_byte, glued_to_the_next):
        folder = tmp_path / feed.__name__
        folder.mkdir()
        world = World(example.client, folder, state=example.state)
        world.prepare(example)
        check(packet, example, world, feed(world, world.wire(example.send)))
        assert world.talk.session.ended or world.usable
        world.close()
