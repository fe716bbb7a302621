"""Files as a process sees them: in its mount namespace, below its root directory (proc(5), /proc/PID/root)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from pydbgserver import native
from pydbgserver.target.files import OWN_FILES, Files


def files_of(pid: int) -> Files:
    """Those of process `pid`; this server's own where it sees the same. Raises `OSError`."""
    root = os.stat(f"/proc/{pid}/root")
    own = os.stat("/")
    same_tree = os.readlink(f"/proc/{pid}/ns/mnt") == os.readlink("/proc/self/ns/mnt")
    if same_tree and (root.st_dev, root.st_ino) == (own.st_dev, own.st_ino):
        return OWN_FILES
    return RootFiles(pid)


class RootFiles(Files):
    """Every path is looked up anew: a process may change its root, and is gone at last."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def open(self, path: str, flags: int, mode: int) -> int:
        name = os.fsencode(path)
        if b"\0" in name:
            raise ValueError("a path cannot have a NUL in it")
        result: int = native.lib.linux_open_in_root(self._pid, name, flags, mode)
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        return result

    @contextmanager
    def _found(self, path: str, flags: int = 0) -> Iterator[int]:
        descriptor = self.open(path, os.O_PATH | os.O_CLOEXEC | flags, 0)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def stat(self, path: str, *, follow: bool) -> os.stat_result:
        with self._found(path, 0 if follow else os.O_NOFOLLOW) as descriptor:
            return os.fstat(descriptor)

    def read_link(self, path: str) -> str:
        with self._found(path, os.O_NOFOLLOW) as descriptor:
            return os.readlink("", dir_fd=descriptor)

    def unlink(self, path: str) -> None:
        folder, _, name = path.rstrip("/").rpartition("/")
        with self._found(folder or "/", os.O_DIRECTORY) as descriptor:
            os.unlink(name, dir_fd=descriptor)
