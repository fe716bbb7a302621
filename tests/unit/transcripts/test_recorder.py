"""What is in the file, and when."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pydbgserver.errors import UsageError
from pydbgserver.rsp.transcript import LONGEST_LINE, Mark, TranscriptError
from pydbgserver.transcripts.files import load
from pydbgserver.transcripts.growing import STEP
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
    assert said(path)[-1] == "<- vCont;c"
    recorder.mark(Mark.INTERRUPT)
    assert said(path) == ["<- qC", "-> QC1", "<- vCont;c", "<!"]
    recorder.sent(b"")
    recorder.sent(b"O68690a")
    recorder.received(b"I68690a")
    recorder.close()
    recorder.close()
    assert said(path)[4:] == ["->", "o> hi\\n", "<i hi\\n"]
    assert load(str(path)).header == {"server": "test", "client": "unknown"}


@pytest.mark.parametrize(("header", "client"), [({}, "gdb"), ({"client": "gdb 16.3"}, "gdb 16.3")])
def test_the_header_gets_the_client_that_turns_out(header: dict[str, str], client: str, tmp_path: Path) -> None:
    path = tmp_path / "a.rsp"
    recorder = Recorder(str(path), header | {"server": "test"})
    recorder.received(b"vMustReplyEmpty")
    recorder.name_client("gdb")
    recorder.sent(b"")
    assert load(str(path)).header == {"client": client, "server": "test"}
    recorder.close()
    recorder.name_client("lldb")
    assert load(str(path)).header == {"client": client, "server": "test"}
    assert said(path) == ["<- vMustReplyEmpty", "->"]


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


def test_a_side_file_is_compressed_at_the_end(tmp_path: Path) -> None:
    path, side = tmp_path / "a.rsp", tmp_path / f"a.rsp{BODIES_SUFFIX}"
    bodies = [number.to_bytes(LONGEST_LINE + 1) for number in range(50)]
    recorder = Recorder(str(path), {})
    for body in bodies:
        recorder.sent(body)
    assert [line.body for line in load(str(path)).lines] == bodies
    assert side.stat().st_size > 50 * LONGEST_LINE
    recorder.close()
    assert [line.body for line in load(str(path)).lines] == bodies
    assert side.stat().st_size < LONGEST_LINE
    assert {file.name for file in tmp_path.iterdir()} == {path.name, side.name}


def test_every_line_is_there_wherever_the_file_grows(tmp_path: Path) -> None:
    path = tmp_path / "a.rsp"
    recorder = Recorder(str(path), {"server": "test"})
    bodies = [b"%d " % number + b"A" * (number * 37 % LONGEST_LINE) for number in range(300)]
    for body in bodies:
        recorder.received(body[:LONGEST_LINE])
        recorder.sent(body[:LONGEST_LINE])
    whole = load(str(path)).lines
    recorder.close()
    assert [line.body for line in whole] == [body[:LONGEST_LINE] for body in bodies for _ in range(2)]
    assert load(str(path)).lines == whole
    assert path.stat().st_size > 3 * STEP
    assert path.read_bytes().endswith(b"\n")


KILLED = """
import os, signal, sys
from pydbgserver.transcripts.recorder import Recorder
recorder = Recorder(sys.argv[1], {"server": "test"})
for number in range(int(sys.argv[2])):
    recorder.received(b"m%x,8" % number)
    recorder.sent(b"%08x" % number)
recorder.received(b"vCont;c")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("count", [0, 1, 20_000])
def test_a_killed_recorder_leaves_all_that_was_said(count: int, tmp_path: Path) -> None:
    path = tmp_path / "a.rsp"
    ended = subprocess.run([sys.executable, "-c", KILLED, str(path), str(count)], timeout=60, check=False)
    assert ended.returncode == -signal.SIGKILL
    expected = [text for number in range(count) for text in (f"<- m{number:x},8", f"-> {number:08x}")]
    assert said(path) == [*expected, "<- vCont;c"]


def test_a_file_that_is_being_recorded_into_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.rsp"
    recorder = Recorder(str(path), {})
    recorder.sent(b"one")
    with pytest.raises(UsageError, match=r"a\.rsp: cannot record there: another session is being recorded there"):
        Recordings(str(path))
    recorder.sent(b"two")
    recorder.close()
    assert said(path) == ["-> one", "-> two"]
    Recordings(str(path))


