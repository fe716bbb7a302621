"""Objects and files: qXfer, vFile, modules."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import struct
import subprocess
from pathlib import Path

import pytest

from pydbgserver.arch.tdesc import target_xml
from pydbgserver.handlers.modules import build_id
from pydbgserver.session.open_files import FIRST_READ
from pydbgserver.target.capabilities import ExecFile, LoadedLibrary
from pydbgserver.target.files import Files
from pydbgserver.testing.capabilities import AUXV, LIBRARY, MAIN_LINK_MAP, SimSharedLibraries
from pydbgserver.testing.sim import SimProcess
from tests.sim.conversation import PID, Conversation, fields, gdb, lldb


def whole(talk: Conversation, name: str, annex: str = "", piece: int = 0xFFF) -> bytes:
    data, more = b"", True
    while more:
        reply = talk.raw(f"qXfer:{name}:read:{annex}:{len(data):x},{piece:x}")
        assert reply is not None and reply[:1] in b"ml", reply
        more = reply[:1] == b"m"
        data += reply[1:]
    return data


def hexed(path: Path | str) -> str:
    return os.fsencode(path).hex()


def test_the_description_in_pieces_of_any_size() -> None:
    talk = gdb()
    xml = target_xml(talk.process.arch)
    assert whole(talk, "features", "target.xml", 0x100) == xml
    assert whole(talk, "features", "target.xml", 0xFFFFFFFF) == xml
    assert talk.ask("qXfer:features:read:other.xml:0,100").startswith("E")


def test_reading_past_the_end_is_the_end() -> None:
    talk = gdb()
    assert talk.raw(f"qXfer:auxv:read::{len(AUXV):x},10") == b"l"
    assert talk.raw("qXfer:auxv:read::ffffffff,10") == b"l"
    assert talk.raw("qXfer:auxv:read::0,10") == b"m" + AUXV[:16]


def test_what_changes_meanwhile_does_not_tear_what_is_read() -> None:
    talk = gdb(SimProcess(PID, threads=3))
    first = talk.ask("qXfer:threads:read::0,40")
    talk.process.remove_thread(PID)
    rest = talk.ask("qXfer:threads:read::40,1000")
    assert (first[1:] + rest[1:]).count("<thread ") == 3
    assert talk.ask("qXfer:threads:read::0,1000").count("<thread ") == 2


def test_thread_names_cannot_break_the_document() -> None:
    xml = whole(gdb(SimProcess(PID, name='<a>"&\x01')), "threads").decode()
    assert 'name="&lt;a&gt;&quot;&amp;?"' in xml


def test_threads_have_cores() -> None:
    assert '<thread id="p64.65" core="1" name="program"/>' in whole(gdb(SimProcess(PID, threads=2)), "threads").decode()


def test_exec_file() -> None:
    talk = gdb()
    assert whole(talk, "exec-file", "64") == whole(talk, "exec-file") == b"/usr/bin/program"
    assert talk.ask("qXfer:exec-file:read:1:0,100").startswith("E")
    assert talk.ask("qXfer:exec-file:read:zz:0,100").startswith("E")
    assert gdb(SimProcess(PID, without=[ExecFile])).ask("qXfer:exec-file:read::0,100").startswith("E")


def test_libraries() -> None:
    talk = gdb()
    xml = whole(talk, "libraries-svr4").decode()
    assert xml.startswith(f'<library-list-svr4 version="1.0" main-lm="{MAIN_LINK_MAP:#x}"><library name="/lib/')
    assert f'l_addr="{LIBRARY.load_bias:#x}"' in xml
    known = whole(talk, "libraries-svr4", f"start={LIBRARY.link_map:x};prev={MAIN_LINK_MAP:x};").decode()
    assert "<library name" in known and "main-lm" not in known
    assert "<library name" not in whole(talk, "libraries-svr4", "start=1234;prev=1;").decode()
    torn = f"start={LIBRARY.link_map:x};prev=1;"
    assert "<library name" not in whole(talk, "libraries-svr4", torn).decode()
    assert "<library name" not in whole(talk, "libraries-svr4", "lmid=5").decode()
    assert "<library name" in whole(talk, "libraries-svr4", f"lmid={LIBRARY.namespace:x}").decode()
    assert talk.ask("qXfer:libraries-svr4:read:start=x:0,10").startswith("E")


def test_libraries_of_one_namespace_from_an_entry_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """As gdbserver 13 answers the same."""
    main, entries = 1, [LoadedLibrary("", lm, 0, 0, 0xA if lm < 5 else 0xB) for lm in (2, 3, 4, 5, 6)]
    monkeypatch.setattr(SimSharedLibraries, "libraries", lambda self: (main, entries))
    talk = gdb()
    expected = {
        "start=2;prev=1;": [2, 3, 4],
        "start=3;prev=2;lmid=a;": [3, 4],
        "start=5;prev=0;lmid=b;": [5, 6],
        "start=5;prev=0;": [5, 6],
        "start=6;prev=5;lmid=b;": [6],
        "start=6;prev=2;lmid=b;": [],
        "start=5;prev=4;": [],
        "start=1;prev=0;": [2, 3, 4],
        "start=99;prev=0;": [],
        "lmid=b;": [5, 6],
        "prev=1;": [2, 3, 4, 5, 6],
        "what=1;start=4;": [4],
    }
    for annex, maps in expected.items():
        xml = whole(talk, "libraries-svr4", annex).decode()
        assert [int(lm) for lm in re.findall(' lm="0x([0-9])"', xml)] == maps, annex


def test_siginfo() -> None:
    talk = gdb()
    assert talk.ask("qXfer:siginfo:read::0,100").startswith("E")
    talk.process.siginfo[PID] = bytes(range(128))
    assert whole(talk, "siginfo") == bytes(range(128))
    assert talk.ask(b"qXfer:siginfo:write::4:ab}\x03") == "3"
    assert talk.process.siginfo[PID][:8] == b"\0\1\2\3ab#\7"
    assert talk.ask(b"qXfer:siginfo:write::7f:ab").startswith("E")


@pytest.mark.parametrize(
    "packet", ["qXfer:foo:read::0,10", "qXfer:auxv:write::0:00", "qXfer", "qXfer:memory-map:read::0,1"]
)
def test_unknown_objects_are_empty(packet: str) -> None:
    assert gdb().ask(packet) == ""


@pytest.mark.parametrize(
    "packet", ["qXfer:auxv:read:", "qXfer:auxv:read::0", "qXfer:auxv:read::x,1", "qXfer:auxv:read::,"]
)
def test_malformed_requests(packet: str) -> None:
    assert gdb().ask(packet).startswith("E")


def test_who_jumps_about_in_a_file_gets_less_than_who_reads_on(tmp_path: Path) -> None:
    """gdb asks for a whole packet's worth wherever it looks for a few bytes."""
    talk, path = gdb(), tmp_path / "file"
    path.write_bytes(bytes(5 * FIRST_READ))
    talk.ask(f"vFile:open:{hexed(path)},0,0")

    def got(offset: int) -> int:
        reply = talk.raw(f"vFile:pread:3,{4 * FIRST_READ:x},{offset:x}")
        assert reply is not None
        return int(reply[1:].partition(b";")[0], 16)

    assert [got(0), got(FIRST_READ), got(0x40), got(FIRST_READ)] == [FIRST_READ, 4 * FIRST_READ, FIRST_READ, FIRST_READ]
    assert [got(2 * FIRST_READ), got(5 * FIRST_READ), got(5 * FIRST_READ)] == [3 * FIRST_READ, 0, 0]


