"""Rows about what a server does many times for one packet: false conditions of a breakpoint, and range steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from bench_link import Refused
from bench_rows import GROUPS, Samples, in_turns
from bench_servers import Contender, Session, attached

HITS = 2048
THREADS = 8
COUNT = 1000
RDI = 5
"""The first argument, as the target description numbers it."""

# (rdi & (HITS - 1)) == 0, in agent bytecode.
EVERY_SO_OFTEN = bytes([0x26, 0, RDI, 0x23]) + (HITS - 1).to_bytes(2, "big") + b"\x0f\x0e\x27"


def at_hit(session: Session, place: bytes) -> Callable[[], float]:
    """Continues to the next true condition, stepping off the last one as clients do; seconds of the former alone."""
    link = session.link

    def go() -> float:
        start = time.perf_counter()
        stop = link.ask(b"vCont;c")
        elapsed = time.perf_counter() - start
        if not stop.startswith(b"T05"):
            raise AssertionError(f"{session.contender.name}: {stop!r} instead of a breakpoint")
        tid = stop.partition(b"thread:")[2].partition(b";")[0]
        link.ask(b"z" + place)
        link.ask(b"vCont;s:" + tid)
        link.ask(b"Z" + place + b";X%x,%s" % (len(EVERY_SO_OFTEN), EVERY_SO_OFTEN.hex().encode()))
        return elapsed

    return go


def prepare(session: Session, symbol: str) -> bytes:
    if session.contender.style != "gdb":
        raise Refused("conditions")
    place = b"0,%x,1" % session.target.address_of(symbol)
    session.link.ask(b"Z" + place + b";X%x,%s" % (len(EVERY_SO_OFTEN), EVERY_SO_OFTEN.hex().encode()))
    return place


def one_thread(session: Session) -> Callable[[], float]:
    go = at_hit(session, prepare(session, "tick"))
    return lambda: go() / (HITS - 1) * 1e6


def many_threads(session: Session) -> Callable[[], float]:
    """Each thread has a condition that is true every `HITS` times; how many hits there were says their counter."""
    place = prepare(session, "hit")
    go, counter = at_hit(session, place), b"m%x,8" % session.target.address_of("total")

    def total() -> int:
        return int.from_bytes(bytes.fromhex(session.link.ask(counter).decode()), "little")

    def batch() -> float:
        before = total()
        elapsed = 0.0
        while total() - before < HITS:
            elapsed += go()
        return elapsed / (total() - before) * 1e6

    return batch


def condition_rows(samples: Samples, servers: Sequence[Contender]) -> None:
    with ExitStack() as stack:
        sessions = [stack.enter_context(attached(server, samples.programs, "loop", str(1 << 60))) for server in servers]
        in_turns(samples, "false condition", sessions, 8, one_thread)
    with ExitStack() as stack:
        arguments = ("threads_many", str(THREADS), str(1 << 60), "now")
        sessions = [stack.enter_context(attached(server, samples.programs, *arguments)) for server in servers]
        in_turns(samples, f"false condition, {THREADS} threads", sessions, 8, many_threads)


def range_rows(samples: Samples, servers: Sequence[Contender]) -> None:
    def measure(session: Session) -> Callable[[], float]:
        link, target = session.link, session.target
        place = b"0,%x,1" % target.address_of("countdown_start")
        step = b"vCont;r%x,%x:%s" % (*map(target.address_of, ("countdown_start", "countdown_end")), session.tid)

        def batch() -> float:
            link.ask(b"Z" + place)
            link.ask(b"vCont;c")
            link.ask(b"z" + place)
            start = time.perf_counter()
            stop = link.ask(step)
            elapsed = time.perf_counter() - start
            if not stop.startswith(b"T05"):
                raise AssertionError(f"{session.contender.name}: {stop!r} after a range step")
            return elapsed / (1 + 2 * COUNT) * 1e6

        return batch

    with ExitStack() as stack:
        sessions = [
            stack.enter_context(attached(server, samples.programs, "countdown", str(COUNT))) for server in servers
        ]
        in_turns(samples, "range step, each instruction", sessions, 10, measure)


GROUPS[condition_rows] = ("false condition",)
GROUPS[range_rows] = ("range step",)
