"""What the next launch is made of."""

from __future__ import annotations

import pytest

from pydbgserver.session.launch import LaunchSettings
from pydbgserver.target.api import LaunchSpec


def test_gdb_changes_the_servers_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT", "1")
    monkeypatch.setenv("GONE", "1")
    settings = LaunchSettings()
    assert settings.set_variable("NEW=a=b")
    settings.variables["GONE"] = None
    spec = settings.spec(["prog"], client_expands=False)
    assert spec is not None and spec.environment is not None
    assert (spec.environment["KEPT"], spec.environment["NEW"]) == ("1", "a=b")
    assert "GONE" not in spec.environment
    assert spec.through_shell and not spec.pty


def test_lldb_sends_the_whole_environment_and_wants_the_output() -> None:
    settings = LaunchSettings()
    settings.set_variable("ONLY=this")
    spec = settings.spec(["prog", "*.c"], client_expands=True)
    assert spec is not None
    assert spec.environment == {"ONLY": "this"}
    assert spec.pty and not spec.through_shell


def test_without_changes_the_environment_is_the_servers_own() -> None:
    spec = LaunchSettings().spec(["prog"], client_expands=False)
    assert spec is not None and spec.environment is None


def test_lldb_that_sends_no_environment_wants_none() -> None:
    settings = LaunchSettings()
    for _ in range(2):
        spec = settings.spec(["prog"], client_expands=True)
        assert spec is not None and spec.environment == {}


def test_the_program_of_the_command_line_keeps_the_servers_environment_when_lldb_runs_it_again() -> None:
    settings = LaunchSettings(last=LaunchSpec("prog"))
    for _ in range(2):
        spec = settings.spec([""], client_expands=True)
        assert spec is not None and spec.environment is None


@pytest.mark.parametrize("wrong", ["NAME", "=value", ""])
def test_what_is_no_assignment_is_refused(wrong: str) -> None:
    assert not LaunchSettings().set_variable(wrong)


def test_the_last_program_runs_again() -> None:
    settings = LaunchSettings(last=LaunchSpec("prog", ("a*",), shell_words=True))
    again = settings.spec([""], client_expands=False)
    assert again is not None
    assert (again.program, again.arguments, again.shell_words) == ("prog", ("a*",), True)
    other = settings.spec(["", "b"], client_expands=False)
    assert other is not None
    assert (other.program, other.arguments, other.shell_words) == ("prog", ("b",), False)


def test_without_any_program_there_is_nothing_to_launch() -> None:
    assert LaunchSettings().spec([], client_expands=False) is None
