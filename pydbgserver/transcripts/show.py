"""A session in words on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pydbgserver.rsp.transcript import Line, Mark, Transcript
from pydbgserver.transcripts.decode import line_in_words, raw, reply_in_words, stop_fields
from pydbgserver.transcripts.specs import packet_name
from pydbgserver.transcripts.state import exchanges
from pydbgserver.transcripts.statistics import Statistics, gather, latency

COLORS = {
    Mark.TO_SERVER: "\x1b[36m",
    Mark.TO_CLIENT: "\x1b[32m",
    Mark.NOTIFICATION: "\x1b[35m",
    Mark.INTERRUPT: "\x1b[31m",
    Mark.OUTPUT: "\x1b[33m",
    Mark.INPUT: "\x1b[33m",
}
STYLES = {
    mark: {36: "cyan", 32: "green", 35: "magenta", 31: "red", 33: "yellow"}[int(code[2:4])]
    for mark, code in COLORS.items()
}
WIDTH = 160


@dataclass(frozen=True, slots=True)
class Choice:
    """Which lines: of these `packets`, that name this `thread`, between these seconds, whose reply took more
    milliseconds than `slower`, whose words or body contain `grep`. `raw`: the bodies instead of words."""

    packets: list[str] = field(default_factory=list)
    thread: str = ""
    after: float = 0.0
    before: float = float("inf")
    slower: float = 0.0
    grep: str = ""
    raw: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """One line: its request (itself, if it is one), its words, and what its reply took in microseconds."""

    line: Line
    request: bytes | None
    words: str
    waited_us: int | None


def shown_lines(transcript: Transcript) -> Iterator[Shown]:
    """Every line in words."""
    waits = {one.request.number: latency(one) for one in exchanges(transcript)}
    request: Line | None = None
    for line in transcript.lines:
        if line.mark is Mark.TO_SERVER:
            request = line
        body = request.body if request is not None else None
        waited = waits.get(request.number) if request is not None else None
        yield Shown(line, body, line_in_words(line.mark, line.body, body), waited)


def choose(transcript: Transcript, choice: Choice) -> Iterator[Shown]:
    """The lines that `choice` lets through."""
    for one in shown_lines(transcript):
        seconds = one.line.time_us / 1e6
        name = packet_name(one.request) if one.request is not None else ""
        if (
            (not choice.packets or any(name == wanted or name.startswith(f"{wanted}:") for wanted in choice.packets))
            and choice.after <= seconds <= choice.before
            and (not choice.slower or (one.waited_us or 0) > choice.slower * 1000)
            and (not choice.grep or choice.grep in one.words or choice.grep.encode() in one.line.body)
            and (not choice.thread or _names_thread(one, choice.thread))
        ):
            yield one


def _names_thread(one: Shown, thread: str) -> bool:
    """Whether a thread id (as in the packets, or in decimal) stands in the packet or its words."""
    if one.line.mark is Mark.TO_CLIENT and one.line.body[:1] == b"T":
        return dict(stop_fields(one.line.body)).get("thread", "").rpartition(".")[2] == thread
    text = one.line.body.decode("latin-1")
    return (
        any(f"{before}{thread}" in text for before in ("thread:", ".", "Hg", "Hc", ","))
        or f"thread {thread}" in one.words
    )


def format_shown(one: Shown, *, bodies: bool) -> str:
    """One line of output without colour."""
    words = raw(one.line.body) if bodies else one.words
    if len(words) > WIDTH:
        words = f"{words[:WIDTH]}..."
    words = words.replace("\n", "\\n")
    took = ""
    if one.line.mark is Mark.TO_CLIENT and one.waited_us is not None and one.waited_us >= 1000:
        took = f"  [{one.waited_us / 1000:.1f} ms]"
    return f"{one.line.time_us / 1e6:11.6f} {one.line.mark.value} {words}{took}"


def print_lines(transcript: Transcript, choice: Choice, color: str) -> None:
    """Print what `choice` lets through, by rich where it is installed."""
    colored = color == "always" or (color == "auto" and sys.stdout.isatty())
    console = _console(color) if colored else None
    for one in choose(transcript, choice):
        text = format_shown(one, bodies=choice.raw)
        if console is not None:
            console.print(text, style=STYLES.get(one.line.mark), markup=False, highlight=False, soft_wrap=True)
        elif colored:
            print(f"{COLORS.get(one.line.mark, '')}{text}\x1b[0m")
        else:
            print(text)


def _console(color: str) -> Any:
    """rich's console, None where it is not installed."""
    try:
        from rich.console import Console
    except ImportError:
        return None
    return Console(force_terminal=color == "always")


def print_statistics(transcript: Transcript, color: str) -> None:
    """Print packets and milliseconds by packet and by stop, the slowest packets and repeated reads."""
    print("\n".join(statistics_lines(transcript, gather(transcript))))


def statistics_lines(transcript: Transcript, found: Statistics) -> Iterator[str]:
    """The statistics as text."""
    total = sum(found.packets.values())
    yield (
        f"{total} packets in {transcript.duration_us / 1e6:.3f} s, "
        f"{found.bytes_to_server} bytes to the server, {found.bytes_to_client} to the client"
    )
    yield "\npackets        ms  packet"
    for name, count in found.packets.most_common():
        yield f"{count:7} {found.waited_us[name] / 1000:9.2f}  {name}"
    yield "\nstops: packets and ms until the next resume"
    for stop in found.stops:
        words = reply_in_words(stop.reply, None)
        yield f"  line {stop.line}: {stop.packets} packets, {stop.duration_us / 1000:.1f} ms  {words}"
    yield "\nslowest packets"
    for exchange, waited in found.slowest:
        yield f"  line {exchange.request.number}: {waited / 1000:.2f} ms  {raw(exchange.request.body)}"
    if found.repeated:
        yield "\nread more than once at one stop"
        for body, count in found.repeated:
            yield f"  {count} times  {raw(body)}"
