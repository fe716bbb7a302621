"""A session as one self-contained page: timeline, packets, statistics. The page itself is page.html beside this."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydbgserver.rsp.transcript import Mark, Transcript
from pydbgserver.transcripts.decode import raw, reply_in_words, stop_fields
from pydbgserver.transcripts.show import shown_lines
from pydbgserver.transcripts.specs import packet_name
from pydbgserver.transcripts.state import RESUMES, exchanges
from pydbgserver.transcripts.statistics import RUNS, gather

TEMPLATE = Path(__file__).with_name("page.html")
PLACE = "/*DATA*/null"
LONGEST_BODY = 4000


def write(transcript: Transcript, path: str) -> None:
    """Write the page about `transcript`. Raises `OSError`."""
    Path(path).write_text(page(transcript), encoding="utf-8")


def page(transcript: Transcript) -> str:
    """The page."""
    data = json.dumps(content(transcript), separators=(",", ":"))
    # "</script>" and "<!--" in a string would end the script for the parser of the page.
    return TEMPLATE.read_text(encoding="utf-8").replace(PLACE, data.replace("<", "\\u003c"))


def content(transcript: Transcript) -> dict[str, Any]:
    """What the page shows."""
    found = gather(transcript)
    return {
        "file": Path(transcript.file).name,
        "header": transcript.header,
        "duration": transcript.duration_us,
        "lines": [_line(one) for one in shown_lines(transcript)],
        "spans": spans(transcript),
        "packets": [[name, count, found.waited_us[name]] for name, count in found.packets.most_common()],
        "stops": [[one.line, reply_in_words(one.reply, None), one.packets, one.duration_us] for one in found.stops],
        "slowest": [[one.request.number, raw(one.request.body), waited] for one, waited in found.slowest],
        "repeated": [[raw(body), count] for body, count in found.repeated],
    }


def _line(one: Any) -> list[Any]:
    body = raw(one.line.body) if len(one.line.body) > LONGEST_BODY else one.line.text[3:]
    name = packet_name(one.request) if one.request is not None else ""
    waited = one.waited_us if one.line.mark is Mark.TO_CLIENT else None
    return [one.line.number, one.line.time_us, one.line.mark.value, name, one.words, body, waited]


def spans(transcript: Transcript) -> list[list[Any]]:
    """By thread: [thread, start, end, how it stopped] of each time it ran, in microseconds. A resume of which only the
    stopped thread is known counts for that thread and for all the others that have been seen."""
    found: list[list[Any]] = []
    threads: dict[str, None] = {}
    for exchange in exchanges(transcript):
        if packet_name(exchange.request.body) not in RUNS & RESUMES:
            continue
        start = exchange.request.time_us
        reply = next((line for line in exchange.answers if line.mark is Mark.TO_CLIENT), None)
        end = reply.time_us if reply is not None else transcript.duration_us
        fields = dict(stop_fields(reply.body)) if reply is not None and reply.body[:1] == b"T" else {}
        stopped = fields.get("thread", "")
        for thread in (stopped, *filter(None, fields.get("threads", "").split(","))):
            if thread:
                threads.setdefault(thread.rpartition(".")[2])
        words = reply_in_words(reply.body, None) if reply is not None else "did not stop"
        found += [[thread, start, end, words] for thread in threads or {"program": None}]
    return found
