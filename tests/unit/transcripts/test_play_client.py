"""What the player of a client waits for."""

from __future__ import annotations

import select
import socket

from pydbgserver.rsp.transcript import parse
from pydbgserver.testing.client import frame
from pydbgserver.transcripts.play_client import LONGEST_PAUSE, Settings, play_connection

LONGEST_S = 20.0
INTERRUPTED = b"""pydbgserver transcript 1

0.000000 <- vCont;c
0.000100 o> ready\\n
0.000200 <!
0.000300 -> T02thread:1;
"""


def test_an_interrupt_is_not_sent_before_the_program_has_printed_what_it_had() -> None:
    too_soon: list[bytes] = []

    def serve(client: socket.socket) -> None:
        client.settimeout(LONGEST_S)
        resume = frame(b"vCont;c")
        assert client.recv(len(resume), socket.MSG_WAITALL) == resume
        client.sendall(b"+")
        if select.select([client], [], [], 2 * LONGEST_PAUSE)[0]:
            too_soon.append(client.recv(1))
        client.sendall(frame(b"O" + b"ready\n".hex().encode()))
        while client.recv(1) != b"\x03":
            pass
        client.sendall(frame(b"T02thread:1;"))
        while client.recv(1):
            pass

    result = play_connection(parse(INTERRUPTED, "f"), serve, Settings(timeout=LONGEST_S))
    assert not too_soon
    assert (result.differences, result.broken, result.compared) == ([], "", 1)
