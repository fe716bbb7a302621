"""Signals that end the server, whenever they come."""

from __future__ import annotations

import os
import signal

import pytest
import trio

from pydbgserver.server.ending import ENDING_SIGNALS, Ending, end_by_signal


@pytest.mark.parametrize("number", ENDING_SIGNALS)
def test_one_that_comes_when_all_is_over_does_not_break_into_the_event_loop(number: signal.Signals) -> None:
    """lldb sends SIGINT to its server as soon as that has told of the end of the program."""

    async def serve(ending: Ending) -> str:
        async with trio.open_nursery() as nursery:
            await nursery.start(end_by_signal, nursery.cancel_scope, ending)
            nursery.cancel_scope.cancel()
        os.kill(os.getpid(), number)
        await trio.lowlevel.checkpoint()
        return "ended by itself"

    before = signal.getsignal(number)
    with Ending() as ending:
        assert trio.run(serve, ending) == "ended by itself"
    assert ending.came and signal.getsignal(number) == before
