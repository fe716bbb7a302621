"""How to start a program.

A plain class: the server starts its program before it says that it listens,
and importing `dataclasses` alone takes half as long as lldb-server's start.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class LaunchSpec:
    """What to start and how.

    `program` is a path or a name looked up in PATH; `arguments` do not include
    it. `environment` is the complete environment (None: the server's own).
    `stdin`, `stdout`, `stderr` are paths opened in the child, or None to keep
    the server's. `pty`: give the child a new terminal whose other end the
    server reads (`StandardStreams`); explicit paths win over it; `window_size` are its rows and columns.
    `shell_words`: `arguments` are text as a shell reads it; with
    `through_shell` the shell gets it as it is, so that it expands globs and
    redirections, without it only quotes and blanks count.
    `architecture`: which CPU of a program for several to start it for, in LLVM's
    word, where the system has such programs (a Mac).
    """

    def __init__(
        self,
        program: str,
        arguments: Sequence[str] = (),
        *,
        environment: Mapping[str, str] | None = None,
        working_directory: str | None = None,
        disable_aslr: bool = True,
        through_shell: bool = False,
        shell_words: bool = False,
        wrapper: Sequence[str] = (),
        stdin: str | None = None,
        stdout: str | None = None,
        stderr: str | None = None,
        pty: bool = False,
        window_size: tuple[int, int] | None = None,
        new_session: bool = False,
        architecture: str = "",
    ) -> None:
        self.program = program
        self.arguments = arguments
        self.environment = environment
        self.working_directory = working_directory
        self.disable_aslr = disable_aslr
        self.through_shell = through_shell
        self.shell_words = shell_words
        self.wrapper = wrapper
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self.pty = pty
        self.window_size = window_size
        self.new_session = new_session
        self.architecture = architecture

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LaunchSpec) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"LaunchSpec({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"
