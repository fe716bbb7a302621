"""What the kernel is asked beside ptrace: the files, links and folders of /proc, and kill(2).

One small function for each way of asking, all of them listed in `CALLS`, so that a recording can stand between them and
the backend (see `calls`). They are to be called through the module. All raise `OSError`.
"""

from __future__ import annotations

import os

CALLS = (
    "read_file", "read_at", "read_link", "list_folder", "real_path", "exists", "is_file", "is_folder", "is_executable",
    "owner", "process_group", "send_signal",
)  # fmt: skip


def read_file(path: str, limit: int = -1) -> bytes:
    """The whole file, or its first `limit` bytes."""
    with open(path, "rb", buffering=0) as file:
        return (file.readall() if limit < 0 else file.read(limit)) or b""


def read_at(path: str, offset: int, size: int) -> bytes:
    """At most `size` bytes of the file from `offset` on."""
    with open(path, "rb", buffering=0) as file:
        return os.pread(file.fileno(), size, offset)


def read_link(path: str) -> str:
    return os.readlink(path)


def list_folder(path: str) -> list[str]:
    return os.listdir(path)


def real_path(path: str) -> str:
    """`path` without symbolic links."""
    return os.path.realpath(path)


def exists(path: str) -> bool:
    return os.path.exists(path)


def is_file(path: str) -> bool:
    return os.path.isfile(path)


def is_folder(path: str) -> bool:
    return os.path.isdir(path)


def is_executable(path: str) -> bool:
    """Whether this process may execute the file."""
    return os.access(path, os.X_OK)


def owner(path: str) -> int:
    """The user id of the file's owner."""
    return os.stat(path).st_uid


def process_group(pid: int) -> int:
    return os.getpgid(pid)


def send_signal(pid: int, signal: int) -> None:
    os.kill(pid, signal)
