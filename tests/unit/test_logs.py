from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pydbgserver import logs


@pytest.fixture(autouse=True)
def quiet_afterwards() -> Iterator[None]:
    yield
    logs.configure(())


def test_channels_are_off_until_they_are_wanted(capfd: pytest.CaptureFixture[str]) -> None:
    logs.packets.write("never seen")
    assert not logs.enabled("packets")
    logs.configure(["packets"])
    assert logs.enabled("packets") and not logs.enabled("ptrace")
    logs.packets.write("<- $qC#b4")
    logs.ptrace.write("never seen")
    logs.configure(())
    logs.packets.write("never seen")
    assert capfd.readouterr().err == "[packets] <- $qC#b4\n"


def test_lines_go_to_a_file_with_times(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "log"
    path.write_text("before\n")
    logs.configure(["events"], path=str(path), timestamps=True)
    logs.events.write("first\nsecond \udcff")
    logs.configure(())
    before, first, second = path.read_text().splitlines()
    assert before == "before"
    assert re.fullmatch(r"\d+\.\d{6} \[events\] first", first)
    assert re.fullmatch(r"\d+\.\d{6} \[events\] second \\udcff", second)
    assert capfd.readouterr().err == ""


def test_problems_are_always_told(capfd: pytest.CaptureFixture[str]) -> None:
    logs.problem("one\ntwo")
    assert capfd.readouterr().err == "[problem] one\n[problem] two\n"


def test_an_unknown_channel_changes_nothing() -> None:
    logs.configure(["packets"])
    with pytest.raises(ValueError, match="no log channel nonsense; there are packets, ptrace, events, breakpoints"):
        logs.configure(["ptrace", "nonsense"])
    assert logs.enabled("packets") and not logs.enabled("ptrace")


def test_a_file_that_cannot_be_opened_changes_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        logs.configure(["packets"], path=str(tmp_path / "none" / "log"))
    assert not logs.enabled("packets")


def test_a_full_disk_is_no_reason_to_stop() -> None:
    logs.configure(["packets"], path="/dev/full")
    logs.packets.write("lost")


def test_the_old_file_is_closed(tmp_path: Path) -> None:
    logs.configure((), path=str(tmp_path / "first"))
    before = len(os.listdir("/proc/self/fd"))
    for number in range(5):
        logs.configure((), path=str(tmp_path / str(number)))
    assert len(os.listdir("/proc/self/fd")) == before
