"""What is in the file, and when."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pydbgserver.errors import UsageError
from pydbgserver.rsp.transcript import LONGEST_LINE, Mark
from pydbgserver.transcripts.files import load
from pydbgserver.transcripts.recorder import BODIES_SUFFIX, Recorder, Recordings


def said(path: Path) -> list[str]:
    return [line.text for line in load(str(path)).lines]


def test_a_line_is_in_the_file_before_the_reply_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "a.rsp"
    recorder = Recorder(str(path), {"server": "test"})
    recorder.received(b"qC")
    recorder.sent(b"QC1")
    assert said(path) == ["<- qC", "-> QC1"]
    recorder.received(b"vCont;c")
    recorder.flush()
    recorder.mark(Mark.INTERRUPT)
    assert said(path) == ["<- qC", "-> QC1", "<- vCont;c", "<!"]
    recorder.sent(b"")
    recorder.sent(b"O68690a")
    recorder.received(b"I68690a")
    recorder.close()
    recorder.close()
    assert said(path)[4:] == ["->", "o> hi\\n", "<i hi\\n"]
    assert load(str(path)).header == {"server": "test"}


def test_large_bodies_go_into_the_side_file_once(tmp_path: Path) -> None:
    path = tmp_path / "a.rsp"
    large = os.urandom(LONGEST_LINE + 1)
    recorder = Recorder(str(path), {})
    for _ in range(3):
        recorder.sent(large)
    recorder.close()
    assert [line.body for line in load(str(path)).lines] == [large] * 3
    assert path.stat().st_size < LONGEST_LINE
    assert Path(f"{path}{BODIES_SUFFIX}").stat().st_size < 2 * LONGEST_LINE


def test_each_session_has_its_file(tmp_path: Path) -> None:
    recordings = Recordings(str(tmp_path / "a.rsp"))
    for body in (b"one", b"two"):
        recorder = recordings.begin()
        recorder.sent(body)
        recorder.close()
    assert said(tmp_path / "a.rsp") == ["-> one"]
    assert said(tmp_path / "a-2.rsp") == ["-> two"]


def test_where_nothing_can_be_recorded(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot record there: No such file or directory"):
        Recordings(str(tmp_path / "none" / "a.rsp"))
