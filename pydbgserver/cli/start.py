"""From options to a server that listens, in gdbserver's order: bind, start or attach, say so, then serve.

Time counts until the port is known, so that everything heavy comes after it: what starts a program is kept apart
from the backend that debugs it, and the event loop (trio takes six times as long to import as lldb-server to start)
comes last.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
from contextlib import suppress

from pydbgserver import backends
from pydbgserver.errors import DebugError, LaunchError, UsageError
from pydbgserver.options import STDIO, Options
from pydbgserver.server.listen import Listener, is_loopback, open_listener

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pydbgserver.backends import Started, System
    from pydbgserver.session.options import SessionOptions
    from pydbgserver.target.api import Backend
    from pydbgserver.target.launch_spec import LaunchSpec
    from pydbgserver.transcripts.recorder import Recordings

SHELL_STATUSES = {errno.ENOENT: (127, "not found"), errno.EACCES: (126, "Permission denied")}
"""With what a shell ends that cannot execute a program (POSIX, "Exit Status for Commands"), and what it says."""


def start(options: Options) -> None:
    """Run the server that `options` describe, to its end.

    Raises `UsageError` and `DebugError` for what keeps it from starting.
    """
    if options.new_session:
        with suppress(PermissionError):  # It leads a session already.
            os.setsid()
    _configure_logs(options)
    recordings = _open_recordings(options)
    system = backends.system(options.backend)
    if system.NOTICE:
        _say(f"pydbgserver: {system.NOTICE}", lldb=False)
    listener = open_listener(options.endpoint)
    if options.endpoint.kind == STDIO and options.style != "lldb":
        _say("stdin/stdout redirected", lldb=False)
    if options.platform:
        _serve_platform(options, listener, recordings)
        return
    backend = None
    try:
        started = _bring_target(system, options)
        announce(options, listener)
        gc.disable()  # Modules are no garbage: to look for some while they are imported takes a twentieth of the time.
        backend = system.make_backend(started)
        _serve(options, backend, listener, recordings)
    finally:
        listener.close()
        if backend is not None:
            backend.release()


def _configure_logs(options: Options) -> None:
    if not options.log_channels:
        return
    from pydbgserver import logs

    path = options.log_file or None
    try:
        logs.configure(options.log_channels, path=path, timestamps=options.log_timestamps)
    except OSError as error:
        raise UsageError(f"{path}: cannot log there: {error.strerror}") from None


def _open_recordings(options: Options) -> Recordings | None:
    if not options.record:
        return None
    from pydbgserver.transcripts.recorder import Recordings

    recordings = Recordings(options.record)
    if options.record_level == "kernel":
        from pydbgserver.backends.linux import kernel_recording

        kernel_recording.install(recordings.kernel)
    return recordings


def _describe_session(options: Options, backend: Backend | None = None) -> dict[str, str]:
    """The header of a transcript."""
    from pydbgserver.cli.words import version

    header = {"server": f"pydbgserver {version()}", "style": options.style}
    from shlex import join

    if options.program:
        header |= {"program": options.program[0], "arguments": join(options.program[1:])}
    if options.record_level == "kernel":
        header["command"] = join(sys.argv[1:])
    if backend is not None and backend.processes:
        from pydbgserver.server.description import describe

        for process in backend.processes.values():
            header = describe(backend, process) | header
    return {key: value for key, value in header.items() if value}


def _serve(options: Options, backend: Backend, listener: Listener, recordings: Recordings | None) -> None:
    from pydbgserver.server import serve

    gc.freeze()
    gc.enable()
    if recordings is not None:
        recordings.header = _describe_session(options, backend)
    serve.run(options, session_options(options), backend, listener, recordings)


def _serve_platform(options: Options, listener: Listener, recordings: Recordings | None) -> None:
    try:
        announce(options, listener)
        from pydbgserver.server import platform

        if recordings is not None:
            recordings.header = _describe_session(options)
        platform.run(options, session_options(options), listener, recordings)
    finally:
        listener.close()


# The target.


def launch_spec(options: Options) -> LaunchSpec:
    """How the program of the command line is started: its output goes to the client if that is lldb's way."""
    from pydbgserver.target.launch_spec import LaunchSpec

    return LaunchSpec(
        program=options.program[0],
        arguments=options.program[1:],
        disable_aslr=options.disable_aslr,
        through_shell=options.through_shell,
        wrapper=options.wrapper,
        pty=options.style == "lldb",
        environment=_environment(options),
        working_directory=options.working_directory or None,
        stdin=options.stdin or None,
        stdout=options.stdout or None,
        stderr=options.stderr or None,
        architecture=options.architecture,
    )


def _environment(options: Options) -> dict[str, str] | None:
    if options.environment is None and not options.forward_environment:
        return None
    own = dict(os.environ) if options.forward_environment else {}
    return own | dict(one.partition("=")[::2] for one in options.environment or ())


def session_options(options: Options) -> SessionOptions:
    """What the command line decides for every session."""
    from pydbgserver.session.dialect import Client
    from pydbgserver.session.options import SessionOptions

    return SessionOptions(
        presumed=Client.LLDB if options.style == "lldb" else Client.UNKNOWN,
        program=launch_spec(options) if options.program else None,
        extended=options.multi,
        disable_aslr=options.disable_aslr,
        through_shell=options.through_shell,
        wrapper=options.wrapper,
        disabled_packets=options.disabled_packets,
        ignored_exceptions=options.ignored_exceptions,
    )


