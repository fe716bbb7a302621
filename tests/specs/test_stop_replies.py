"""Every stop reply is made of the forms and keys that stop.toml knows, for the client that gets it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pydbgserver.errors import MalformedPacket
from pydbgserver.rsp.grammar import Grammar
from pydbgserver.target.events import (
    BreakpointHit,
    Execed,
    Forked,
    Interrupted,
    NoneResumed,
    ProcessExited,
    SignalStop,
    StepDone,
    StopEvent,
    SyscallStop,
    ThreadExited,
    ThreadStarted,
    VforkDone,
    WatchKind,
    WatchpointHit,
)
from pydbgserver.testing.sim import Stop
from tests.sim.conversation import PID
from tests.specs.specs import read, stop_forms
from tests.specs.world import World, escape

EVENTS: dict[str, StopEvent] = {
    "breakpoint": BreakpointHit(PID, PID, 0x401010),
    "hardware breakpoint": BreakpointHit(PID, PID, 0x401010, hardware=True),
    "write": WatchpointHit(PID, PID, 0x404008, WatchKind.WRITE, 0),
    "access": WatchpointHit(PID, PID, 0x404008, WatchKind.ACCESS, 1),
    "read": WatchpointHit(PID, PID, 0x404008, WatchKind.READ, 1),
    "step": StepDone(PID, PID),
    "signal": SignalStop(PID, PID, 11),
    "interrupt": Interrupted(PID, PID),
    "system call": SyscallStop(PID, PID, 1, True),
    "system call's return": SyscallStop(PID, PID, 1, False),
    "fork": Forked(PID, PID, 200),
    "vfork": Forked(PID, PID, 200, vfork=True),
    "vfork done": VforkDone(PID, PID),
    "exec": Execed(PID, PID, "/usr/bin/other"),
    "thread": ThreadStarted(PID, PID + 1),
    "thread's end": ThreadExited(PID, PID + 1, 3),
    "none resumed": NoneResumed(PID, PID),
    "exit": ProcessExited(PID, exit_code=42),
    "death": ProcessExited(PID, signal=11),
}


@pytest.mark.parametrize("client", ["gdb", "gdb18", "lldb", "unknown"])
@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_a_stop_reply_is_specified(event: StopEvent, client: str, tmp_path: Path) -> None:
    dialect = "lldb" if client == "lldb" else "gdb"
    keys = {entry["name"]: entry for entry in read("stop")["key"] if entry["to"] in ("both", dialect)}
    world = World(client, tmp_path)
    world.talk.backend.script.append(Stop(event))
    (reply,) = world.ask("vCont;c")
    assert [form.source for form in stop_forms() if form.matches(escape(reply))], reply
    if reply[:1] == b"T":
        check_keys(reply[3:], keys)
    world.close()


def check_keys(pairs: bytes, keys: dict[str, dict[str, str]]) -> None:
    """All pairs end with a semicolon, which gdb insists on, and their values have the types of their keys."""
    assert pairs.endswith(b";")
    for pair in pairs[:-1].split(b";"):
        key, colon, value = pair.partition(b":")
        name = "register" if re.fullmatch(rb"[0-9a-f]+", key) else key.decode()
        assert colon and name in keys, pair
        if value or keys[name]["type"] == "hex":
            parse(name, keys[name]["type"], value)


def parse(name: str, kind: str, value: bytes) -> None:
    try:
        Grammar(name, f"value:{kind}").parser()(value)
    except MalformedPacket as error:
        raise AssertionError(f"{name}:{value!r} is not of type {kind}") from error
