"""Who of the two has gone."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import trio

from pydbgserver.server.listen import Link
from pydbgserver.transcripts.files import load
from pydbgserver.transcripts.proxy import Proxy
from pydbgserver.transcripts.recorder import Recorder

LONGEST_S = 20


@pytest.mark.parametrize(("taking_nothing", "gone"), [("server", ".>"), ("client", "<.")])
async def test_the_one_that_takes_nothing_more_has_gone(taking_nothing: str, gone: str, tmp_path: Path) -> None:
    """As after a reset that is first seen when something is sent: the other one's last bytes."""
    path = tmp_path / "session.rsp"
    client, proxy_to_client = socket.socketpair()
    server, proxy_to_server = socket.socketpair()
    dead, other = (server, client) if taking_nothing == "server" else (client, server)
    with client, server:
        dead.shutdown(socket.SHUT_RD)
        other.sendall(b"+")
        recorder = Recorder(str(path), {})
        links = [Link(one.fileno(), one.fileno(), "", owner=one) for one in (proxy_to_client, proxy_to_server)]
        with trio.fail_after(LONGEST_S):
            await Proxy(links[0], links[1], recorder).run()
        recorder.close()
        for link in links:
            link.close()
    assert [line.text for line in load(str(path)).lines] == [gone]
