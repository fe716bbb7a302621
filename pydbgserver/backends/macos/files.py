"""What is asked about files before a program is started."""

from __future__ import annotations

import os


def exists(path: str) -> bool:
    return os.path.exists(path)


def is_file(path: str) -> bool:
    return os.path.isfile(path)


def is_folder(path: str) -> bool:
    return os.path.isdir(path)


def is_executable(path: str) -> bool:
    """Whether this process may execute the file."""
    return os.access(path, os.X_OK)
