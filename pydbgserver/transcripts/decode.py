"""Packets in words, by their specifications."""

from __future__ import annotations

from pydbgserver.rsp.grammar import parse_thread
from pydbgserver.rsp.transcript import Mark, escape
from pydbgserver.transcripts.specs import COMMON, fill, in_words, packet_name, packets, stop_keys, thread_in_words

SIGNAL_WORDS = {5: "trap", 2: "interrupt", 11: "segmentation fault", 6: "abort", 0: "no signal"}
WATCH_KEYS = ("watch", "rwatch", "awatch")
LONGEST = 200


def request_in_words(body: bytes) -> str:
    """What the client asks for."""
    spec = packets().get(packet_name(body))
    if spec is None:
        return raw(body)
    if body.startswith(b"vCont;"):
        return _resume_in_words(body)
    values = spec.request.read(body)
    return f"{spec.meaning}: {raw(body)}" if values is None else fill(spec.request.say, values)


ACTIONS = {
    "c": "continue",
    "s": "step",
    "C": "continue with signal",
    "S": "step with signal",
    "t": "stop",
    "r": "step in",
}


def _resume_in_words(body: bytes) -> str:
    words = []
    for action in body[len("vCont;") :].decode("latin-1").split(";"):
        what, _, thread = action.partition(":")
        how = f"{ACTIONS.get(what[:1], what[:1])} {what[1:].replace(',', ' to ')}".rstrip()
        try:
            who = thread_in_words(parse_thread(thread.encode("latin-1"))) if thread else "all others"
        except ValueError:
            return raw(body)
        words.append(f"{how}: {who}")
    return "; ".join(words)


def reply_in_words(body: bytes, request: bytes | None) -> str:
    """What the server says to `request`, None for what it says by itself."""
    spec = packets().get(packet_name(request)) if request is not None else None
    for form in spec.replies if spec is not None else (COMMON["OK"], COMMON["empty"], COMMON["error"], COMMON["stop"]):
        values = form.read(body)
        if values is None:
            continue
        if form.name == "stop":
            return stop_in_words(body)
        return fill(form.say, values) or raw(body)
    return stop_in_words(body) if body[:1] in b"TWX" and body else raw(body)


def stop_fields(body: bytes) -> list[tuple[str, str]]:
    """The ``key:value`` pairs of a T reply."""
    pairs = (one.partition(":") for one in body[3:].decode("latin-1").split(";") if one)
    return [(key, value) for key, _, value in pairs]


def stop_in_words(body: bytes) -> str:
    """A stop reply: who, why, and where."""
    kind, text = body[:1], body.decode("latin-1")
    if COMMON["stop"].read(body) is None:
        return raw(body)
    if kind == b"W":
        return f"exited with status {int(text[1:].partition(';')[0] or '0', 16)}"
    if kind == b"X":
        return f"killed by signal {int(text[1:].partition(';')[0] or '0', 16)}"
    if kind not in (b"T", b"S"):
        return raw(body)
    fields = dict(stop_fields(body))
    number = int(text[1:3], 16)
    who = f"thread {fields['thread']}" if "thread" in fields else "the program"
    return f"stopped: {who} {_why(fields, number)}"


def _why(fields: dict[str, str], number: int) -> str:
    for key in WATCH_KEYS:
        if key in fields:
            return f"hit a watchpoint at 0x{fields[key]}"
    if "swbreak" in fields or "hwbreak" in fields or fields.get("reason") == "breakpoint":
        return "hit a breakpoint"
    for key in ("fork", "vfork", "exec", "syscall_entry", "syscall_return", "library", "create"):
        if key in fields:
            return f"{stop_keys().get(key, {}).get('meaning', key.replace('_', ' '))} {fields[key]}".rstrip()
    if fields.get("description"):
        return bytes.fromhex(fields["description"]).decode(errors="replace")
    reason = fields.get("reason", "")
    return f"got signal {number}{f' ({SIGNAL_WORDS[number]})' if number in SIGNAL_WORDS else ''} {reason}".rstrip()


def raw(body: bytes) -> str:
    """The body itself, shortened."""
    text = escape(body).decode("ascii")
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(body)} bytes)"


def line_in_words(mark: Mark, body: bytes, request: bytes | None) -> str:
    """One line of a transcript; `request`: the packet that a reply belongs to."""
    if mark is Mark.TO_SERVER:
        return request_in_words(body)
    if mark is Mark.TO_CLIENT:
        return reply_in_words(body, request)
    if mark is Mark.NOTIFICATION:
        name, _, rest = body.partition(b":")
        return f"notification {name.decode('latin-1')}: {reply_in_words(rest, None)}"
    return {
        Mark.INTERRUPT: "interrupt",
        Mark.INPUT: f"types {in_words(raw(body))}",
        Mark.OUTPUT: f"prints {in_words(raw(body))}",
        Mark.CLIENT_GONE: "the client has gone",
        Mark.SERVER_GONE: "the server has ended the session",
        Mark.KERNEL: f"kernel: {in_words(raw(body))}",
    }[mark]
