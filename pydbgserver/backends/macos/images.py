"""What dyld has loaded, by way of dyld_all_image_infos (<mach-o/dyld_images.h>, 64 bits)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydbgserver.errors import DebugError
from pydbgserver.target.capabilities import LoadedImage, MachImages, SharedCache

if TYPE_CHECKING:
    from pydbgserver.backends.macos.process import MacProcess

# Offsets in dyld_all_image_infos.
PRIVATE_CACHE = 24
DYLD_ADDRESS = 32
CACHE_UUID = 160
CACHE_BASE = 176
INFO_SIZE = 184
PATH_ROOM = 1024


class MacImages(MachImages):
    def __init__(self, process: MacProcess) -> None:
        self._process = process

    def info_address(self) -> int:
        return self._process.tracer.dyld_info(self._process.pid)[0]

    def images(self) -> Sequence[LoadedImage]:
        """dyld is not in its own list, but clients set a breakpoint in it."""
        listed = [
            LoadedImage(load, self._path(path), modified)
            for load, path, modified in self._process.tracer.images(self._process.pid)
        ]
        loader = self._loader_address()
        if listed and loader and loader not in {one.load_address for one in listed}:
            listed.append(LoadedImage(loader, "/usr/lib/dyld"))
        return listed

    def _path(self, address: int) -> str:
        try:
            data = self._process.read_memory(address, PATH_ROOM) if address else b""
        except DebugError:
            return ""
        return data.partition(b"\0")[0].decode(errors="surrogateescape")

    def _info(self) -> bytes:
        return self._process.read_memory(self.info_address(), INFO_SIZE).ljust(INFO_SIZE, b"\0")

    def _loader_address(self) -> int:
        return int.from_bytes(self._info()[DYLD_ADDRESS : DYLD_ADDRESS + 8], "little")

    def shared_cache(self) -> SharedCache:
        info = self._info()
        base = int.from_bytes(info[CACHE_BASE : CACHE_BASE + 8], "little")
        return SharedCache(base, info[CACHE_UUID : CACHE_UUID + 16], bool(info[PRIVATE_CACHE]))
