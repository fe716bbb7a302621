"""Letting the target run: vCont and its older one-letter forms."""

from __future__ import annotations

from pydbgserver.errors import DebugError, MalformedPacket, NoSuchThread
from pydbgserver.rsp.grammar import ALL, ThreadId, parse_thread
from pydbgserver.rsp.grammar import ANY as ANY_ONE
from pydbgserver.rsp.registry import Reply, packet
from pydbgserver.session.session import Session
from pydbgserver.target.api import ANY, Process, ResumeAction, ResumeKind
from pydbgserver.target.capabilities import SignalSending
from pydbgserver.target.registers import set_pc

REMEMBERED_ACTIONS = 256
"""How many different vCont packets are kept parsed; a stepping gdb repeats the same few."""

_EVERYTHING = ThreadId(None, ALL)

SEVERAL_PROCESSES = 3
"""lldb-server's error for a resume of more than one process."""


@packet("vCont?", features=["vContSupported+"])
def resume_actions(session: Session) -> str:
    return "vCont;c;C;s;S;t;r"


@packet("vCont", "';' actions:binary")
def resume(session: Session, actions: bytes) -> bytes | Reply | None:
    """The leftmost action that matches a thread is the one it gets; a thread that none matches stays stopped."""
    parsed = session.parsed_actions.get(actions)
    if parsed is None:
        parsed = _remember(session, actions)
    if session.non_stop is not None:
        # gdb stops the threads of processes whose end it has not read yet; gdbserver says OK.
        stops_only = all(one.kind is ResumeKind.STOP for one in parsed)
        return None if stops_only and not session.backend.processes else session.run_control.resume(parsed)
    first = parsed[0].tid
    # The thread that stopped last is there; anything else that is named may be gone, and then nothing would run.
    if first not in (ANY, session.selection.tid) and not any(_matches_something(session, one) for one in parsed):
        raise NoSuchThread(first)
    if parsed[0].kind is ResumeKind.STOP and all(one.kind is ResumeKind.STOP for one in parsed):
        # Not much of a request in all-stop; it is the interrupt, whose stop answers the last resume.
        if session.running:
            session.run_control.interrupt()
        return None
    if session.dialect.is_lldb and len(session.backend.processes) > 1:
        _refuse_several_processes(session, parsed)
    if actions in session.parsed_actions:
        session.repeats.note_run(b"vCont;" + actions, parsed)
    return session.run_control.resume(parsed)


def _remember(session: Session, text: bytes) -> tuple[ResumeAction, ...]:
    patterns = [_parse_action(session, one) for one in text.rstrip(b";").split(b";")]
    parsed = tuple(action for action, _ in patterns)
    # "Any thread" means the selected one, which changes, so that such a packet is parsed every time.
    if all(permanent for _, permanent in patterns):
        if len(session.parsed_actions) >= REMEMBERED_ACTIONS:
            session.parsed_actions.clear()
        session.parsed_actions[text] = parsed
    return parsed


def _parse_action(session: Session, text: bytes) -> tuple[ResumeAction, bool]:
    """One action and whether it means the same threads next time."""
    what, _, thread = text.partition(b":")
    letter, value = what[:1], what[1:]
    try:
        pattern = parse_thread(thread) if thread else _EVERYTHING
        pid, tid = _threads_of(session, pattern)
        signal = start = end = 0
        if letter in (b"C", b"S"):
            signal = _signal(session, int(value, 16))
        elif letter == b"r":
            first, _, last = value.partition(b",")
            start, end = int(first, 16), int(last, 16)
        elif value:
            raise ValueError(value)
        kind = _KINDS[letter]
    except (KeyError, ValueError) as error:
        raise MalformedPacket(f"vCont action {text[:60]!r} makes no sense") from error
    return ResumeAction(kind, pid, tid, signal, start, end), pattern.tid != ANY_ONE


_KINDS = {
    b"c": ResumeKind.CONTINUE,
    b"C": ResumeKind.CONTINUE,
    b"s": ResumeKind.STEP,
    b"S": ResumeKind.STEP,
    b"t": ResumeKind.STOP,
    b"r": ResumeKind.RANGE_STEP,
}


def _threads_of(session: Session, pattern: ThreadId) -> tuple[int, int]:
    """The (pid, tid) of a `ResumeAction`; lldb writes bare tids in a multiprocess session too, which are unique."""
    if pattern.tid == ANY_ONE:
        process, tid = session.selection.find(pattern)
        return process.pid, tid
    pid = ANY if pattern.pid in (None, ALL, ANY_ONE) else pattern.pid
    return pid or ANY, ANY if pattern.tid == ALL else pattern.tid


def _matches_something(session: Session, action: ResumeAction) -> bool:
    return any(
        action.pid in (ANY, pid) and (action.tid == ANY or action.tid in process.threads())
        for pid, process in session.backend.processes.items()
    )


def _signal(session: Session, number: int) -> int:
    signal = session.dialect.signal_from_wire(number)
    if signal is None or not 0 <= signal <= 64:
        raise MalformedPacket(f"the target has no signal {number:#x}")
    return signal


def _refuse_several_processes(session: Session, actions: tuple[ResumeAction, ...]) -> None:
    """lldb has no way to be told of stops in several processes at once; lldb-server refuses it, too."""
    resumed = {pid for one in actions for pid in session.backend.processes if one.pid in (ANY, pid)}
    if len(resumed) > 1:
        raise DebugError("several processes cannot run at once", SEVERAL_PROCESSES)


def _single(session: Session, kind: ResumeKind, signal: int, address: int | None) -> bytes | Reply:
    """The older packets: they act on the thread that Hc chose. gdb means by a chosen thread that it runs alone, and
    otherwise that all others continue. lldb means its process: others continue with it, but none does at a step."""
    chosen = session.resume_thread
    process, tid = session.stopped_thread()
    if chosen.tid not in (ALL, ANY_ONE):
        process, tid = session.selection.find(chosen)
    if address is not None:
        set_pc(process, tid, address)
    if session.dialect.is_lldb and signal and chosen.tid in (ALL, ANY_ONE):
        signal = _send(process, signal)
    actions = [ResumeAction(kind, process.pid, tid, signal)]
    if session.dialect.is_lldb:
        if kind is ResumeKind.CONTINUE:
            actions.append(ResumeAction(kind, process.pid))
    elif chosen.tid in (ALL, ANY_ONE):
        actions.append(ResumeAction(ResumeKind.CONTINUE))
    return session.run_control.resume(actions)


def _send(process: Process, signal: int) -> int:
    """lldb means by a signal for no thread one from outside, for which the program stops first (`process signal`).
    Gives the signal to deliver at once instead, where a target cannot be sent one."""
    sending = process.capability(SignalSending)
    if sending is None:
        return signal
    sending.send(signal)
    return 0


@packet("c", "[address:hex]")
def continue_(session: Session, address: int | None) -> bytes | Reply:
    return _single(session, ResumeKind.CONTINUE, 0, address)


@packet("C", "signal:hex [';' address:hex]")
def continue_with_signal(session: Session, signal: int, address: int | None) -> bytes | Reply:
    return _single(session, ResumeKind.CONTINUE, _signal(session, signal), address)


@packet("s", "[address:hex]")
def step(session: Session, address: int | None) -> bytes | Reply:
    return _single(session, ResumeKind.STEP, 0, address)


@packet("S", "signal:hex [';' address:hex]")
def step_with_signal(session: Session, signal: int, address: int | None) -> bytes | Reply:
    return _single(session, ResumeKind.STEP, _signal(session, signal), address)
