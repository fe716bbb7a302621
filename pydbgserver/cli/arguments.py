"""argv -> options: which of the command lines it is."""

from __future__ import annotations

from pydbgserver.options import Answer, Options, Task

# lldb-server goes by the first letter. Whole words and single letters only, since a program may be called anything.
SUBCOMMANDS = {
    "gdbserver": "gdbserver",
    "g": "gdbserver",
    "platform": "platform",
    "p": "platform",
    "version": "version",
    "v": "version",
    "debugserver": "debugserver",
}
TRANSCRIPTS = ("proxy", "replay", "show")
"""The subcommands about recorded sessions."""


def parse(argv: list[str]) -> Options | Answer | Task:
    """The options, or what to say instead of serving. `argv` is without the program's name. Raises `UsageError`."""
    if argv and argv[0] in TRANSCRIPTS:
        from pydbgserver.cli import transcripts

        return transcripts.parse(argv)
    subcommand = SUBCOMMANDS.get(argv[0]) if argv else None
    if subcommand == "platform":
        from pydbgserver.cli import platform

        return platform.parse(argv[1:])
    if subcommand == "version":
        from pydbgserver.cli.words import version_answer

        return version_answer()
    if subcommand == "gdbserver":
        from pydbgserver.cli import lldb

        return lldb.parse(argv[1:])
    from pydbgserver.cli import debugserver, gdbserver

    if subcommand == "debugserver":
        return debugserver.parse(argv[1:])
    return debugserver.parse(argv) if debugserver.is_meant(argv) else gdbserver.parse(argv)
