"""The subcommands about recorded sessions: ``proxy``, ``replay`` and ``show``.

Exit status: 0, 1 for differences and for what keeps a command from starting, 2 for a transcript that is none.
"""

from __future__ import annotations

import sys

from pydbgserver.cli.comm import parse_comm
from pydbgserver.cli.table import NONE, REQUIRED, apply_option, put, take
from pydbgserver.errors import UsageError
from pydbgserver.options import SERIAL, STDIO, Answer, Endpoint, Options, Task

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pydbgserver.cli.table import Draft, Row

DIFFERENCES = 1
UNREADABLE = 2

HELP = """\
Usage:  pydbgserver [OPTIONS] --record FILE COMM PROG [ARGS ...]     write down a session of this server
        pydbgserver proxy LISTEN TARGET --record FILE [--header KEY=VALUE]
        pydbgserver replay FILE --server COMM [--exact] [--timeout SECONDS] [--program PATH]
        pydbgserver replay FILE --client COMM
        pydbgserver replay FILE --kernel
        pydbgserver show FILE ... [--stats] [--packet NAME] [--thread TID] [--after S] [--before S]
                                  [--slower MS] [--grep TEXT] [--raw] [--color auto|always|never]
        pydbgserver show FILE --html OUT

  proxy     sits between a client, which connects to LISTEN, and the server at TARGET, and writes down what they say
  replay    --server: plays the client against the server at COMM and shows what it answers differently
            --client: plays the server for a client that connects to COMM
            --kernel: plays the client and the kernel against this server, from a file that was recorded with
                      --record-level=kernel; nothing is run
  show      prints the session in words, or writes a page about it

LISTEN, TARGET and COMM are as for the server: HOST:PORT, :PORT, a path with a slash, a URL, -.
The format of FILE, and what is compared and what is not: docs/transcripts.md.
"""


def _gather(name: str) -> Row:
    """An option that may be given several times."""

    def apply(draft: Draft, text: str) -> None:
        before = draft.setdefault(name, [])
        assert isinstance(before, list)
        before.append(text)

    return REQUIRED, apply


def _number(option: str) -> Callable[[str], float]:
    def convert(text: str) -> float:
        try:
            return float(text)
        except ValueError:
            raise UsageError(f"{option} takes a number, not {text!r}") from None

    return convert


def _help() -> Row:
    return NONE, lambda draft, _: Answer(text=HELP)


PROXY: dict[str, Row] = {"--record": take("record"), "--header": _gather("header"), "--help": _help()}
REPLAY: dict[str, Row] = {
    "--server": take("server"),
    "--client": take("client"),
    "--kernel": put("kernel", True),
    "--exact": put("exact", True),
    "--timeout": take("timeout", _number("--timeout")),
    "--program": take("program"),
    "--help": _help(),
}
SHOW: dict[str, Row] = {
    "--html": take("html"),
    "--stats": put("statistics", True),
    "--raw": put("raw", True),
    "--packet": _gather("packets"),
    "--thread": take("thread"),
    "--after": take("after", _number("--after")),
    "--before": take("before", _number("--before")),
    "--slower": take("slower", _number("--slower")),
    "--grep": take("grep"),
    "--color": take("color"),
    "--help": _help(),
}


def parse(argv: list[str]) -> Task | Answer:
    """What a command line that begins with one of the subcommands asks for. Raises `UsageError`."""
    tables = {"proxy": PROXY, "replay": REPLAY, "show": SHOW}
    make = {"proxy": _proxy, "replay": _replay, "show": _show}[argv[0]]
    draft: Draft = {}
    words: list[str] = []
    rest = argv[1:]
    while rest:
        argument = rest.pop(0)
        if not argument.startswith("-") or argument == "-":
            words.append(argument)
            continue
        asked = apply_option(tables[argv[0]], draft, argument, rest, _unknown)
        if asked is not None:
            return asked
    return Task(run=make(words, draft))


def _unknown(argument: str) -> UsageError:
    return UsageError(f"Unknown argument: {argument}\nTry 'pydbgserver show --help'.")


def connecting(text: str) -> Endpoint:
    """COMM as something to reach, not to listen on. Raises `UsageError`."""
    endpoint = parse_comm(text)
    if endpoint.kind in (SERIAL, STDIO):
        return endpoint
    reaching: Endpoint = endpoint.replace(connect=True)
    return reaching


# proxy


def _header(given: object) -> dict[str, str]:
    header: dict[str, str] = {}
    for text in given if isinstance(given, list) else ():
        key, equals, value = text.partition("=")
        if not equals or not key.replace("-", "").isalnum() or not key.islower() or "\n" in value:
            raise UsageError(f"--header takes KEY=VALUE, KEY in lower case, not {text!r}")
        header[key] = value
    return header


