"""The C form of a launch, as far as it is the same for every system."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from pydbgserver.backends.command_line import CommandLine
    from pydbgserver.target.launch_spec import LaunchSpec


class LaunchStrings:
    """Keeps the C strings of a launch alive until it is over; they are encoded as file names are."""

    def __init__(self, ffi: Any) -> None:
        self._ffi = ffi
        self._kept: list[object] = []

    def _text(self, value: str | None) -> object:
        if value is None:
            return self._ffi.NULL
        self._kept.append(self._ffi.new("char[]", value.encode(errors="surrogateescape")))
        return self._kept[-1]

    def _vector(self, values: Sequence[str]) -> object:
        self._kept.append(self._ffi.new("char *[]", [*(self._text(value) for value in values), self._ffi.NULL]))
        return self._kept[-1]

    def launch_spec(self, name: str, spec: LaunchSpec, command: CommandLine, environment: Mapping[str, str]) -> Any:
        """A new C struct `name` with what all of them have."""
        raw = self._ffi.new(f"{name} *")
        raw.path = self._text(command.path)
        raw.argv = self._vector(command.arguments)
        raw.envp = self._vector([f"{key}={value}" for key, value in environment.items()])
        raw.directory = self._text(spec.working_directory)
        raw.stdin_path = self._text(spec.stdin)
        raw.stdout_path = self._text(spec.stdout)
        raw.stderr_path = self._text(spec.stderr)
        raw.new_session = spec.new_session
        raw.disable_aslr = spec.disable_aslr
        return raw
