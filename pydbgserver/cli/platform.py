"""The command line of lldb-server's platform mode: ``platform --server --listen HOST:PORT|URL [-- PROGRAM ARGS]``.

Debug connections come to the same port, so that the options about their ports are accepted without effect. What is no
option is a program: every client finds it stopped at its first instruction.
"""

from __future__ import annotations

from pydbgserver.cli.comm import parse_lldb, parse_number
from pydbgserver.cli.gdbserver import OPTIONS as GDBSERVER_OPTIONS
from pydbgserver.cli.lldb import from_environment, unknown
from pydbgserver.cli.table import NONE, REQUIRED, add_channels, answer, apply_option, ignore, put, take
from pydbgserver.cli.words import channels, help_answer
from pydbgserver.errors import UsageError
from pydbgserver.options import ABSTRACT, TCP, UNIX, Answer, Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pydbgserver.cli.table import Draft, Row


def _port_option(name: str) -> Row:
    def check(draft: Draft, text: str) -> None:
        parse_number(text, f"--{name} {text}")

    return REQUIRED, check


def _number(name: str) -> Callable[[str], int]:
    return lambda text: parse_number(text, f"--{name} {text}")


_LISTEN = take("listen")
_FILE = take("socket_file")
_OFFSET = take("port_offset", _number("port-offset"))
_CHANNELS: Row = (REQUIRED, lambda draft, text: add_channels(draft, channels(text)))
_LOG_FILE = take("log_file")

OPTIONS: dict[str, Row] = {
    "listen": _LISTEN,
    "L": _LISTEN,
    "server": put("server", True),
    "socket-file": _FILE,
    "f": _FILE,
    "port-offset": _OFFSET,
    "p": _OFFSET,
    "gdbserver-port": _port_option("gdbserver-port"),
    "P": _port_option("gdbserver-port"),
    "min-gdbserver-port": _port_option("min-gdbserver-port"),
    "m": _port_option("min-gdbserver-port"),
    "max-gdbserver-port": _port_option("max-gdbserver-port"),
    "M": _port_option("max-gdbserver-port"),
    "log-channels": _CHANNELS,
    "c": _CHANNELS,
    "log-file": _LOG_FILE,
    "l": _LOG_FILE,
    "debug": GDBSERVER_OPTIONS["--debug"],
    "record": GDBSERVER_OPTIONS["--record"],
    "record-level": GDBSERVER_OPTIONS["--record-level"],
    "verbose": ignore(),
    "version": GDBSERVER_OPTIONS["--version"],
    "help": answer(help_answer),
    "h": answer(help_answer),
}


def _spelled_out(argument: str) -> str:
    """The option without its dashes, whole: getopt_long_only(3) takes names cut short, and values right after a
    letter."""
    dashes = len(argument) - len(argument.lstrip("-"))
    name, equals, value = argument[dashes:].partition("=")
    if name in OPTIONS:
        return name + equals + value
    meant = [one for one in OPTIONS if len(one) > 1 and one.startswith(name)]
    if len(meant) == 1:
        return meant[0] + equals + value
    if dashes == 1 and OPTIONS.get(name[:1], (NONE,))[0] == REQUIRED:
        return f"{name[0]}={argument[2:]}"
    return argument[dashes:]


def parse(arguments: list[str]) -> Options | Answer:
    """The options of the arguments after ``platform``. Raises `UsageError`."""
    rest = list(arguments)
    draft = from_environment()
    words: list[str] = []
    while rest:
        argument = rest.pop(0)
        if argument == "--":
            words += rest
            break
        if not argument.startswith("-") or argument == "-":
            words.append(argument)
            continue
        asked = apply_option(OPTIONS, draft, _spelled_out(argument), rest, unknown)
        if asked is not None:
            return asked
    if words:
        draft["program"] = tuple(words)
    listen = draft.pop("listen", None)
    if not isinstance(listen, str):
        raise UsageError("error: --listen is needed\nTry 'pydbgserver --help'.")
    endpoint = parse_lldb(listen)
    if endpoint.kind not in (TCP, UNIX, ABSTRACT) or endpoint.connect:
        raise UsageError(f"error: {listen}: platform mode listens on a port or a socket")
    return Options(style="lldb", platform=True, endpoint=endpoint, through_shell=False, once=True, **draft)
