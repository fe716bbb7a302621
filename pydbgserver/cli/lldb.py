"""lldb-server's command line: ``gdbserver [OPTIONS] [[HOST]:PORT | URL] [[--] PROGRAM ARGS]``.

Options may come anywhere before ``--``, with one or two dashes, their values after ``=`` or as the next argument.
lldb itself spawns ``gdbserver tcp://[127.0.0.1]:0 --native-regs --pipe 6`` or ``gdbserver --fd=N --native-regs
--setsid``.
"""

from __future__ import annotations

import os

from pydbgserver.cli.comm import parse_lldb, parse_number
from pydbgserver.cli.gdbserver import OPTIONS as GDBSERVER_OPTIONS
from pydbgserver.cli.table import NONE, REQUIRED, add_channels, answer, apply_option, ignore, put, take
from pydbgserver.cli.words import channels, help_answer
from pydbgserver.errors import UsageError
from pydbgserver.options import DESCRIPTOR, Answer, Endpoint, Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pydbgserver.cli.table import Draft, Row

LOG_FILE_VARIABLE = "LLDB_DEBUGSERVER_LOG_FILE"
LOG_CHANNELS_VARIABLE = "LLDB_SERVER_LOG_CHANNELS"

_SHARED = (
    "debug",
    "disable-packet",
    "on-disconnect",
    "once",
    "record",
    "backend",
    "record-level",
    "version",
    "disable-randomization",
)

OPTIONS: dict[str, Row] = {
    "attach": take("attach"),
    "fd": take("fd", lambda text: parse_number(text, f"--fd {text}")),
    "pipe": take("port_descriptor", lambda text: parse_number(text, f"--pipe {text}")),
    "named-pipe": take("port_path"),
    "reverse-connect": put("reverse", True),
    "setsid": put("new_session", True),
    "S": put("new_session", True),
    "native-regs": ignore(),
    "r": ignore(),
    "log-channels": (REQUIRED, lambda draft, text: add_channels(draft, channels(text))),
    "c": (REQUIRED, lambda draft, text: add_channels(draft, channels(text))),
    "log-file": take("log_file"),
    "l": take("log_file"),
    "help": answer(help_answer),
    "h": answer(help_answer),
    **{name: GDBSERVER_OPTIONS[f"--{name}"] for name in _SHARED},
    "no-disable-randomization": (NONE, GDBSERVER_OPTIONS["--no-disable-randomization"][1]),
}


def parse(arguments: list[str]) -> Options | Answer:
    """The options of the arguments after ``gdbserver``. Raises `UsageError`."""
    rest = list(arguments)
    draft: Draft = from_environment()
    words: list[str] = []
    while rest:
        argument = rest.pop(0)
        if argument == "--":
            return finish(draft, words, rest)
        if not argument.startswith("-") or argument == "-":
            words.append(argument)
            continue
        asked = apply_option(OPTIONS, draft, argument.lstrip("-"), rest, unknown)
        if asked is not None:
            return asked
    return finish(draft, words, [])


def unknown(argument: str) -> UsageError:
    """What to say of an option that there is not, given without its dashes."""
    return UsageError(f"error: unknown argument '--{argument}'\nTry 'pydbgserver --help'.")


def from_environment() -> Draft:
    """lldb tells the servers that it spawns what to log by environment variables."""
    draft: Draft = {}
    if os.environ.get(LOG_FILE_VARIABLE):
        draft["log_file"] = os.environ[LOG_FILE_VARIABLE]
    if os.environ.get(LOG_CHANNELS_VARIABLE):
        add_channels(draft, channels(os.environ[LOG_CHANNELS_VARIABLE]))
    return draft


def finish(draft: Draft, words: list[str], after_dashes: list[str]) -> Options:
    """`words` are the address (unless a descriptor stands for it) and perhaps the beginning of the program."""
    descriptor, reverse = draft.pop("fd", None), bool(draft.pop("reverse", False))
    if descriptor is not None:
        endpoint = Endpoint(kind=DESCRIPTOR, descriptor=descriptor)
    elif words:
        endpoint = parse_lldb(words.pop(0), reverse=reverse)
    else:
        raise UsageError("error: no connection arguments\nTry 'pydbgserver --help'.")
    program = (*words, *after_dashes)
    if program:
        draft["program"] = program
    draft["once"] = True
    return Options(style="lldb", endpoint=endpoint, through_shell=False, **draft)
