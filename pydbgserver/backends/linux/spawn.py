"""Starting or seizing a process, and nothing more: what has to happen before the server says that it listens.

Only the C core and the exceptions are imported, since every import here is
waited for by whoever starts the server. `LinuxBackend.adopt` takes over.
"""

from __future__ import annotations

import os

from pydbgserver import logs, native
from pydbgserver.backends.command_line import DEFAULT_SHELL, command_line
from pydbgserver.backends.launch_strings import LaunchStrings
from pydbgserver.backends.linux import ptrace_log, system
from pydbgserver.errors import KernelError, LaunchError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pydbgserver.target.launch_spec import LaunchSpec

_lib = native.lib
_ffi = native.ffi


class Started:
    """A process that is stopped and traced by this server.

    `terminal`: the server's end of its terminal, -1 if it has none of its own. `foreground`: it was given the
    foreground of the server's terminal.
    """

    def __init__(self, pid: int, *, attached: bool, terminal: int = -1, foreground: bool = False) -> None:
        self.pid = pid
        self.attached = attached
        self.terminal = terminal
        self.foreground = foreground


def attach(pid: int) -> Started:
    """Seize and stop every thread of `pid`. Raises `AttachError` with the reason in words."""
    ptrace_log.follow()
    try:
        native.check(_lib.linux_attach(pid), f"cannot attach to process {pid}")
    except KernelError as error:
        from pydbgserver.backends.linux.denial import attach_error

        raise attach_error(pid, error) from None
    return Started(pid, attached=True)


def launch(spec: LaunchSpec) -> Started:
    """Start the program, stopped at its first instruction. Raises `LaunchError` with the reason in words."""
    environment = dict(os.environ if spec.environment is None else spec.environment)
    command = command_line(spec, environment.get("SHELL") or DEFAULT_SHELL, system)
    terminal, child_side = _open_terminal(spec) if spec.pty else (-1, -1)
    foreground = terminal < 0 and spec.stdin is None and _owns_terminal()
    ptrace_log.follow()
    strings = LaunchStrings(_ffi)
    raw = strings.launch_spec("linux_launch_spec", spec, command, environment)
    raw.execs = command.execs
    raw.terminal = child_side
    raw.foreground = foreground
    pid = _lib.linux_launch(raw)
    if child_side >= 0:
        os.close(child_side)
    if raw.aslr_refused:
        logs.problem("the kernel refused to switch address randomization off; the program runs with it on")
    if pid < 0:
        if terminal >= 0:
            os.close(terminal)
        raise _launch_error(spec, raw, -pid)
    if foreground:
        _Terminal.foreground = pid
    return Started(pid, attached=False, terminal=terminal, foreground=foreground)


def _open_terminal(spec: LaunchSpec) -> tuple[int, int]:
    """The server's and the program's end of a new terminal."""
    ends = os.openpty()
    if spec.window_size is not None:
        import termios

        termios.tcsetwinsize(ends[1], spec.window_size)
    return ends


def _launch_error(spec: LaunchSpec, raw: Any, error: int) -> LaunchError:
    """The failed step of a launch as an exception."""
    if raw.stage == _lib.LINUX_STAGE_EXITED:
        status = raw.exit_status
        how = f"signal {status & 0x7F}" if status & 0x7F else f"status {status >> 8}"
        return LaunchError(f"{spec.program} did not start: the process ended with {how} before it ran")
    doing = {
        _lib.LINUX_STAGE_FORK: "cannot fork",
        _lib.LINUX_STAGE_SESSION: "cannot set up the process group",
        _lib.LINUX_STAGE_TERMINAL: "cannot set up the terminal",
        _lib.LINUX_STAGE_STDIN: f"cannot open {spec.stdin} as standard input",
        _lib.LINUX_STAGE_STDOUT: f"cannot open {spec.stdout} as standard output",
        _lib.LINUX_STAGE_STDERR: f"cannot open {spec.stderr} as standard error",
        _lib.LINUX_STAGE_DIRECTORY: f"cannot change to directory {spec.working_directory}",
        _lib.LINUX_STAGE_SEIZE: "cannot trace the new process (ptrace is refused here; "
        "in a container allow it with --cap-add=SYS_PTRACE)",
        _lib.LINUX_STAGE_EXEC: f"cannot execute {spec.program}: execve failed",
    }
    return LaunchError(f"{doing.get(raw.stage, f'cannot start {spec.program}')}: {os.strerror(error)}", error)


class _Terminal:
    """The server's controlling terminal. `foreground`: the group of the program that was given it last, 0 for none."""

    foreground = 0


def _owns_terminal() -> bool:
    """True if standard input is our controlling terminal and we are in its foreground, or a program that we put
    there before."""
    try:
        return os.tcgetpgrp(0) in (os.getpgrp(), _Terminal.foreground)
    except OSError:
        return False
