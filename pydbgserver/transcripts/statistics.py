"""Numbers about a session."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from pydbgserver.rsp.transcript import Mark, Transcript
from pydbgserver.transcripts.specs import packet_name
from pydbgserver.transcripts.state import RESUMES, Exchange, exchanges

READS = frozenset({"m", "x", "g", "p", "qXfer:threads:read", "jThreadsInfo", "qMemoryRegionInfo"})
RUNS = RESUMES - {"k", "D", "vKill"}


@dataclass(slots=True)
class StopCost:
    """One stop: the line of its reply, and the packets and microseconds until the next resume."""

    line: int
    reply: bytes
    packets: int = 0
    duration_us: int = 0


@dataclass(slots=True)
class Statistics:
    """`slowest`: exchanges and microseconds until their reply, without resumes. `repeated`: reads of the same thing at
    one stop, and how often, if more than once."""

    packets: Counter[str] = field(default_factory=Counter)
    waited_us: Counter[str] = field(default_factory=Counter)
    stops: list[StopCost] = field(default_factory=list)
    slowest: list[tuple[Exchange, int]] = field(default_factory=list)
    repeated: list[tuple[bytes, int]] = field(default_factory=list)
    bytes_to_server: int = 0
    bytes_to_client: int = 0


def latency(exchange: Exchange) -> int | None:
    """Microseconds from the request to its reply, None if it has none."""
    answered = next((line.time_us for line in exchange.answers if line.mark is Mark.TO_CLIENT), None)
    return None if answered is None else answered - exchange.request.time_us


def gather(transcript: Transcript, *, slowest: int = 10) -> Statistics:
    """The numbers of `transcript`."""
    found = Statistics()
    reads: Counter[tuple[int, bytes]] = Counter()
    stop: StopCost | None = None
    timed: list[tuple[Exchange, int]] = []
    for exchange in exchanges(transcript):
        name, waited, request = packet_name(exchange.request.body), latency(exchange), exchange.request
        found.packets[name] += 1
        found.waited_us[name] += waited or 0
        found.bytes_to_server += len(request.body)
        found.bytes_to_client += sum(len(line.body) for line in exchange.answers)
        if name in RUNS:
            if stop is not None:
                stop.duration_us = request.time_us - stop.duration_us
            stop = _stop_of(exchange)
            if stop is not None:
                found.stops.append(stop)
            continue
        if stop is not None:
            stop.packets += 1
        if name in READS:
            reads[len(found.stops), request.body] += 1
        if waited is not None:
            timed.append((exchange, waited))
    if stop is not None:
        stop.duration_us = transcript.duration_us - stop.duration_us
    found.slowest = sorted(timed, key=lambda one: -one[1])[:slowest]
    found.repeated = [(body, count) for (_, body), count in reads.most_common(slowest) if count > 1]
    return found


def _stop_of(exchange: Exchange) -> StopCost | None:
    """The stop that a resume led to; its duration is the time of the stop until it is known."""
    for line in exchange.answers:
        if line.mark is Mark.TO_CLIENT:
            return StopCost(line.number, line.body, duration_us=line.time_us)
    return None