def _proxy(words: list[str], draft: Draft) -> Callable[[], int]:
    if len(words) != 2:
        raise UsageError("proxy takes LISTEN and TARGET\nTry 'pydbgserver proxy --help'.")
    path = draft.get("record")
    if not isinstance(path, str):
        raise UsageError("proxy: --record FILE is missing")
    listen, target = parse_comm(words[0]), connecting(words[1])
    header = {"recorded": "by proxy", **_header(draft.get("header"))}

    def run() -> int:
        from pydbgserver.cli.start import announce
        from pydbgserver.server.listen import open_listener
        from pydbgserver.transcripts.recorder import Recordings

        recordings = Recordings(path)
        recordings.header = header
        reached = open_listener(target)
        try:
            listener = open_listener(listen)
        except UsageError:
            reached.close()
            raise
        announce(Options(endpoint=listen), listener)
        import trio

        from pydbgserver.transcripts import proxy

        try:
            trio.run(proxy.serve, listener, reached, recordings.begin())
        finally:
            listener.close()
        return 0

    return run


# replay


def _transcript_path(words: list[str], command: str) -> str:
    if len(words) != 1:
        raise UsageError(f"{command} takes one FILE\nTry 'pydbgserver {command} --help'.")
    return words[0]


def _replay(words: list[str], draft: Draft) -> Callable[[], int]:
    path = _transcript_path(words, "replay")
    server, client, kernel = draft.get("server"), draft.get("client"), draft.get("kernel")
    if sum(one is not None for one in (server, client, kernel)) != 1:
        raise UsageError("replay takes one of --server COMM, --client COMM and --kernel")
    if kernel:
        return _reading(lambda: _play_kernel(path))
    if isinstance(server, str):
        return _reading(lambda: _play_client(path, connecting(server), draft))
    assert isinstance(client, str)
    return _reading(lambda: _play_server(path, parse_comm(client)))


def _reading(command: Callable[[], int]) -> Callable[[], int]:
    """`command`, with its status where its transcript cannot be read."""

    def run() -> int:
        from pydbgserver.rsp.transcript import TranscriptError

        try:
            return command()
        except TranscriptError as error:
            print(error, file=sys.stderr)
            return UNREADABLE
        except BrokenPipeError:
            # Whoever reads has seen enough; nothing is to be written at the exit, either.
            import os

            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0

    return run


def _play_client(path: str, endpoint: Endpoint, draft: Draft) -> int:
    from pydbgserver.server.listen import open_listener
    from pydbgserver.transcripts import play_client, report
    from pydbgserver.transcripts.files import load
    from pydbgserver.transcripts.rules import Rules

    transcript = load(path)
    # Its rules are read before anybody is spoken to.
    Rules(transcript)
    settings = play_client.Settings(
        exact=bool(draft.get("exact")),
        timeout=float(str(draft.get("timeout", play_client.TIMEOUT))),
        program=str(draft.get("program", "")),
    )
    listener = open_listener(endpoint)
    try:
        result = play_client.play(transcript, listener, settings)
    finally:
        listener.close()
    print(report.text(result))
    return DIFFERENCES if result.differences or result.broken else 0


def _play_kernel(path: str) -> int:
    from pydbgserver.cli import kernel
    from pydbgserver.transcripts import report
    from pydbgserver.transcripts.files import load

    result = kernel.replay(load(path))
    print(report.text(result))
    return DIFFERENCES if result.differences or result.broken else 0


def _play_server(path: str, endpoint: Endpoint) -> int:
    from pydbgserver.cli.start import announce
    from pydbgserver.server.listen import open_listener
    from pydbgserver.transcripts import play_server
    from pydbgserver.transcripts.files import load

    transcript = load(path)
    listener = open_listener(endpoint)
    try:
        announce(Options(endpoint=endpoint), listener)
        served = play_server.serve(transcript, listener)
    finally:
        listener.close()
    for stray in served.strays:
        print(stray)
    if not served.at_end:
        print(f"{path}:{served.line}: the client has gone; the recording goes on")
    return DIFFERENCES if served.strays else 0


# show


def _show(words: list[str], draft: Draft) -> Callable[[], int]:
    color = draft.pop("color", "auto")
    if color not in ("auto", "always", "never"):
        raise UsageError(f"--color takes auto, always or never, not {color!r}")
    page = draft.get("html")
    if isinstance(page, str):
        path = _transcript_path(words, "show --html")
        return _reading(lambda: _write_page(path, page))
    if not words:
        raise UsageError("show takes a FILE\nTry 'pydbgserver show --help'.")
    return _reading(lambda: _print_sessions(words, draft, str(color)))


def _write_page(path: str, page: str) -> int:
    from pydbgserver.transcripts import html
    from pydbgserver.transcripts.files import load

    transcript = load(path)
    try:
        html.write(transcript, page)
    except OSError as error:
        raise UsageError(f"{page}: cannot be written: {error.strerror}") from None
    return 0


def _print_sessions(paths: list[str], draft: Draft, color: str) -> int:
    """One after the other, each below its name if there are several. One that cannot be read does not hide the rest."""
    from pydbgserver.rsp.transcript import TranscriptError
    from pydbgserver.transcripts import show
    from pydbgserver.transcripts.files import load

    wanted: dict[str, Any] = {key: value for key, value in draft.items() if key in show.Choice.__annotations__}
    chosen = show.Choice(**wanted)
    status = 0
    for path in paths:
        try:
            transcript = load(path)
        except TranscriptError as error:
            print(error, file=sys.stderr)
            status = UNREADABLE
            continue
        if len(paths) > 1:
            print(f"{path}:")
        if draft.get("statistics"):
            show.print_statistics(transcript, color)
        else:
            show.print_lines(transcript, chosen, color)
    return status
