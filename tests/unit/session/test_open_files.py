"""The client's descriptors."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pydbgserver.session.open_files import ClientFiles


def test_descriptors_are_the_clients_own_and_used_again(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    files = ClientFiles()
    assert [files.open(str(path), os.O_RDONLY, 0) for _ in range(3)] == [3, 4, 5]
    files.close(4)
    assert len(files) == 2
    assert files.open(str(path), os.O_RDONLY, 0) == 4
    files.abandon()


@pytest.mark.parametrize("number", [0, 1, 3])
def test_other_descriptors_are_none(number: int) -> None:
    files = ClientFiles()
    for use in (files.__getitem__, files.close):
        with pytest.raises(OSError) as caught:
            use(number)
        assert caught.value.errno == errno.EBADF


def test_abandoned_files_are_closed(tmp_path: Path) -> None:
    files = ClientFiles()
    number = files.open(str(tmp_path / "upload"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    descriptor = files[number].descriptor
    files.abandon()
    assert len(files) == 0 and not list(tmp_path.iterdir())
    with pytest.raises(OSError):
        os.fstat(descriptor)
