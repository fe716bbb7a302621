from __future__ import annotations

import errno
import os
import socket
import struct
from pathlib import Path

import pytest

from pydbgserver.rsp import replies


def test_text_keeps_undecodable_bytes() -> None:
    assert replies.hex_text("/bin/ä") == b"2f62696e2fc3a4"
    assert replies.hex_text(os.fsdecode(b"\xff")) == b"ff"


def test_thread_ids() -> None:
    assert replies.thread_id(0x1234, 0xAB, multiprocess=True) == b"p1234.ab"
    assert replies.thread_id(0x1234, 0xAB, multiprocess=False) == b"ab"


@pytest.mark.parametrize(
    ("offset", "length", "reply"),
    [(0, 3, b"mabc"), (3, 2, b"lde"), (0, 5, b"labcde"), (0, 99, b"labcde"), (5, 5, b"l"), (9, 5, b"l"), (0, 0, b"m")],
)
def test_chunks_of_an_object(offset: int, length: int, reply: bytes) -> None:
    assert replies.xfer_chunk(b"abcde", offset, length) == reply


def test_file_results() -> None:
    assert replies.file_result(0x1F) == b"F1f"
    assert replies.file_result(-1) == b"F-1"
    assert replies.file_result(2, b"}#") == b"F2;}#"
    assert replies.file_result(0, b"") == b"F0;"
    assert replies.file_failure(errno.ENOENT) == b"F-1,2"
    assert replies.file_failure(errno.ENAMETOOLONG) == b"F-1,5b"
    assert replies.file_failure(errno.ELOOP) == b"F-1,270f"


def test_file_errors_have_gdbs_numbers() -> None:
    errors = (errno.EPERM, errno.EACCES, errno.EROFS, errno.ENOSYS, errno.ELOOP)
    assert [replies.file_io_error(code) for code in errors] == [1, 13, 30, 88, replies.FILE_IO_UNKNOWN]


@pytest.mark.parametrize(
    ("wire", "host"),
    [
        (0, os.O_RDONLY),
        (0x601, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (0xA0A, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL),
        # What lldb 19 sends to write a file.
        (0x40000601, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC),
        (0x30000000, os.O_NONBLOCK | os.O_NOFOLLOW),
    ],
)
def test_open_flags(wire: int, host: int) -> None:
    assert replies.open_flags(wire) == host


@pytest.mark.parametrize(
    ("wire", "host"),
    [
        (0x1, os.O_RDONLY),
        (0x12A, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC),
        (0x27, os.O_RDWR | os.O_APPEND | os.O_CREAT),
        (0xD2, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NONBLOCK | os.O_NOFOLLOW),
    ],
)
def test_open_flags_of_lldb_before_14(wire: int, host: int) -> None:
    assert replies.is_old_lldbs(wire, 0o600)
    assert replies.open_flags(wire, old_lldb=True) == host


@pytest.mark.parametrize("wire", [0x0, 0x2, 0x601, 0x40000601, 0x40000602, 0x30000000])
def test_open_flags_of_a_newer_lldb_are_gdbs(wire: int) -> None:
    assert not replies.is_old_lldbs(wire, 0o600)


def test_an_old_lldb_that_reads_is_told_by_its_mode() -> None:
    assert replies.is_old_lldbs(1, 0o600)
    assert not replies.is_old_lldbs(1, 0o640)


@pytest.mark.parametrize(("wire", "old_lldb", "unknown"), [(0x5, False, "0x4"), (0x1005, True, "0x1000")])
def test_unknown_open_flags_are_refused(wire: int, old_lldb: bool, unknown: str) -> None:
    with pytest.raises(OSError, match=f"unknown open flags {unknown}") as caught:
        replies.open_flags(wire, old_lldb=old_lldb)
    assert caught.value.errno == errno.EINVAL


def test_the_stat_structure(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 1000)
    path.chmod(0o640)
    os.utime(path, (1_000_000_000, 1_100_000_000))
    status = path.stat()
    packed = replies.file_stat(status)
    assert len(packed) == 64
    fields = struct.unpack(">7I3Q3I", packed)
    assert fields[1:7] == (status.st_ino & 0xFFFFFFFF, 0o100640, 1, status.st_uid, status.st_gid, 0)
    assert fields[7:12] == (1000, status.st_blksize, status.st_blocks, 1_000_000_000, 1_100_000_000)


def test_modes_of_the_stat_structure(tmp_path: Path) -> None:
    """A socket's type has no File-I/O value; neither have the sticky and set-id bits."""
    directory, link, endpoint = tmp_path / "directory", tmp_path / "link", str(tmp_path / "socket")
    directory.mkdir()
    directory.chmod(0o1750)
    link.symlink_to(directory)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(endpoint)
        os.chmod(endpoint, 0o600)
        paths = (str(directory), str(link), endpoint, os.devnull)
        modes = [struct.unpack_from(">I", replies.file_stat(os.lstat(path)), 8)[0] for path in paths]
    assert modes[:3] == [0o040750, 0o120777, 0o600]
    assert modes[3] & 0o170000 == 0o020000
