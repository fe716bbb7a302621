"""What the client has set for the next launch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from pydbgserver.target.api import LaunchSpec


@dataclass(slots=True)
class LaunchSettings:
    """Collected by Q packets before vRun, A or R; they stay for later launches of the connection.

    `last` is what was launched last, at first the server's own command line (None: nothing).
    """

    last: LaunchSpec | None = None
    disable_aslr: bool = True
    through_shell: bool = True
    wrapper: Sequence[str] = ()
    working_directory: str | None = None
    variables: dict[str, str | None] = field(default_factory=dict)
    """Changed environment variables; None: removed."""
    stdin: str | None = None
    stdout: str | None = None
    stderr: str | None = None
    architecture: str = ""
    """Which CPU of a program for several, in LLVM's word."""
    window_size: tuple[int, int] | None = None
    """Rows and columns of the program's terminal."""
    error: str | None = None
    """Why the last `A` failed, for qLaunchSuccess."""

    def set_variable(self, assignment: str) -> bool:
        """Take NAME=VALUE; False if there is no ``=``."""
        name, equals, value = assignment.partition("=")
        if not equals or not name:
            return False
        self.variables[name] = value
        return True

    def _environment(self, *, complete: bool) -> dict[str, str] | None:
        """The whole environment of the next launch, None for the server's own.

        lldb that sends none wants none (`settings set target.inherit-env false`), but for the program that the server
        was started with."""
        if not self.variables:
            own = not complete or (self.last is not None and self.last.environment is None)
            return None if own else {}
        merged: dict[str, str] = {} if complete else dict(os.environ)
        for name, value in self.variables.items():
            if value is None:
                merged.pop(name, None)
            else:
                merged[name] = value
        return merged

    def spec(self, words: Sequence[str], *, client_expands: bool, one_text: bool = False) -> LaunchSpec | None:
        """The launch of `words` (program, arguments...); without a program the last one again, None if there is none.

        `client_expands`: the client is lldb, which expands arguments itself, sends the whole environment and shows
        what the program prints; gdb leaves all three to the server. `one_text`: the arguments are one text, as a shell
        reads them.
        """
        last = self.last
        if words and words[0]:
            program, arguments, shell_words = words[0], tuple(words[1:]), one_text
        elif last is None:
            return None
        else:
            program, shell_words = last.program, one_text if len(words) > 1 else last.shell_words
            arguments = tuple(words[1:]) or tuple(last.arguments)
        self.last = LaunchSpec(
            program,
            arguments,
            environment=self._environment(complete=client_expands),
            working_directory=self.working_directory,
            disable_aslr=self.disable_aslr,
            through_shell=self.through_shell and not client_expands,
            shell_words=shell_words,
            wrapper=self.wrapper,
            stdin=self.stdin,
            stdout=self.stdout,
            stderr=self.stderr,
            pty=client_expands,
            architecture=self.architecture,
            window_size=self.window_size,
        )
        return self.last
