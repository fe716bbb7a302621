"""What the next launch gets: environment, working directory, standard streams, shell, address randomization."""

from __future__ import annotations

import errno
import os

from pydbgserver.errors import DebugError, MalformedPacket
from pydbgserver.rsp.registry import packet
from pydbgserver.session.session import Session


def _switch(packet_name: str, value: int) -> bool:
    if value not in (0, 1):
        raise MalformedPacket(f"{packet_name} takes 0 or 1")
    return value == 1


def _set_variable(session: Session, assignment: str) -> None:
    if not session.launch_settings.set_variable(assignment):
        raise MalformedPacket("an environment variable is set as NAME=VALUE")


@packet("QEnvironmentHexEncoded", "':' assignment:hextext", features=["QEnvironmentHexEncoded+"])
def set_encoded_variable(session: Session, assignment: str) -> None:
    _set_variable(session, assignment)


@packet("QEnvironment", "':' assignment:text", dialect="lldb")
def set_variable(session: Session, assignment: str) -> None:
    _set_variable(session, assignment)


@packet("QEnvironmentUnset", "':' name:hextext", features=["QEnvironmentUnset+"])
def unset_variable(session: Session, name: str) -> None:
    session.launch_settings.variables[name] = None


@packet("QEnvironmentReset", features=["QEnvironmentReset+"])
def reset_environment(session: Session) -> None:
    session.launch_settings.variables.clear()


def _with_home(path: str) -> str:
    """`path` with a leading ``~`` or ``~user`` as a shell of this machine takes it. gdb sends the words of `set cwd`
    as they were typed: gdbserver expands them, too (gdb/nat/fork-inferior.c)."""
    try:
        return os.path.expanduser(path)
    except ValueError:  # A NUL in the user's name.
        return path


@packet("QSetWorkingDir", "':' [path:hextext]", features=["QSetWorkingDir+"])
def set_working_directory(session: Session, path: str | None) -> None:
    """Without a path: the server's own again. A platform's client moves its whole session there: what it launches,
    its shell commands and its relative paths begin in that place."""
    path = _with_home(path) if path else None
    if session.platform is not None and path:
        try:
            os.chdir(path)
        except (OSError, ValueError) as error:
            raise DebugError(f"{path}: {error}", getattr(error, "errno", None) or errno.EINVAL) from error
    session.launch_settings.working_directory = path


@packet("QDisableRandomization", "':' value:dec", features=["QDisableRandomization+"])
def disable_randomization(session: Session, value: int) -> None:
    session.launch_settings.disable_aslr = _switch("QDisableRandomization", value)


@packet("QSetDisableASLR", "':' value:dec", dialect="lldb")
def disable_aslr(session: Session, value: int) -> None:
    session.launch_settings.disable_aslr = _switch("QSetDisableASLR", value)


@packet("QStartupWithShell", "':' value:dec", features=["QStartupWithShell+"])
def startup_with_shell(session: Session, value: int) -> None:
    session.launch_settings.through_shell = _switch("QStartupWithShell", value)


@packet("QSetSTDIN", "':' path:hextext", dialect="lldb")
def set_stdin(session: Session, path: str) -> None:
    session.launch_settings.stdin = path or None


@packet("QSetSTDOUT", "':' path:hextext", dialect="lldb")
def set_stdout(session: Session, path: str) -> None:
    session.launch_settings.stdout = path or None


@packet("QSetSTDERR", "':' path:hextext", dialect="lldb")
def set_stderr(session: Session, path: str) -> None:
    session.launch_settings.stderr = path or None


@packet("QSetSTDIOWindowSize", "':cols=' columns:dec ';rows=' rows:dec [';']", dialect="lldb")
def set_window_size(session: Session, columns: int, rows: int) -> None:
    """What the terminal of the next program says of itself (lldb 23 tells the size of its own)."""
    if not (0 < columns < 1 << 16 and 0 < rows < 1 << 16):
        raise MalformedPacket("a window has between 1 and 65535 columns and rows")
    session.launch_settings.window_size = (rows, columns)


@packet("QLaunchArch", "':' name:text", dialect="lldb")
def launch_architecture(session: Session, name: str) -> None:
    """Which slice of a fat file to run; ELF files have one."""
    session.launch_settings.architecture = name
