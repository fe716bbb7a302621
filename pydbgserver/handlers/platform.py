"""Platform mode: the machine as lldb's `platform` commands see it, and the sessions that debug on it.

Shell commands, directories and permissions are there in every session, as in lldb-server; what starts and ends
sessions needs `Session.platform`.
"""

from __future__ import annotations

import errno
import os
import signal

from pydbgserver.errors import DebugError, Unsupported
from pydbgserver.rsp.registry import packet
from pydbgserver.rsp.replies import file_result, hex_text
from pydbgserver.session.options import SessionHost
from pydbgserver.session.session import Session

NO_SERVER = 9
NO_PENDING_SERVER = 4
NO_SPAWNED_PROCESS = 10
NO_COMMAND_RESULT = "F,ffffffff"
LONGEST_OUTPUT = 1 << 20
"""Bytes of a command's output in one reply; lldb has no way to ask for the rest."""

DEFAULT_SHELL = "/bin/sh"
WAIT_SECONDS = 10
"""For a command that comes without a timeout, as in lldb-server: the client waits no longer, either."""

NO_TIMEOUT = 0xFFFFFFFF
LONGEST_WAIT = 1_000_000
"""Seconds: eleven days. poll(2) can be asked for twice as many."""


def _host(session: Session) -> SessionHost:
    if session.platform is None:
        raise Unsupported("this is no platform server")
    return session.platform


def _failure(code: int, words: str) -> DebugError:
    return DebugError(words, code)


@packet("qLaunchGDBServer", "[':' options:text] [';' more:text]", dialect="lldb")
def launch_server(session: Session, options: str | None, more: str | None) -> str:
    """lldb connects next to where the reply says. What it asks for (host, port) changes nothing: there is one port for
    everybody. The manual has a colon where lldb's code has a semicolon."""
    host = _host(session)
    session.before_spawning()
    try:
        pid = host.launch()
    except (DebugError, OSError) as error:
        raise _failure(NO_SERVER, str(error)) from error
    reply = f"pid:{pid};port:{host.port};"
    if host.socket_path:
        reply += f"socket_name:{hex_text(host.socket_path).decode()};"
    return reply


@packet("qQueryGDBServer", dialect="lldb")
def query_server(session: Session) -> str:
    """Where a session waits with the program of the server's command line (`platform --server -- PROGRAM`); lldb
    connects there by itself. A list, of one at most here."""
    host = session.platform
    try:
        waiting = host is not None and host.waiting()
    except DebugError as error:
        raise _failure(NO_PENDING_SERVER, str(error)) from error
    if host is None or not waiting:
        raise _failure(NO_PENDING_SERVER, "no session waits with a program")
    import json

    place: dict[str, int | str] = {"port": host.port}
    if host.socket_path:
        place["socket_name"] = host.socket_path
    return json.dumps([place], separators=(",", ":"))


@packet("qKillSpawnedProcess", "':' pid:dec", dialect="lldb")
def kill_server(session: Session, pid: int) -> None:
    """Only sessions that this client has asked for."""
    if not _host(session).kill(pid):
        raise _failure(NO_SPAWNED_PROCESS, f"process {pid} is no session of yours")


@packet("qPlatform_shell", "':' command:hextext ',' timeout:hex [',' directory:hextext]", dialect="lldb")
def shell(session: Session, command: str, timeout: int, directory: str | None) -> bytes | str:
    """``F,STATUS,SIGNAL,OUTPUT``: standard output and errors as they come. A command that is not done in `timeout`
    seconds is killed with what it has started."""
    import subprocess

    session.before_spawning()
    try:
        process = subprocess.Popen(
            [DEFAULT_SHELL, "-c", command],
            cwd=directory or None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except (OSError, ValueError):
        return NO_COMMAND_RESULT
    with process:
        try:
            seconds = WAIT_SECONDS if timeout in (0, NO_TIMEOUT) else min(timeout, LONGEST_WAIT)
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return NO_COMMAND_RESULT
    status = process.returncode
    head = f"F,{max(status, 0):x},{max(-status, 0):x},"
    return head.encode() + output[:LONGEST_OUTPUT]


def _errno_reply(error: OSError | ValueError) -> bytes:
    """The plain errno after the F, which lldb takes for the result (not the form of vFile)."""
    return b"F%x" % ((error.errno or errno.EIO) if isinstance(error, OSError) else errno.EINVAL)


@packet("qPlatform_mkdir", "':' mode:hex ',' path:hextext", dialect="lldb")
def make_directory(session: Session, mode: int, path: str) -> bytes:
    """One that is there is no error, as in lldb-server; those above it have to be. `platform mkdir` without options
    asks for mode 0, and means what mkdir(1) does."""
    try:
        if not os.path.isdir(path):
            os.mkdir(path)
            if mode:
                os.chmod(path, mode & 0o7777)
    except (OSError, ValueError) as error:
        return _errno_reply(error)
    return file_result(0)


@packet("qPlatform_chmod", "':' mode:hex ',' path:hextext", dialect="lldb")
def change_mode(session: Session, mode: int, path: str) -> bytes:
    try:
        os.chmod(path, mode & 0o7777)
    except (OSError, ValueError) as error:
        return _errno_reply(error)
    return file_result(0)


@packet("qPathComplete", "':' directories_only:hex ',' path:hextext", dialect="lldb")
def complete_path(session: Session, directories_only: int, path: str) -> str:
    """``M`` and the paths that begin like `path`; a directory ends in a slash."""
    directory, beginning = os.path.split(os.path.expanduser(path))
    found = []
    try:
        with os.scandir(directory or ".") as entries:
            for entry in entries:
                if not entry.name.startswith(beginning) or (entry.name[0] == "." and not beginning):
                    continue
                if entry.is_dir():
                    found.append(os.path.join(directory, entry.name) + "/")
                elif not directories_only:
                    found.append(os.path.join(directory, entry.name))
    except (OSError, ValueError):
        found = []
    return "M" + ",".join(hex_text(one).decode() for one in sorted(found))
