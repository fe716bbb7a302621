"""debugserver's command line, Apple's: ``debugserver [OPTIONS] HOST:PORT [--attach=PID|NAME | [--] PROGRAM ARGS]``.

On a Mac lldb starts its server so, without a subcommand: ``--fd=N --native-regs --setsid``, or ``--reverse-connect
HOST:PORT --native-regs``. Options have one or two dashes, their values after ``=``, as the next argument, or, after a
letter, at once.
"""

from __future__ import annotations

from pydbgserver.cli.comm import parse_number
from pydbgserver.cli.gdbserver import OPTIONS as GDBSERVER_OPTIONS
from pydbgserver.cli.lldb import finish, from_environment, unknown
from pydbgserver.cli.table import NONE, REQUIRED, answer, apply_option, ignore, put, take
from pydbgserver.cli.words import help_answer, version_answer
from pydbgserver.errors import UsageError
from pydbgserver.options import Answer, Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pydbgserver.cli.table import Apply, Draft, Row

MICROSECONDS = 1_000_000
UNMASKED = frozenset({"EXC_BAD_ACCESS", "EXC_BAD_INSTRUCTION", "EXC_ARITHMETIC"})
"""What --unmask-signals leaves to the system, so that the program gets SIGSEGV, SIGILL and SIGFPE."""


def _streams(*names: str) -> Apply:
    def apply(draft: Draft, text: str) -> None:
        draft.update(dict.fromkeys(names, text))

    return apply


def _environment(draft: Draft, text: str) -> None:
    if "=" not in text:
        raise UsageError(f"error: --env takes NAME=VALUE, not {text!r}")
    before = draft.get("environment", ())
    assert isinstance(before, tuple)
    draft["environment"] = (*before, text)


def _for_devices(name: str) -> Row:
    def apply(draft: Draft, _: str) -> None:
        raise UsageError(f"error: --{name} is for iOS devices")

    return NONE, apply


def _number(name: str, scale: int = 1) -> Row:
    def apply(draft: Draft, text: str) -> None:
        draft[name] = parse_number(text, f"--{name.replace('_', '-')} {text}") / scale

    return REQUIRED, apply


# One row for each option: its name, its letter, what it does.
ROWS: tuple[tuple[str, str, Row], ...] = (
    ("attach", "a", take("attach")),
    ("arch", "A", take("architecture")),
    ("debug", "g", ignore()),
    ("kill-on-error", "K", put("on_disconnect", "kill")),
    ("verbose", "v", ignore()),
    ("version", "V", answer(version_answer)),
    ("lockdown", "k", _for_devices("lockdown")),
    ("applist", "t", _for_devices("applist")),
    ("log-file", "l", take("log_file")),
    ("log-flags", "f", ignore(REQUIRED)),
    ("launch", "x", ignore(REQUIRED)),
    ("waitfor", "w", take("wait_for")),
    ("waitfor-interval", "i", _number("wait_interval", MICROSECONDS)),
    ("waitfor-duration", "d", _number("wait_duration")),
    ("native-regs", "r", ignore()),
    ("stdio-path", "s", (REQUIRED, _streams("stdin", "stdout", "stderr"))),
    ("stdin-path", "I", (REQUIRED, _streams("stdin"))),
    ("stdout-path", "O", (REQUIRED, _streams("stdout"))),
    ("stderr-path", "E", (REQUIRED, _streams("stderr"))),
    ("no-stdio", "n", (NONE, lambda draft, _: _streams("stdin", "stdout", "stderr")(draft, "/dev/null"))),
    ("setsid", "S", put("new_session", True)),
    ("disable-aslr", "D", put("disable_aslr", True)),
    ("working-dir", "W", take("working_directory")),
    ("platform", "p", ignore(REQUIRED)),
    ("unix-socket", "u", take("port_socket")),
    ("fd", "2", take("fd", lambda text: parse_number(text, f"--fd {text}"))),
    ("named-pipe", "P", take("port_path")),
    ("reverse-connect", "R", put("reverse", True)),
    ("env", "e", (REQUIRED, _environment)),
    ("forward-env", "F", put("forward_environment", True)),
    ("unmask-signals", "U", put("ignored_exceptions", UNMASKED)),
    ("help", "h", answer(help_answer)),
    *((name, "", GDBSERVER_OPTIONS[f"--{name}"]) for name in ("backend", "record", "log-channels")),
)
OPTIONS: dict[str, Row] = {name: row for long, letter, row in ROWS for name in (long, letter) if name}

TELL_TALE = frozenset({"fd", "native-regs", "setsid", "named-pipe", "reverse-connect", "waitfor", "stdio-path"})
"""Options that gdbserver does not have: without a subcommand, they say whose command line it is."""


def is_meant(argv: list[str]) -> bool:
    """Whether a command line without a subcommand is debugserver's: an option of its own is first, or after the
    address, where gdbserver's would have the program."""
    words = argv[0:1] if argv and argv[0].startswith("-") else argv[1:2]
    return any(word.startswith("-") and word.lstrip("-").partition("=")[0] in TELL_TALE for word in words)


def parse(arguments: list[str]) -> Options | Answer:
    """The options of the arguments, without ``debugserver``. Raises `UsageError`."""
    rest = list(arguments)
    draft = from_environment()
    draft["disable_aslr"] = False
    words: list[str] = []
    while rest:
        argument = rest.pop(0)
        if argument == "--":
            return _finish(draft, words, rest)
        if not argument.startswith("-") or argument == "-":
            words.append(argument)
            if len(words) > 1 or "fd" in draft:  # The program: everything after it is its own.
                return _finish(draft, words, rest)
            continue
        asked = apply_option(OPTIONS, draft, _spelled_out(argument), rest, unknown)
        if asked is not None:
            return asked
    return _finish(draft, words, [])


def _spelled_out(argument: str) -> str:
    """``name=value`` of an option in any of its spellings."""
    word = argument.lstrip("-")
    if argument.startswith("--") or word.partition("=")[0] in OPTIONS or word[:1] not in OPTIONS:
        return word
    return f"{word[0]}={word[1:]}"


def _finish(draft: Draft, words: list[str], after: list[str]) -> Options:
    options = finish(draft, words, after)
    if sum(one in draft for one in ("program", "attach", "wait_for")) > 1:
        raise UsageError("error: a program, --attach and --waitfor exclude each other")
    return options
