"""What C is told of the files that a client has open."""

from __future__ import annotations

from pathlib import Path

from pydbgserver.session.direct_reads import direct_reads
from tests.sim.conversation import Conversation, gdb, lldb


def opened(talk: Conversation, path: Path, number: str, flags: str = "0", mode: str = "0") -> None:
    assert talk.ask(f"vFile:open:{bytes(path).hex()},{flags},{mode}") == f"F{number}"


def test_open_files_are_named_until_they_are_closed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    talk = lldb()
    assert direct_reads(talk.session) is None, "the simulated target has no functions for C"
    before = talk.session.reading
    opened(talk, path, "3")
    opened(talk, path, "4")
    files = {number: file.descriptor for number, file in talk.session.files.open_now.items()}
    reads = direct_reads(talk.session)
    assert reads is not None and dict(reads.files) == files and reads.read_memory is None
    with_both = talk.session.reading
    assert with_both != before
    talk.ask("vFile:close:3")
    reads = direct_reads(talk.session)
    assert reads is not None and reads.files == ((4, files[4]),)
    opened(talk, path, "3")
    assert talk.session.reading != with_both, "the number is the same, the file is another one"
    talk.ask("vFile:close:3")
    talk.ask("vFile:close:4")
    assert direct_reads(talk.session) is None
    assert talk.session.reading == before


def test_decimal_numbers_are_left_to_the_session(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    talk = lldb()
    opened(talk, path, "3")
    before = talk.session.reading
    opened(talk, path, "4", flags="1", mode="180")
    assert talk.session.dialect.decimal_files
    assert talk.session.reading != before
    assert direct_reads(talk.session) is None


def test_a_failed_open_changes_nothing(tmp_path: Path) -> None:
    talk = gdb()
    before = talk.session.reading
    assert talk.ask(f"vFile:open:{bytes(tmp_path / 'none').hex()},0,0") == "F-1,2"
    assert talk.session.reading == before