FULL = """
import resource, sys
from pydbgserver.rsp.transcript import LONGEST_LINE, Mark
from pydbgserver.transcripts.growing import STEP
from pydbgserver.transcripts.recorder import Recorder
recorder = Recorder(sys.argv[1], {})
resource.setrlimit(resource.RLIMIT_FSIZE, (STEP, STEP))
body = b"A" * LONGEST_LINE
for _ in range(STEP // LONGEST_LINE + 1):
    recorder.received(body)
recorder.sent(b"QC1")
recorder.sent(body * 2)
recorder.mark(Mark.CLIENT_GONE)
recorder.close()
"""


def test_a_full_disk_ends_the_recording_and_not_the_session(tmp_path: Path) -> None:
    path = tmp_path / "a.rsp"
    ended = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, f"[problem] {path}: the recording ends here: File too large\n")
    lines = load(str(path)).lines
    assert STEP // LONGEST_LINE - 5 < len(lines) <= STEP // LONGEST_LINE
    assert all(line.body == b"A" * LONGEST_LINE for line in lines)


FULL_SIDE_FILE = """
import resource, sys
from pydbgserver.transcripts.recorder import Recorder
recorder = Recorder(sys.argv[1], {})
recorder.sent(bytes(9000))
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 18, 1 << 18))
for number in range(1, 40):
    recorder.sent(number.to_bytes(9000))
recorder.close()
"""


def test_a_disk_that_is_full_in_the_middle_of_a_large_body(tmp_path: Path) -> None:
    path = tmp_path / "a.rsp"
    command = [sys.executable, "-c", FULL_SIDE_FILE, str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr.count("[problem]")) == (0, 1), ended.stderr
    assert f"[problem] {path}: the recording ends here: " in ended.stderr
    assert [line.body for line in load(str(path)).lines] == [number.to_bytes(9000) for number in range(28)]
    assert path.stat().st_size < LONGEST_LINE


@pytest.mark.parametrize("kept", [0, 100, 4096, STEP, STEP + 4096])
def test_a_file_that_somebody_cuts_off_ends_the_recording_and_not_the_session(
    kept: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.rsp"
    recorder = Recorder(str(path), {})
    bodies = [b"%d " % number + b"A" * LONGEST_LINE for number in range(4 * STEP // LONGEST_LINE)]
    for body in bodies:
        recorder.received(body[:LONGEST_LINE])
    before = path.read_bytes()[:kept]
    os.truncate(path, kept)
    for body in bodies * 2:
        recorder.received(body[:LONGEST_LINE])
    recorder.sent(b"A" * LONGEST_LINE * 2)
    assert capfd.readouterr().err == f"[problem] {path}: the recording ends here: somebody else has cut the file off\n"
    recorder.close()
    assert (path.read_bytes(), capfd.readouterr().err) == (before, "")


def test_a_file_that_somebody_else_has_written_over_is_left_to_them(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.rsp"
    recorder = Recorder(str(path), {})
    path.write_bytes(b"something else\n")
    recorder.received(b"qC")
    recorder.close()
    assert path.read_bytes() == b"something else\n"
    assert "what was recorded is not all there: somebody else has cut the file off" in capfd.readouterr().err


def test_a_side_file_that_somebody_cuts_off(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.rsp"
    recorder = Recorder(str(path), {})
    recorder.sent(bytes(9000))
    os.truncate(f"{path}{BODIES_SUFFIX}", 30)
    recorder.sent(bytes(9000))
    recorder.close()
    assert "what was recorded is not all there: somebody else has cut the file off" in capfd.readouterr().err
    with pytest.raises(TranscriptError, match=r"a\.rsp:4: the side file has no body"):
        load(str(path))


def test_a_file_that_somebody_removes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.rsp"
    recorder = Recorder(str(path), {})
    path.unlink()
    for _ in range(4 * STEP // LONGEST_LINE):
        recorder.received(b"A" * LONGEST_LINE)
    assert capfd.readouterr().err == ""
    recorder.close()
    why = "somebody else has removed the file"
    assert capfd.readouterr().err == f"[problem] {path}: what was recorded is not all there: {why}\n"
    assert not path.exists()


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
    with pytest.raises(UsageError, match="/dev/null: cannot record there: it is no regular file"):
        Recordings("/dev/null")


def test_a_later_session_that_cannot_be_recorded(tmp_path: Path) -> None:
    recordings = Recordings(str(tmp_path / "a.rsp"))
    recordings.begin().close()
    (tmp_path / "a-2.rsp").mkdir()
    with pytest.raises(UsageError, match=r"a-2\.rsp: cannot record there: Is a directory"):
        recordings.begin()
