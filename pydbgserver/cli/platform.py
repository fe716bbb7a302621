"""The command line of lldb-server's platform mode: ``platform --server --listen HOST:PORT|URL``.

Debug connections come to the same port, so that the options about their ports are accepted without effect.
"""

from __future__ import annotations

from pydbgserver.cli.comm import parse_lldb, parse_number
from pydbgserver.cli.gdbserver import OPTIONS as GDBSERVER_OPTIONS
from pydbgserver.cli.lldb import from_environment, unknown
from pydbgserver.cli.table import REQUIRED, add_channels, answer, apply_option, ignore, put, take
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


def parse(arguments: list[str]) -> Options | Answer:
    """The options of the arguments after ``platform``. Raises `UsageError`."""
    rest = list(arguments)
    draft = from_environment()
    while rest:
        argument = rest.pop(0)
        if argument == "--":
            break
        if not argument.startswith("-") or argument == "-":
            raise UsageError(f"error: {argument}: the address is given with --listen\nTry 'pydbgserver --help'.")
        asked = apply_option(OPTIONS, draft, argument.lstrip("-"), rest, unknown)
        if asked is not None:
            return asked
    if rest:
        raise UsageError("error: platform mode starts no program: the client does")
    listen = draft.pop("listen", None)
    if not isinstance(listen, str):
        raise UsageError("error: --listen is needed\nTry 'pydbgserver --help'.")
    endpoint = parse_lldb(listen)
    if endpoint.kind not in (TCP, UNIX, ABSTRACT) or endpoint.connect:
        raise UsageError(f"error: {listen}: platform mode listens on a port or a socket")
    return Options(style="lldb", platform=True, endpoint=endpoint, through_shell=False, once=True, **draft)
