"""What the command line asks for, as frozen settings.

Plain classes instead of dataclasses, and no `typing` at run time: importing these two takes as long (15 ms) as
everything else that happens before the server listens. Type checkers take any variable of this name for true.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

TCP = "tcp"
UNIX = "unix"
ABSTRACT = "abstract"
SERIAL = "serial"
STDIO = "stdio"
DESCRIPTOR = "descriptor"


class Settings:
    """Attributes with defaults, replaced by keyword, and not changed afterwards."""

    def __init__(self, **values: Any) -> None:
        for name, value in values.items():
            if name not in self.__class__.__annotations__:
                raise TypeError(f"{self.__class__.__name__} has no setting {name!r}")
            self.__dict__[name] = value

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{self.__class__.__name__} is frozen")

    def __eq__(self, other: object) -> bool:
        return self.__class__ is other.__class__ and self._all() == other.__class__._all(other)

    def __hash__(self) -> int:
        return hash(tuple(self._all().items()))

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({', '.join(f'{name}={value!r}' for name, value in self.__dict__.items())})"

    def _all(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.__class__.__annotations__}

    def replace(self, **values: Any) -> Any:
        """A copy with some settings changed."""
        return self.__class__(**{**self.__dict__, **values})


class Endpoint(Settings):
    """Where the client is: one COMM argument, one URL or one descriptor.

    `kind` is one of the names above. TCP has `host` ("" for this machine only, "*" for every address), `port`
    (0: the kernel chooses) and `family` (4, 6, or 0 for either). UNIX and SERIAL have a `path`; ABSTRACT has the name
    in it. SERIAL may have a `speed` in baud, 0 to leave it. DESCRIPTOR has a connected `descriptor`. `connect`:
    reach out to a waiting client instead of listening (TCP, UNIX and ABSTRACT only).
    """

    kind: str = STDIO
    host: str = ""
    port: int = 0
    family: int = 0
    path: str = ""
    speed: int = 0
    descriptor: int = -1
    connect: bool = False


class Options(Settings):
    """One run of the server.

    `style` is "gdb" (gdbserver's command line and manners) or "lldb" (lldb-server's: one connection, then the end).
    `program` holds the program and its arguments; `attach` a pid in decimal or, in lldb style, a process' name; with
    neither of them the client launches or attaches.
    """

    style: str = "gdb"
    backend: str = ""
    """--backend: a name of `pydbgserver.backends.names`; "": this system's own."""
    endpoint: Endpoint = Endpoint()
    program: tuple[str, ...] = ()
    attach: str = ""
    multi: bool = False
    """--multi: stay without a program, and when the last one has ended."""
    once: bool = False
    """End with the first connection."""
    wrapper: tuple[str, ...] = ()
    through_shell: bool = True
    disable_aslr: bool = True
    on_disconnect: str = ""
    """"detach", "kill" or "stop": what becomes of the target when a client vanishes; "": see `server.farewell`."""
    disabled_packets: frozenset[str] = frozenset()
    log_channels: tuple[str, ...] = ()
    log_file: str = ""
    log_timestamps: bool = False
    port_descriptor: int = -1
    """--pipe: gets the bound port or path as text with a NUL after it."""
    port_path: str = ""
    """--named-pipe: the same, by path."""
    new_session: bool = False
    """--setsid."""
    port_socket: str = ""
    """--unix-socket: the same as --named-pipe, to who listens at this path."""
    architecture: str = ""
    """--arch: which of the program's CPUs to start it for."""
    stdin: str = ""
    stdout: str = ""
    stderr: str = ""
    working_directory: str = ""
    environment: tuple[str, ...] | None = None
    """--env: NAME=VALUE of everything the program has in it; None: what the server has."""
    forward_environment: bool = False
    """--forward-env: beside that, what the server has."""
    wait_for: str = ""
    """--waitfor: attach to the next program of this name that is started."""
    wait_interval: float = 0.01
    wait_duration: float = 0.0
    """Seconds between looks, and until giving up (0: never)."""
    ignored_exceptions: frozenset[str] = frozenset()
    """Mach exceptions that are left to the system, by name."""
    platform: bool = False
    """Platform mode: `endpoint` is for platform and debug connections alike."""
    server: bool = False
    """--server: platform mode goes on when its first client has gone."""
    socket_file: str = ""
    """--socket-file: gets the bound port or path as text, all at once."""
    port_offset: int = 0
    """--port-offset: what the reported port has on top of the bound one."""
    record: str = ""
    """--record: the file that gets a transcript of the session."""
    record_level: str = "packets"
    """--record-level: "packets", or "kernel" for the backend's calls, too."""


class Task(Settings):
    """The command line asks for something else than a server: `run` does it and gives the exit status."""

    run: Callable[[], int]


class Answer(Settings):
    """The command line asks for words, not for a server: `text` on stdout, then the end with `status`."""

    text: str = ""
    status: int = 0
