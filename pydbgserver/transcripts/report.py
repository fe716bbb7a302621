"""The result of a replay as a unified diff, both packets in words."""

from __future__ import annotations

from collections.abc import Iterator

from pydbgserver.transcripts.decode import raw, reply_in_words, request_in_words
from pydbgserver.transcripts.play_client import Difference, Result


def text(result: Result) -> str:
    """What there is to say about `result`."""
    return "\n".join(_lines(result))


def _lines(result: Result) -> Iterator[str]:
    differences = result.differences
    if differences:
        first = differences[0]
        yield f"first difference: {result.file}:{first.line}: {first.why}"
        yield f"--- {result.file} (recorded)"
        yield "+++ this server"
        for one in differences:
            yield from _hunk(one)
    if result.broken:
        yield result.broken
    count = len(differences)
    yield (
        f"{result.packets} packets sent, {result.compared} replies compared, "
        f"{count or 'no'} difference{'' if count == 1 else 's'}"
    )


def _hunk(one: Difference) -> Iterator[str]:
    yield f"@@ line {one.line}: {one.why} @@"
    if one.request is not None:
        yield f" <- {raw(one.request)}    ({request_in_words(one.request)})"
    for sign, body in (("-", one.recorded), ("+", one.actual)):
        if body is not None:
            yield f"{sign}-> {raw(body)}    ({reply_in_words(body, one.request)})".replace("    ()", "")
