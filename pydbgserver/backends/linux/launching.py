"""A `LaunchSpec` -> the command line that is really executed, and failures in words."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
from dataclasses import dataclass

from pydbgserver import native
from pydbgserver.backends.linux.tracer import LaunchOutcome
from pydbgserver.errors import LaunchError
from pydbgserver.target.api import LaunchSpec

_lib = native.lib
DEFAULT_SHELL = "/bin/sh"


@dataclass(frozen=True, slots=True)
class CommandLine:
    """`path` is executed with `arguments` (argv[0] included); the program itself starts at exec number `execs`."""

    path: str
    arguments: list[str]
    execs: int


def find_program(spec: LaunchSpec) -> str:
    """The program's path: as given, beside the working directory, or from PATH. Raises `LaunchError`."""
    directory = spec.working_directory or os.getcwd()
    beside = os.path.join(directory, spec.program)
    path = beside if "/" in spec.program or os.path.isfile(beside) else shutil.which(spec.program)
    if path is None or not os.path.exists(path):
        raise LaunchError(f"No such file or directory: {spec.program}", errno.ENOENT)
    if os.path.isdir(path):
        raise LaunchError(f"Is a directory: {spec.program}", errno.EISDIR)
    if not os.access(path, os.X_OK):
        raise LaunchError(f"Permission denied: {spec.program} is not executable", errno.EACCES)
    return path


def command_line(spec: LaunchSpec, shell: str) -> CommandLine:
    """What to execute for `spec`: the program, its wrapper, or a shell that becomes one of them."""
    program = find_program(spec)
    words = [*spec.wrapper, program, *spec.arguments]
    execs = 2 if spec.wrapper else 1
    if spec.through_shell:
        quoted = [shlex.quote(word) for word in (*spec.wrapper, program)]
        quoted += spec.arguments if spec.shell_words else [shlex.quote(word) for word in spec.arguments]
        return CommandLine(shell, [shell, "-c", "exec " + " ".join(quoted)], execs + 1)
    if spec.wrapper:
        wrapper = shutil.which(spec.wrapper[0])
        if wrapper is None:
            raise LaunchError(f"No such file or directory: {spec.wrapper[0]} (the wrapper)", errno.ENOENT)
        return CommandLine(wrapper, words, execs)
    return CommandLine(program, words, execs)


def launch_error(spec: LaunchSpec, outcome: LaunchOutcome) -> LaunchError:
    """The failed step of a launch as an exception."""
    reason = os.strerror(outcome.error)
    subject = {
        _lib.LINUX_STAGE_FORK: "cannot fork",
        _lib.LINUX_STAGE_SESSION: "cannot set up the process group",
        _lib.LINUX_STAGE_TERMINAL: "cannot set up the terminal",
        _lib.LINUX_STAGE_STDIN: f"cannot open {spec.stdin} as standard input",
        _lib.LINUX_STAGE_STDOUT: f"cannot open {spec.stdout} as standard output",
        _lib.LINUX_STAGE_STDERR: f"cannot open {spec.stderr} as standard error",
        _lib.LINUX_STAGE_DIRECTORY: f"cannot change to directory {spec.working_directory}",
        _lib.LINUX_STAGE_SEIZE: "cannot trace the new process (ptrace is refused here; "
        "in a container allow it with --cap-add=SYS_PTRACE)",
        _lib.LINUX_STAGE_EXEC: f"cannot execute {spec.program}",
    }
    if outcome.stage == _lib.LINUX_STAGE_EXITED:
        status = outcome.exit_status
        how = f"signal {status & 0x7F}" if status & 0x7F else f"status {status >> 8}"
        return LaunchError(f"{spec.program} did not start: the process ended with {how} before it ran")
    return LaunchError(f"{subject.get(outcome.stage, 'cannot start ' + spec.program)}: {reason}", outcome.error)
