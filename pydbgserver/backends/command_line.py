"""A `LaunchSpec` -> the command line that is really executed.

Imports next to nothing, as `spawn` does: both run before the server listens.
"""

from __future__ import annotations

import errno
import os

from pydbgserver.errors import LaunchError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    from pydbgserver.target.launch_spec import LaunchSpec

    class Files(Protocol):
        """How a backend asks about files."""

        def exists(self, path: str) -> bool: ...
        def is_file(self, path: str) -> bool: ...
        def is_folder(self, path: str) -> bool: ...
        def is_executable(self, path: str) -> bool: ...


DEFAULT_SHELL = "/bin/sh"


class CommandLine:
    """`path` is executed with `arguments` (argv[0] included); the program itself starts at exec number `execs`."""

    def __init__(self, path: str, arguments: list[str], execs: int) -> None:
        self.path = path
        self.arguments = arguments
        self.execs = execs


def in_path(name: str, files: Files) -> str | None:
    """The first executable file called `name` in PATH."""
    candidates = (os.path.join(directory, name) for directory in os.get_exec_path())
    return next((path for path in candidates if files.is_file(path) and files.is_executable(path)), None)


def find_program(spec: LaunchSpec, files: Files) -> str:
    """The program's path: as given, beside the working directory, or from PATH. Raises `LaunchError`."""
    beside = os.path.join(spec.working_directory or os.getcwd(), spec.program)
    path = beside if "/" in spec.program or files.is_file(beside) else in_path(spec.program, files)
    if path is None or not files.exists(path):
        raise LaunchError(f"No such file or directory: {spec.program}", errno.ENOENT)
    if files.is_folder(path):
        raise LaunchError(f"Is a directory: {spec.program}", errno.EISDIR)
    if not files.is_executable(path):
        raise LaunchError(f"Permission denied: {spec.program} is not executable", errno.EACCES)
    return path


def shell_quote(word: str) -> str:
    """`word` as one word of a POSIX shell."""
    return "'" + word.replace("'", "'\"'\"'") + "'"


def _split(texts: Sequence[str]) -> list[str]:
    """The words of shell text without a shell. Raises `LaunchError` for a quote without an end."""
    import shlex

    try:
        return [word for text in texts for word in shlex.split(text)]
    except ValueError as error:
        raise LaunchError(f"the program's arguments cannot be split: {error}", errno.EINVAL) from error


def command_line(spec: LaunchSpec, shell: str, files: Files) -> CommandLine:
    """What to execute for `spec`: the program, its wrapper, or a shell that becomes one of them.

    `files`: what looks for them.
    """
    program = find_program(spec, files)
    execs = 2 if spec.wrapper else 1
    if spec.through_shell:
        quoted = [shell_quote(word) for word in (*spec.wrapper, program)]
        quoted += spec.arguments if spec.shell_words else [shell_quote(word) for word in spec.arguments]
        return CommandLine(shell, [shell, "-c", "exec " + " ".join(quoted)], execs + 1)
    words = [*spec.wrapper, program, *(_split(spec.arguments) if spec.shell_words else spec.arguments)]
    if not spec.wrapper:
        return CommandLine(program, words, execs)
    wrapper = spec.wrapper[0] if "/" in spec.wrapper[0] else in_path(spec.wrapper[0], files)
    if wrapper is None:
        raise LaunchError(f"No such file or directory: {spec.wrapper[0]} (the wrapper)", errno.ENOENT)
    return CommandLine(wrapper, words, execs)