def _bring_target(system: System, options: Options) -> Started | None:
    """Start the program or attach, and say so in the words that scripts wait for."""
    lldb = options.style == "lldb"
    if options.attach or options.wait_for:
        started = _attach(system, options.attach) if options.attach else _attach_to_next(system, options)
        _say(f"Attached to process {started.pid}..." if lldb else f"Attached; pid = {started.pid}", lldb=lldb)
        return started
    if not options.program:
        return None
    name = options.program[0]
    started = system.launch(launch_spec(options))
    pid = started.pid
    _say(f"Launched '{name}' as process {pid}..." if lldb else f"Process {name} created; pid = {pid}", lldb=lldb)
    return started


def _attach(system: System, target: str) -> Started:
    """Attach to a pid or to the one process of that name. Raises `UsageError` and `DebugError`."""
    if target.isdigit():
        return system.attach(int(target))
    name = os.path.basename(target)
    pids = system.processes_named(name)
    if len(pids) != 1:
        how_many = f"{len(pids)} processes are" if pids else "no process is"
        raise UsageError(f"error: {how_many} named {name}")
    return system.attach(pids[0])


def _attach_to_next(system: System, options: Options) -> Started:
    """Attach to the next program of the name that is started. Raises `UsageError` when the time is over."""
    from time import monotonic, sleep

    name = os.path.basename(options.wait_for)
    not_meant = set(system.processes_named(name))
    until = monotonic() + options.wait_duration if options.wait_duration else float("inf")
    while not (found := set(system.processes_named(name)) - not_meant):
        if monotonic() >= until:
            raise UsageError(f"error: no program named {name} was started in {options.wait_duration:g} seconds")
        sleep(options.wait_interval)
    return system.attach(min(found))


def _say(text: str, *, lldb: bool) -> None:
    """gdbserver talks on stderr, lldb-server on stdout. Nobody has to listen."""
    with suppress(OSError, ValueError):
        print(text, file=sys.stdout if lldb else sys.stderr, flush=True)


# The port.


def announce(options: Options, listener: Listener) -> None:
    """Tell whoever asked where the server listens, and everybody else how to connect there."""
    if not listener.place:
        return
    told = _write_place(options, listener.place)
    if listener.host and not is_loopback(listener.host):
        _say(f"warning: whoever can reach {listener.host} port {listener.port} can run programs as you", lldb=False)
    if not told:
        _say(listener.listening, lldb=False)
        for line in connect_lines(options, listener):
            _say(line, lldb=False)


def _write_place(options: Options, place: str) -> bool:
    """--pipe and --named-pipe. Raises `UsageError`."""
    text = place.encode() + b"\0"
    try:
        if options.port_descriptor >= 0:
            os.write(options.port_descriptor, text)
            os.close(options.port_descriptor)
        if options.port_path:
            with open(options.port_path, "wb", buffering=0) as pipe:
                pipe.write(text)
        if options.port_socket:
            import socket

            with socket.socket(socket.AF_UNIX) as parent:
                parent.connect(options.port_socket)
                parent.sendall(text)
        if options.socket_file:
            # Whoever waits for the file must not find it empty.
            unfinished = f"{options.socket_file}.{os.getpid()}"
            with open(unfinished, "w", encoding="utf-8") as file:
                file.write(place)
            os.replace(unfinished, options.socket_file)
    except OSError as error:
        raise UsageError(f"error: cannot write the port to {error.filename or 'the pipe'}: {error.strerror}") from None
    return options.port_descriptor >= 0 or bool(options.port_path or options.port_socket)


def connect_lines(options: Options, listener: Listener) -> list[str]:
    """The commands that connect gdb and lldb to this server."""
    from shlex import quote

    program = f" {quote(options.program[0])}" if options.program else ""
    remote = "extended-remote" if options.multi else "remote"
    if options.platform:
        return _platform_lines(listener)
    if listener.port is None:
        gdb = f"target {remote} {listener.place}"
        lldb = f"process connect --plugin gdb-remote unix-connect://{listener.place}"
    elif is_loopback(listener.host) and ":" not in listener.host:
        gdb, lldb = f"target {remote} :{listener.port}", f"gdb-remote {listener.port}"
    else:
        host = _reachable_name(listener.host)
        gdb, lldb = f"target {remote} {host}:{listener.port}", f"gdb-remote {host}:{listener.port}"
    return [f"  gdb{program} -ex '{gdb}'", f"  lldb{program} -o '{lldb}'"]


def _platform_lines(listener: Listener) -> list[str]:
    url = f"unix-connect://{listener.place}"
    if listener.port is not None:
        url = f"connect://{_reachable_name(listener.host)}:{listener.port}"
    return [f"  lldb -o 'platform select remote-linux' -o 'platform connect {url}'"]


def _reachable_name(host: str) -> str:
    """What a client on another machine would call this address."""
    if host in ("0.0.0.0", "::"):
        import socket

        return socket.gethostname()
    return f"[{host}]" if ":" in host else host


def report_failure(error: Exception, options: Options | None) -> None:
    """Why the server did not start, in one line, and gdbserver's last words, which scripts look for."""
    lldb = options is not None and options.style == "lldb"
    prefix = "error: " if lldb and isinstance(error, DebugError) else ""
    _say(f"{prefix}{error}", lldb=False)
    if options is None or lldb:
        return
    if isinstance(error, LaunchError) and error.code in SHELL_STATUSES and not options.wrapper:
        status, reason = SHELL_STATUSES[error.code]
        _say(f"exec: {options.program[0]}: {reason}", lldb=False)
        _say(f"During startup program exited with code {status}.", lldb=False)
    _say("Exiting", lldb=False)
