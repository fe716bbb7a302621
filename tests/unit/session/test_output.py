"""When the client gets what debuggees print."""

from __future__ import annotations

from pydbgserver.target.events import ProcessExited, SignalStop
from pydbgserver.testing.sim import Stop
from tests.sim.conversation import PID, lldb


def test_output_reaches_a_client_that_waits_and_is_held_for_one_that_does_not() -> None:
    talk = lldb()
    session = talk.session
    assert session.output.printed(b"early") is None
    assert talk.raw("vCont;c") is None
    assert session.outbox == [b"O" + b"early".hex().encode()]
    assert session.output.printed(b"now") == b"O6e6f77"


def test_what_was_printed_before_a_stop_is_sent_before_it() -> None:
    talk = lldb(script=[Stop(SignalStop(PID, PID, 11)), Stop(ProcessExited(PID, exit_code=0), slow=True)])
    session = talk.session
    session.output.collect = lambda: [session.output.printed(b"x")].clear()
    assert talk.ask("vCont;c").startswith("T0b")
    assert session.outbox == [b"O78"]
    assert talk.raw("vCont;c") is None
    assert talk.poll() == "W00;process:64"
    assert session.outbox == [b"O78", b"O78"]
