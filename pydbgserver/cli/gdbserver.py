"""gdbserver's command line: ``[OPTIONS] COMM PROG [ARGS]``, ``--attach COMM PID``, ``--multi COMM``.

Options come first; everything after PROG belongs to it.
"""

from __future__ import annotations

from pydbgserver.cli.comm import parse_comm
from pydbgserver.cli.table import NONE, OPTIONAL, REQUIRED, add_channels, answer, apply_option, put, take
from pydbgserver.cli.words import channels, help_answer, selftest_answer, version_answer
from pydbgserver.errors import UsageError
from pydbgserver.options import Answer, Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pydbgserver.cli.table import Draft, Row

DISABLEABLE = {
    "vCont": "All vCont packets",
    "qC": "Querying the current thread",
    "qfThreadInfo": "Thread listing",
    "Tthread": "Passing the thread specifier in the T stop reply packet",
    "threads": "All of the above",
    "T": "All 'T' packets",
}
"""gdbserver's names for --disable-packet. What each of them takes away is known to the session."""

DEBUG_FORMATS = {"all": True, "none": False, "timestamp": True}

POLICIES = ("detach", "kill", "stop")
RECORD_LEVELS = ("packets", "kernel")


def _disableable() -> str:
    return "Disableable packets:\n" + "".join(f"  {name:12}\t{words}\n" for name, words in DISABLEABLE.items())


def _disable_packets(draft: Draft, text: str) -> Answer | None:
    if not text:
        return Answer(text=_disableable())
    names = frozenset(text.split(","))
    for name in sorted(names - DISABLEABLE.keys()):
        raise UsageError(f'Don\'t know how to disable "{name}".\n\n{_disableable().rstrip()}')
    before = draft.get("disabled_packets", frozenset())
    assert isinstance(before, frozenset)
    draft["disabled_packets"] = before | names
    return None


def _debug_format(draft: Draft, text: str) -> None:
    for name in filter(None, text.split(",")):
        if name not in DEBUG_FORMATS:
            raise UsageError(f'Unknown debug-format argument: "{name}"')
        draft["log_timestamps"] = DEBUG_FORMATS[name]


def _log(*names: str) -> Row:
    def apply(draft: Draft, _: str) -> None:
        add_channels(draft, names)

    return NONE, apply


def _log_channels(draft: Draft, text: str) -> None:
    add_channels(draft, channels(text))


def _policy(text: str) -> str:
    if text not in POLICIES:
        raise UsageError(f"--on-disconnect takes {', '.join(POLICIES)}, not {text!r}")
    return text


def _record_level(text: str) -> str:
    if text not in RECORD_LEVELS:
        raise UsageError(f"--record-level takes {', '.join(RECORD_LEVELS)}, not {text!r}")
    return text


OPTIONS: dict[str, Row] = {
    "--attach": put("attaching", True),
    "--multi": put("multi", True),
    "--once": put("once", True),
    "--startup-with-shell": put("through_shell", True),
    "--no-startup-with-shell": put("through_shell", False),
    "--disable-randomization": put("disable_aslr", True),
    "--no-disable-randomization": put("disable_aslr", False),
    "--debug": _log("packets", "ptrace", "events", "breakpoints"),
    "--remote-debug": _log("packets"),
    "--event-loop-debug": _log("events"),
    "--debug-format": (REQUIRED, _debug_format),
    "--debug-file": take("log_file"),
    "--log-file": take("log_file"),
    "--log-channels": (REQUIRED, _log_channels),
    "--disable-packet": (OPTIONAL, _disable_packets),
    "--record": take("record"),
    "--backend": take("backend"),
    "--record-level": take("record_level", _record_level),
    "--on-disconnect": take("on_disconnect", _policy),
    "--selftest": (OPTIONAL, lambda draft, _: selftest_answer()),
    "--version": answer(version_answer),
    "--help": answer(help_answer),
}


def parse(arguments: list[str]) -> Options | Answer:
    """The options of this command line. Raises `UsageError`."""
    rest = list(arguments)
    draft: Draft = {}
    while rest and rest[0].startswith("-") and rest[0] != "-":
        argument = rest.pop(0)
        if argument == "--wrapper":
            draft["wrapper"] = _wrapper(rest)
            continue
        asked = apply_option(OPTIONS, draft, argument, rest, lambda one: UsageError(f"Unknown argument: {one}"))
        if asked is not None:
            return asked
    return _positional(draft, rest)


def _wrapper(rest: list[str]) -> tuple[str, ...]:
    """Take the words up to ``--`` off `rest`."""
    if "--" not in rest[1:]:
        raise UsageError("--wrapper: the command has to be followed by --")
    end = rest.index("--", 1)
    words = tuple(rest[:end])
    del rest[: end + 1]
    return words


def _positional(draft: Draft, rest: list[str]) -> Options:
    attaching = draft.pop("attaching", False)
    if not rest:
        raise UsageError("COMM is missing: HOST:PORT, a device or socket path, or -\nTry 'pydbgserver --help'.")
    endpoint = parse_comm(rest[0])
    if rest[1:2] == ["--attach"]:  # Where gdbserver had it once, and still takes it.
        attaching = True
        del rest[1]
    if attaching:
        if len(rest) != 2 or not rest[1].isdigit():
            raise UsageError("--attach takes COMM and one process id\nTry 'pydbgserver --help'.")
        draft["attach"] = rest[1]
    elif len(rest) > 1:
        draft["program"] = tuple(rest[1:])
    elif not draft.get("multi"):
        raise UsageError("PROG is missing; --multi starts without one\nTry 'pydbgserver --help'.")
    return Options(style="gdb", endpoint=endpoint, **draft)
