"""When the backend hears of what the client wants."""

from __future__ import annotations

import pytest

from pydbgserver.session import stop_mode
from pydbgserver.target.api import RunOptions
from tests.sim.conversation import PID, Conversation, gdb, lldb


def heard(talk: Conversation, monkeypatch: pytest.MonkeyPatch) -> list[RunOptions]:
    """What the backend is told from now on."""
    told: list[RunOptions] = []
    monkeypatch.setattr(talk.backend, "set_options", told.append)
    return told


def test_in_all_stop_with_the_next_resume(monkeypatch: pytest.MonkeyPatch) -> None:
    talk = gdb()
    assert talk.raw("vCont;c") is None
    talk.session.run_control.interrupt()
    assert talk.poll()
    told = heard(talk, monkeypatch)
    talk.session.run_settings.change()
    assert not told
    assert talk.raw("vCont;c") is None
    assert told == [talk.session.run_settings.options]
    assert not talk.session.run_settings.changed


def test_in_non_stop_mode_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    talk = gdb()
    stop_mode.begin(talk.session)
    told = heard(talk, monkeypatch)
    talk.session.run_settings.change()
    assert told == [talk.session.run_settings.options]


def test_a_client_that_reads_no_descriptions_gets_plain_registers_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    talk = gdb()
    told = heard(talk, monkeypatch)
    talk.session.run_settings.negotiated(plain_registers=True)
    assert [one.plain_registers for one in told] == [True]


def test_vforks_are_not_reported_while_a_call_is_on() -> None:
    talk = lldb()
    settings = talk.session.run_settings
    assert settings.options.report_vforks
    settings.now_called([(PID, 1)])
    assert not settings.options.report_vforks
    settings.forget(PID + 1)
    assert not settings.options.report_vforks
    settings.forget(PID)
    assert settings.options.report_vforks and not settings.calls
