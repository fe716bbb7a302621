"""``monitor`` commands: words for the server itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydbgserver import logs
from pydbgserver.errors import DebugError, Unsupported
from pydbgserver.rsp.registry import packet
from pydbgserver.rsp.replies import console_output, hex_text
from pydbgserver.session.session import Session
from pydbgserver.target.capabilities import OpenFiles

Command = Callable[[Session, Sequence[str]], str]

COMMANDS: dict[str, tuple[str, Command]] = {}
"""By name: what `help` says of it, and what does it and gives its output."""


def _command(name: str, words: str) -> Callable[[Command], Command]:
    def register(run: Command) -> Command:
        COMMANDS[name] = (words, run)
        return run

    return register


@packet("qRcmd", "',' command:hextext")
def monitor(session: Session, command: str) -> bytes | None:
    """gdb prints output that is the reply itself; lldb prints what comes in O packets before it as text."""
    words = command.split()
    for length in (2, 1):
        found = COMMANDS.get(" ".join(words[:length]))
        if words and found is not None:
            output = found[1](session, words[length:])
            if output and session.dialect.is_lldb:
                session.outbox.append(console_output(output.encode("utf-8", "surrogateescape")))
                return None
            return hex_text(output) if output else None
    # As gdbserver: the text first, as the program's output would come, then the error.
    help_text = "Unknown monitor command.\n\n" + show_help(session, ())
    session.outbox.append(console_output(help_text.encode()))
    raise DebugError("unknown monitor command")


@_command("help", "this list")
def show_help(session: Session, words: Sequence[str]) -> str:
    width = max(map(len, COMMANDS)) + 2
    lines = [f"  {name:{width}}{text}\n" for name, (text, _) in COMMANDS.items()]
    return "The following monitor commands are supported:\n" + "".join(lines)


@_command("exit", "Quit GDBserver: end the server")
def leave(session: Session, words: Sequence[str]) -> str:
    session.exit_requested = True
    session.ended = True
    return ""


def _switch_channels(words: Sequence[str], what: str, *channels: str) -> str:
    """`what`: gdbserver's words for the output that is switched."""
    if list(words) not in (["0"], ["1"]):
        return "The value is 0 or 1.\n"
    for name in channels:
        logs.CHANNELS[name].enabled = words[0] == "1"
    return f"{what} output {'enabled' if words[0] == '1' else 'disabled'}.\n"


@_command("set debug", "0 or 1: log ptrace and events")
def set_debug(session: Session, words: Sequence[str]) -> str:
    return _switch_channels(words, "Debug", "ptrace", "events")


@_command("set remote-debug", "0 or 1: log packets")
def set_remote_debug(session: Session, words: Sequence[str]) -> str:
    return _switch_channels(words, "Protocol debug", "packets")


@_command("set debug-hw-points", "0 or 1: log breakpoints and watchpoints")
def set_debug_hardware(session: Session, words: Sequence[str]) -> str:
    return _switch_channels(words, "H/W point debugging", "breakpoints")


@_command("set event-loop-debug", "0 or 1: log events")
def set_event_loop_debug(session: Session, words: Sequence[str]) -> str:
    return _switch_channels(words, "Event loop debug", "events")


@_command("set dirty-pages", "0 or 1: list the written pages of memory regions")
def set_dirty_pages(session: Session, words: Sequence[str]) -> str:
    if list(words) not in (["0"], ["1"]):
        return "The value is 0 or 1.\n"
    session.dirty_pages = words[0] == "1"
    return f"Dirty pages are {'listed' if session.dirty_pages else 'not listed'}.\n"


DEBUG_FORMATS = {
    "all": (True, "All extra debug format options enabled.\n"),
    "none": (False, "All extra debug format options disabled.\n"),
    "timestamp": (True, "Timestamps will be added to debug output.\n"),
}


@_command("set debug-format", "all, none or timestamp: what each line of the log begins with")
def set_debug_format(session: Session, words: Sequence[str]) -> str:
    names = [name for name in ",".join(words).split(",") if name]
    unknown = [name for name in names if name not in DEBUG_FORMATS]
    if unknown or not names:
        return f'Unknown debug-format argument: "{",".join(unknown)}"\n'
    stamped, answer = DEBUG_FORMATS[names[-1]]
    logs.stamp(stamped)
    return answer


@_command("set libthread-db-search-path", "accepted: thread-local variables are found without libthread_db")
def set_thread_library_path(session: Session, words: Sequence[str]) -> str:
    return f"libthread-db-search-path set to `{' '.join(words)}'\n"


@_command("set debug-file", "a path: where the log goes; without one to stderr")
def set_debug_file(session: Session, words: Sequence[str]) -> str:
    path = " ".join(words) or None
    try:
        logs.configure([name for name, channel in logs.CHANNELS.items() if channel.enabled], path=path)
    except OSError as error:
        return f"{path}: {error.strerror}\n"
    return f"The log goes to {path or 'stderr'}.\n"


@_command("maps", "the memory map: type, range, sizes, permissions and name of each region, and sums by type")
def show_maps(session: Session, words: Sequence[str]) -> str:
    from pydbgserver.handlers import monitor_maps

    return monitor_maps.show(session)


@_command("files", "the files that the program has open")
def show_files(session: Session, words: Sequence[str]) -> str:
    files = session.process.capability(OpenFiles)
    if files is None:
        raise Unsupported("open files")
    lines = [f"{one.number:>10} {one.mode:<4} {one.position:>12}  {one.name}\n" for one in files.open_files()]
    return "".join([f"{'descriptor':>10} {'mode':<4} {'position':>12}  name\n", *lines])


@_command("threads", "all threads: function and instruction that each is at, and why it stopped")
def show_threads(session: Session, words: Sequence[str]) -> str:
    from pydbgserver.handlers import monitor_threads

    return monitor_threads.show(session)


@_command("signals", "signals and how they are treated")
def show_signals(session: Session, words: Sequence[str]) -> str:
    options = session.run_settings.options
    lines = ["number  gdb  name       stops  delivered\n"]
    signals = session.dialect.signals
    for number, name in signals.names.items():
        stops = "no" if number in options.pass_signals else "yes"
        dropped = options.program_signals is not None and number not in options.program_signals
        lines.append(f"{number:6} {signals.to_gdb(number):4}  {name:10} {stops:6} {'no' if dropped else 'yes'}\n")
    return "".join(lines)


@_command("stats", "numbers about this session")
def show_stats(session: Session, words: Sequence[str]) -> str:
    return "".join(f"{name}: {value}\n" for name, value in session.statistics().items())
