"""Beginning and end of a process: launch, attach, detach, kill, restart."""

from __future__ import annotations

from binascii import unhexlify
from collections.abc import Sequence

from pydbgserver import logs
from pydbgserver.errors import AttachError, DebugError, LaunchError, MalformedPacket, NoSuchProcess, TargetRunning
from pydbgserver.rsp.registry import NO_REPLY, Reply, packet
from pydbgserver.rsp.replies import hex_text
from pydbgserver.session.awaited import AwaitedProgram
from pydbgserver.session.session import Session
from pydbgserver.target.api import Process
from pydbgserver.target.capabilities import BreakpointPrograms
from pydbgserver.target.events import ProcessExited

START_SECONDS = 0.1
"""How exactly it is known which came first, a packet or the start of a program: the kernel counts both in ticks,
which come late in a virtual machine that gets no processor."""

SIGKILL = 9


def _launch(session: Session, words: Sequence[str]) -> Process:
    """Start `words` (program and arguments), or the last program again if there is none in it.

    Not while the target runs: the first stop of the new one would be taken for the stop that is waited for.
    """
    if session.running and session.non_stop is None:
        raise TargetRunning
    dialect = session.dialect
    spec = session.launch_settings.spec(words, client_expands=dialect.is_lldb, one_text=dialect.single_argument)
    if spec is None:
        raise LaunchError("no program was given, and none has run before")
    session.run_settings.apply()
    session.before_spawning()
    return session.backend.launch(spec)


@packet("vRun", "';' words:hextext*';'", features=["single-inf-arg+"])
def run(session: Session, words: tuple[str, ...]) -> bytes:
    """gdb shows no reason of a failure (gdb 16 is the first to): whoever looks after the server is told, as gdbserver
    has it."""
    try:
        process = _launch(session, words)
    except LaunchError as error:
        logs.problem(f"Cannot exec: {error}")
        raise
    return session.run_control.started(process)


@packet("qExecAndArgs", dialect="gdb")
def last_command(session: Session) -> str:
    """The program that the server was started with, or started last, and its arguments as a shell reads them."""
    last = session.launch_settings.last
    if last is None:
        return "U"
    words = last.arguments if last.shell_words else map(_shell_word, last.arguments)
    return f"S;{hex_text(last.program).decode()};{hex_text(' '.join(words)).decode()};"


def _shell_word(word: str) -> str:
    """`word` as a shell reads it."""
    import shlex

    return shlex.quote(word)


@packet("A", "arguments:text", dialect="lldb")
def set_arguments(session: Session, arguments: str) -> None:
    """``LENGTH,INDEX,HEX`` for each argument, decimal. The launch is made at once, qLaunchSuccess tells the outcome."""
    settings = session.launch_settings
    try:
        process = _launch(session, _parse_arguments(arguments))
    except DebugError as error:
        settings.error = str(error)
        raise
    settings.error = None
    session.run_control.started(process)


def _parse_arguments(text: str) -> list[str]:
    fields = text.split(",")
    words: dict[int, str] = {}
    try:
        if len(fields) % 3:
            raise ValueError(text)
        for length, index, digits in zip(fields[::3], fields[1::3], fields[2::3], strict=True):
            if int(length) != len(digits):
                raise ValueError(digits)
            words[int(index)] = unhexlify(digits).decode("utf-8", "surrogateescape")
    except ValueError as error:
        raise MalformedPacket("packet A takes triples of length, index and hexadecimal argument") from error
    return [words[index] for index in sorted(words)]


@packet("qLaunchSuccess", dialect="lldb")
def launch_success(session: Session) -> str | None:
    """The words after the E are plain text, not hexadecimal."""
    return f"E{session.launch_settings.error}" if session.launch_settings.error else None


@packet("R", "number:hex", dialect="gdb")
def restart(session: Session, number: int) -> Reply:
    """Nothing is answered: the client asks `?` next. What goes wrong shows there as a program that is not there."""
    _kill_all(session)
    try:
        session.run_control.started(_launch(session, ()))
    except DebugError as error:
        session.launch_settings.error = str(error)
    return NO_REPLY


@packet("vAttach", "';' pid:hex")
def attach(session: Session, pid: int) -> bytes:
    if pid in session.backend.processes:
        raise AttachError(f"process {pid} is being debugged already")
    if session.running and session.non_stop is None:
        raise TargetRunning
    session.run_settings.apply()
    process = session.backend.attach(pid)
    return session.run_control.started(process) if session.non_stop is None else session.non_stop.attached(process)


