"""The examples sent to this server on a real process: each gets a reply of a form that its entry knows."""

from __future__ import annotations

import pytest

from tests.programs import Programs
from tests.specs.real import PROGRAM, our_server, style_of, talking
from tests.specs.specs import Example, Packet, packets
from tests.specs.world import escape

Cases = list[tuple[Packet, Example]]


def by_family_and_client() -> dict[tuple[str, str], Cases]:
    cases: dict[tuple[str, str], Cases] = {}
    for packet in packets():
        for example in packet.examples:
            if example.peers and example.state == "stopped":
                cases.setdefault((packet.family, example.client), []).append((packet, example))
    return cases


@pytest.mark.parametrize("cases", by_family_and_client().values(), ids=map(" ".join, by_family_and_client()))
def test_replies_on_a_real_process_have_the_forms_of_their_entries(cases: Cases, program: Programs) -> None:
    """One server for the examples of a family: what one has changed, the next finds."""
    client = cases[0][1].client
    with talking(our_server(style_of(client)), client, program(PROGRAM)) as talk:
        for packet, example in cases:
            result = talk.run(example)
            assert not result.trouble, example
            assert packet.form_of(escape(result.reply)) is not None, (example, result.reply)
