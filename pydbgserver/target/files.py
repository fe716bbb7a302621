"""Files for a client: those of the server, or those that a process sees in their place."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod


class Files(ABC):
    """Paths and what is behind them. Every method raises `OSError`, and `ValueError` for a path with a NUL."""

    @abstractmethod
    def open(self, path: str, flags: int, mode: int) -> int:
        """As open(2), `flags` and `mode` those of this system; gives a descriptor of this server."""

    @abstractmethod
    def stat(self, path: str, *, follow: bool) -> os.stat_result:
        """As stat(2), or lstat(2) unless `follow`."""

    @abstractmethod
    def read_link(self, path: str) -> str:
        """As readlink(2)."""

    @abstractmethod
    def unlink(self, path: str) -> None:
        """As unlink(2)."""


class OwnFiles(Files):
    """As this server sees them."""

    def open(self, path: str, flags: int, mode: int) -> int:
        return os.open(path, flags, mode)

    def stat(self, path: str, *, follow: bool) -> os.stat_result:
        return os.stat(path, follow_symlinks=follow)

    def read_link(self, path: str) -> str:
        return os.readlink(path)

    def unlink(self, path: str) -> None:
        os.unlink(path)


OWN_FILES = OwnFiles()