def test_reading_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123}#$*" * 100)
    talk = gdb()
    assert talk.ask("vFile:setfs:0") == "F0"
    assert talk.ask(f"vFile:open:{hexed(path)},0,0") == "F3"
    assert talk.raw("vFile:pread:3,8,0") == b"F8;0123}#$*"
    assert talk.raw("vFile:pread:3,ffffffff,318") == b"F8;0123}#$*"
    assert talk.raw("vFile:pread:3,10,10000000000") == b"F0;"
    status = talk.raw("vFile:fstat:3")
    assert status is not None and status[:4] == b"F40;" and len(status) == 68
    assert struct.unpack(">Q", status[4 + 28 : 4 + 36]) == (800,)
    assert talk.ask("vFile:close:3") == "F0"
    assert talk.ask("vFile:close:3") == "F-1,9"
    assert talk.ask("vFile:pread:3,1,0") == "F-1,9"


def test_the_servers_own_descriptors_are_out_of_reach() -> None:
    talk = gdb()
    for number in range(10):
        assert talk.ask(f"vFile:fstat:{number:x}") == "F-1,9"
        assert talk.ask(f"vFile:close:{number:x}") == "F-1,9"


@pytest.mark.parametrize(
    ("error", "reply"), [(errno.EACCES, "F-1,d"), (errno.ENOENT, "F-1,2"), (errno.ESRCH, "F-1,270f")]
)
def test_files_of_a_process_that_may_not_be_looked_into(
    error: int, reply: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(pid: int) -> Files:
        raise OSError(error, os.strerror(error))

    talk = gdb()
    monkeypatch.setattr(talk.backend, "files_of", refuse)
    assert talk.ask("vFile:setfs:64") == reply
    assert talk.ask("vFile:setfs:0") == "F0"
    assert talk.ask(f"vFile:stat:{hexed(tmp_path)}").startswith("F40;")


def test_writing_a_file(tmp_path: Path) -> None:
    path = tmp_path / "new"
    talk = gdb()
    assert talk.ask(f"vFile:open:{hexed(path)},601,1a4") == "F3"
    assert talk.ask(b"vFile:pwrite:3,2,a,}\x03") == "F3"
    talk.ask("vFile:close:3")
    assert path.read_bytes() == b"\0\0a,#"
    assert path.stat().st_mode & 0o777 == 0o644
    assert talk.ask(f"vFile:open:{hexed(path)},40000601,000001ed") == "F3"
    assert talk.ask(f"vFile:unlink:{hexed(path)}") == "F0"
    assert not path.exists()
    assert talk.ask(f"vFile:unlink:{hexed(path)}") == "F-1,2"


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    talk = gdb()
    assert talk.ask(f"vFile:open:{hexed('/nope')},0,0") == "F-1,2"
    assert talk.ask("vFile:open:6a00,0,0") == "F-1,16"
    assert talk.ask(f"vFile:open:{hexed(tmp_path)},800000,0") == "F-1,16"
    assert talk.ask(f"vFile:open:{hexed(tmp_path)},1,0") == "F-1,15"


def test_a_fifo_without_a_writer_does_not_stop_the_server(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    talk = gdb()
    assert talk.ask(f"vFile:open:{hexed(tmp_path / 'fifo')},0,0") == "F3"
    assert talk.raw("vFile:pread:3,10,0") == b"F-1,1d"
    assert talk.ask(f"vFile:MD5:{hexed(tmp_path / 'fifo')}") == "F,x"
    talk.session.connection_lost()


def test_paths(tmp_path: Path) -> None:
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_bytes(b"x" * 100)
    path.chmod(0o755)
    talk = lldb()
    assert talk.ask(f"vFile:symlink:{hexed(path)},{hexed(link)}") == "F0"
    assert bytes.fromhex(hexed(path)) in (talk.raw(f"vFile:readlink:{hexed(link)}") or b"")
    assert talk.ask(f"vFile:size:{hexed(path)}") == "F0000000000000064"
    assert talk.ask(f"vFile:size:{hexed(tmp_path / 'no')}").startswith("E05")
    assert [talk.ask(f"vFile:exists:{hexed(one)}") for one in (path, tmp_path / "no")] == ["F,1", "F,0"]
    assert talk.ask(f"vFile:mode:{hexed(path)}") == "F1ed"
    assert talk.ask(f"vFile:mode:{hexed(tmp_path / 'no')}") == "F-1,2"
    modes = [
        struct.unpack(">I", (talk.raw(f"vFile:{how}:{hexed(link)}") or b"")[12:16])[0] for how in ("stat", "lstat")
    ]
    assert [mode & 0o170000 for mode in modes] == [0o100000, 0o120000]


def test_md5_is_two_little_endian_words(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"vm\n")
    digest = hashlib.md5(b"vm\n", usedforsecurity=False).digest()
    low, high = struct.unpack("<QQ", digest)
    assert lldb().ask(f"vFile:MD5:{hexed(path)}") == f"F,{low:016x}{high:016x}"
    assert lldb().ask(f"vFile:MD5:{hexed(tmp_path / 'no')}") == "F,x"


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A program with a known build id."""
    folder = tmp_path_factory.mktemp("elf")
    (folder / "a.c").write_text("int main(void) { return 0; }\n")
    identity = "0123456789abcdef0123456789abcdef01234567"
    subprocess.run(["gcc", "-o", folder / "a", folder / "a.c", f"-Wl,--build-id=0x{identity}"], check=True, timeout=60)
    return folder / "a", identity


def test_build_id(elf: tuple[Path, str], tmp_path: Path) -> None:
    path, identity = elf
    assert build_id(str(path)).hex() == identity
    (tmp_path / "cut").write_bytes(path.read_bytes()[:70])
    with pytest.raises(ValueError, match="cut short"):
        build_id(str(tmp_path / "cut"))
    with pytest.raises(ValueError, match="not an ELF"):
        build_id(__file__)


def test_modules(elf: tuple[Path, str]) -> None:
    path, identity = elf
    talk = lldb()
    triple = "x86_64-pc-linux-gnu"
    request = json.dumps([{"file": str(path), "triple": triple}, {"file": "/nope", "triple": triple}])
    (module,) = json.loads(talk.ask("jModulesInfo:" + request.replace("}", "}]")))
    assert module == {
        "file_offset": 0,
        "file_path": str(path),
        "file_size": path.stat().st_size,
        "triple": "x86_64--linux",
        "uuid": identity.upper(),
    }
    info = fields(talk.ask(f"qModuleInfo:{hexed(path)};{triple.encode().hex()}"))
    assert bytes.fromhex(info["uuid"]).decode() == identity.upper()
    assert int(info["file_size"], 16) == path.stat().st_size
    assert talk.ask(f"qModuleInfo:{hexed('/nope')};").startswith("E03")
    for wrong in ("{", "5", "[5]", "[{}]", "[" * 100000):
        assert talk.ask("jModulesInfo:" + wrong.replace("}", "}]")).startswith("E")


def test_where_a_file_is_loaded() -> None:
    talk = lldb()
    assert talk.ask(f"qFileLoadAddress:{hexed('/usr/bin/program')}") == f"{0x401000:016x}"
    assert talk.ask(f"qFileLoadAddress:{hexed('/nope')}").startswith("E01")
