"""Uploads through vFile: a file has its name only when it is whole."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.sim.conversation import Conversation, lldb

UPLOAD = "40000601"
"""Create, empty, write and close on exec, as lldb's put-file opens a file."""


@pytest.fixture
def talk() -> Conversation:
    return lldb()


def begin(talk: Conversation, path: Path, data: str = "new content", mode: str = "1ed") -> None:
    assert talk.ask(f"vFile:open:{os.fsencode(path).hex()},{UPLOAD},{mode}") == "F3"
    assert talk.ask(f"vFile:pwrite:3,0,{data}") == f"F{len(data):x}"


def only(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


def test_a_new_file_is_not_there_before_it_is_closed(talk: Conversation, tmp_path: Path) -> None:
    path = tmp_path / "file"
    begin(talk, path)
    assert not path.exists()
    assert talk.ask("vFile:close:3") == "F0"
    assert path.read_text() == "new content"
    assert path.stat().st_mode & 0o777 == 0o755 & ~current_umask()
    assert only(tmp_path) == ["file"]


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_broken_off_upload_leaves_what_was_there(talk: Conversation, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old content")
    begin(talk, path)
    assert path.read_text() == "old content"
    talk.session.connection_lost()
    assert path.read_text() == "old content"
    assert only(tmp_path) == ["file"]


def test_a_broken_off_upload_of_a_new_file_leaves_nothing(talk: Conversation, tmp_path: Path) -> None:
    begin(talk, tmp_path / "file")
    talk.session.connection_lost()
    assert only(tmp_path) == []


def test_permissions_of_a_replaced_file_stay(talk: Conversation, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o640)
    begin(talk, path)
    talk.ask("vFile:close:3")
    assert path.read_text() == "new content"
    assert path.stat().st_mode & 0o7777 == 0o640


def test_a_failed_write_fails_the_upload(talk: Conversation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_text("old content")
    begin(talk, path)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        assert talk.ask("vFile:pwrite:3,b,more") == "F-1,1c"
    assert talk.ask("vFile:close:3") == "F-1,1c"
    assert path.read_text() == "old content"
    assert only(tmp_path) == ["file"]
    assert talk.ask("vFile:close:3") == "F-1,9"


def test_a_link_stays_a_link(talk: Conversation, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to("file")
    begin(talk, tmp_path / "link")
    talk.ask("vFile:close:3")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "new content"


def test_another_name_of_a_file_sees_the_new_content(talk: Conversation, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    (tmp_path / "other").hardlink_to(tmp_path / "file")
    begin(talk, tmp_path / "file")
    talk.ask("vFile:close:3")
    assert (tmp_path / "other").read_text() == "new content"


def test_a_device_is_written_to_at_once(talk: Conversation) -> None:
    begin(talk, Path("/dev/null"))
    assert talk.ask("vFile:close:3") == "F0"
    assert Path("/dev/null").is_char_device()


def test_a_running_program_can_be_replaced(talk: Conversation, tmp_path: Path) -> None:
    """In place it could not: the kernel keeps a program that runs from being written to (ETXTBSY)."""
    import shutil
    import subprocess

    path = tmp_path / "sleep"
    shutil.copy("/bin/sleep", path)
    with subprocess.Popen([path, "60"]) as running:
        begin(talk, path)
        assert talk.ask("vFile:close:3") == "F0"
        running.kill()
    assert path.read_text() == "new content"


@pytest.mark.parametrize(("name", "error"), [("no/file", "2"), ("", "15"), ("file/", "15")])
def test_what_cannot_be_made_is_said_at_once(talk: Conversation, tmp_path: Path, name: str, error: str) -> None:
    path = os.fsencode(f"{tmp_path}/{name}").hex()
    assert talk.ask(f"vFile:open:{path},{UPLOAD},1ed") == f"F-1,{error}"


def test_other_ways_of_opening_write_in_place(talk: Conversation, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old content")
    for flags in ("2", "1", "201", "401", "602"):
        assert talk.ask(f"vFile:open:{os.fsencode(path).hex()},{flags},1a4") == "F3"
        assert talk.ask("vFile:pwrite:3,0,NEW") == "F3"
        assert path.read_text().startswith("NEW")
        talk.ask("vFile:close:3")
        path.write_text("old content")


def test_lldb_before_14_has_flags_of_its_own_and_decimal_numbers(talk: Conversation, tmp_path: Path) -> None:
    path = tmp_path / "file"
    name = os.fsencode(path).hex()
    assert talk.ask(f"vFile:open:{name},0000012a,000001ed") == "F3"
    assert talk.ask("vFile:pwrite:3,0,abcdefghijklmnop") == "F16"
    assert talk.ask("vFile:pwrite:3,16,qrstuvwxyz") == "F10"
    assert talk.ask("vFile:close:3") == "F0"
    assert path.read_text() == "abcdefghijklmnopqrstuvwxyz"
    assert talk.ask(f"vFile:open:{name},00000001,00000180") == "F3"
    assert talk.ask("vFile:pread:3,12,14") == "F12;opqrstuvwxyz"
    assert talk.ask("vFile:pread:3,a,0") == "F-1,22"
    for number in range(4, 12):
        assert talk.ask(f"vFile:open:{name},00000001,00000180") == f"F{number}"
    assert talk.ask("vFile:pread:11,1,0") == "F1;a"
    assert talk.ask("vFile:close:11") == "F0"
    assert talk.ask("vFile:close:11") == "F-1,9"
    assert talk.ask(f"vFile:open:{os.fsencode(tmp_path / 'no' / 'file').hex()},12a,1ed") == "F-1,2"
