"""QThreadOptions, whatever is chosen: the last choice that matches a thread is what it has."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pydbgserver.testing.sim import SimProcess
from tests.sim.conversation import GDB18, gdb

PROCESSES = {100: range(100, 103), 200: range(200, 202)}
Choice = tuple[int, int | None, int | None]
"""Options, process (None: every one) and thread (None: every one of the process)."""


@st.composite
def choices(draw: st.DrawFn) -> Choice:
    pid = draw(st.sampled_from([None, 100, 200, 300]))
    tids = [None, *PROCESSES.get(pid or 0, ()), 999]
    return draw(st.integers(0, 3)), pid, draw(st.sampled_from(tids)) if pid is not None else None


def wire(choice: Choice) -> str:
    bits, pid, tid = choice
    if pid is None:
        return f";{bits:x}"
    return f";{bits:x}:p{pid:x}.{'-1' if tid is None else f'{tid:x}'}"


@settings(max_examples=200, deadline=None)
@given(packets=st.lists(st.lists(choices(), min_size=1, max_size=5), min_size=1, max_size=4))
def test_the_last_that_matches_counts(packets: list[list[Choice]]) -> None:
    talk = gdb(*(SimProcess(pid, threads=len(tids)) for pid, tids in PROCESSES.items()), hello=GDB18)
    expected: dict[int, tuple[bool, bool]] = {}
    for packet in packets:
        assert talk.ask("QThreadOptions" + "".join(map(wire, packet))) == "OK"
        for bits, pid, tid in packet:
            for process, tids in PROCESSES.items():
                for one in tids if pid in (None, process) else ():
                    if tid in (None, one):
                        expected[one] = (bool(bits & 1), bool(bits & 2))
    assert {tid: one for process in talk.backend.live.values() for tid, one in process.reports.items()} == expected
