"""What becomes of the target when its client is gone.

A client that vanishes must not freeze or poison what it debugged. So every trap and debug register is taken out,
and then:

- lldb style and --once: the server lets everything go and ends. After QSetDetachOnError:0 it kills everything.
- What ran at the loss runs on, still held, and stops when the next client comes.
- What stood still stays so if the server launched it, and runs on if it was attached to.

--on-disconnect overrides: "detach" as the first line, "kill" kills everything, "stop" stops what runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from pydbgserver import logs
from pydbgserver.errors import DebugError
from pydbgserver.options import Options
from pydbgserver.session.session import Session
from pydbgserver.target.api import Process
from pydbgserver.target.events import SignalStop, StopEvent


class Farewell(Enum):
    """The four things that can be done."""

    DETACH = "detach"
    KILL = "kill"
    STOP = "stop"
    RUN_ON = "run on"


def decide(options: Options, session: Session) -> Farewell:
    """By the command line, by what the client has asked for, and by whether the target ran."""
    if options.on_disconnect:
        return Farewell(options.on_disconnect)
    if options.once:
        return Farewell.DETACH if session.detach_on_error else Farewell.KILL
    launched = any(not process.attached for process in session.backend.processes.values())
    return Farewell.RUN_ON if session.running or session.left_running or not launched else Farewell.STOP


def kill_all(processes: Sequence[Process]) -> None:
    """Kill them; what cannot be killed is said and left."""
    for process in processes:
        try:
            process.kill()
        except DebugError as error:
            logs.problem(f"process {process.pid}: {error}")


def signals_at_stop(session: Session) -> list[StopEvent]:
    """The signals that threads have stopped for and have not been given, whether or not the client has heard of
    them. They belong to the program: it gets them when it runs on, or the next client is told."""
    stops = session.stops
    return [stop for stop in (*stops.reasons.values(), *stops.waiting) if isinstance(stop, SignalStop)]