@packet("vAttachName", "';' name:hextext", dialect="lldb")
def attach_by_name(session: Session, name: str) -> bytes:
    """The one process whose program's base name is that of `name`."""
    wanted = _base_name(name)
    pids = session.backend.processes_named(wanted)
    if not pids:
        raise NoSuchProcess
    if len(pids) > 1:
        raise AttachError(f"{len(pids)} processes are named {wanted}: attach by number")
    return attach(session, pids[0])


@packet("vAttachOrWait", "';' name:hextext", dialect="lldb")
def attach_or_wait(session: Session, name: str) -> bytes | Reply:
    """To a process that runs already, else to the next one."""
    if session.backend.processes_named(_base_name(name)):
        return attach_by_name(session, name)
    return _await(session, AwaitedProgram(_base_name(name)))


@packet("vAttachWait", "';' name:hextext", dialect="lldb")
def attach_when_started(session: Session, name: str) -> Reply:
    """To the next process of this name, not to those that run already. The stop reply comes when there is one; the
    client's interrupt ends the wait.

    To the client the wait begins when it has sent the packet, which a server that gets no processor reads later: what
    has been started in between is meant.
    """
    wanted, backend = _base_name(name), session.backend
    early = session.since_heard() + START_SECONDS
    running = (pid for pid in backend.processes_named(wanted) if backend.age_of(pid) > early)
    return _await(session, AwaitedProgram(wanted, frozenset(running)))


def _base_name(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _await(session: Session, program: AwaitedProgram) -> Reply:
    if session.running:
        raise TargetRunning
    if not program.name:
        raise MalformedPacket("the name of a program is needed")
    session.awaited = program
    return NO_REPLY


@packet("qVAttachOrWaitSupported", dialect="lldb")
def attach_or_wait_supported(session: Session) -> None:
    pass


@packet("D", "[stay:dec] [';' pid:hex]")
def detach(session: Session, stay: int | None, pid: int | None) -> None:
    """Of one process or of all of them; ``D1`` leaves them stopped."""
    processes = list(session.backend.processes.values()) if pid is None else [session.selection.process_of(pid)]
    if not processes:
        raise NoSuchProcess
    if stay != 1 and any(_prints_without_client(process) for process in processes):
        session.run_control.leave_running()
        return
    for process in processes:
        if process.pid in session.backend.processes:  # not a child that has gone with its parent
            process.detach(stopped=stay == 1)
            session.gone(process.pid)


def _prints_without_client(process: Process) -> bool:
    """gdb's `set disconnected-dprintf on`: it leaves breakpoints in whose commands are to go on, and expects the server
    to stay attached for them, as gdbserver does (server.cc, any_persistent_commands)."""
    programs = process.capability(BreakpointPrograms)
    return programs is not None and programs.persistent()


@packet("qSupportsDetachAndStayStopped", "[':']", dialect="lldb")
def can_detach_stopped(session: Session) -> None:
    """``D1`` is there, see `detach`."""


@packet("vKill", "';' pid:hex")
def kill_process(session: Session, pid: int) -> None:
    session.selection.process_of(pid).kill()
    session.gone(pid)


@packet("k", "[rest:text]")
def kill(session: Session, rest: str | None) -> str | Reply:
    """gdb does not read a reply; lldb waits three seconds for one and then complains."""
    session.ended = not session.extended and session.non_stop is None
    pids = list(session.backend.processes)
    _kill_all(session)
    if session.dialect.is_gdb:
        return NO_REPLY
    if session.non_stop is not None:
        for pid in pids:
            session.non_stop.exited(ProcessExited(pid, signal=SIGKILL))
        return "OK"
    reply = f"X{session.dialect.signal_to_wire(SIGKILL):02x}"
    if not session.dialect.multiprocess or not pids:
        return reply
    session.outbox += [f"{reply};process:{pid:x}".encode() for pid in pids[:-1]]
    return f"{reply};process:{pids[-1]:x}"


def _kill_all(session: Session) -> None:
    for process in reversed(list(session.backend.processes.values())):  # a child would be let go with its parent
        process.kill()
        session.gone(process.pid)
    session.stops.last = None
