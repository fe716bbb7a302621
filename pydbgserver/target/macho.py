"""Mach-O headers as they lie in memory: what a debugger asks of an image.

Source: <mach-o/loader.h>. 64-bit little-endian images only, which is what macOS 11 and later run.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

MH_MAGIC_64 = 0xFEEDFACF
LC_SEGMENT_64 = 0x19
LC_UUID = 0x1B
LC_BUILD_VERSION = 0x32
LC_VERSION_MIN = {0x24: 1, 0x25: 2, 0x2F: 3, 0x30: 4}
"""LC_VERSION_MIN_MACOSX, _IPHONEOS, _TVOS, _WATCHOS and the platform that each stands for."""
MAX_COMMANDS_SIZE = 1 << 20

PLATFORMS = {
    1: "macosx",
    2: "ios",
    3: "tvos",
    4: "watchos",
    5: "bridgeos",
    6: "maccatalyst",
    7: "iossimulator",
    8: "tvossimulator",
    9: "watchossimulator",
    10: "driverkit",
    11: "xros",
    12: "xrossimulator",
}
"""PLATFORM_* of <mach-o/loader.h> in debugserver's words."""

_HEADER = struct.Struct("<IiiIIIII")
_COMMAND = struct.Struct("<II")
_SEGMENT = struct.Struct("<16sQQQQiiII")
_BUILD = struct.Struct("<III")
_VERSION_MIN = struct.Struct("<II")


@dataclass(frozen=True, slots=True)
class Segment:
    """One LC_SEGMENT_64. `address` as linked, before the image slides; protections as VM_PROT bits."""

    name: str
    address: int
    size: int
    file_offset: int
    file_size: int
    max_protection: int


@dataclass(slots=True)
class Image:
    """One header with its load commands. `platform` "": none is named; `minimum` and `sdk`: versions, "" likewise."""

    cpu_type: int
    cpu_subtype: int
    file_type: int
    flags: int
    uuid: bytes = b""
    platform: str = ""
    minimum: str = ""
    sdk: str = ""
    segments: list[Segment] = field(default_factory=list)

    def slide(self, load_address: int) -> int:
        """How far the image lies from where it was linked to lie: its header is at the beginning of __TEXT."""
        text = next((one.address for one in self.segments if one.name == "__TEXT"), load_address)
        return load_address - text


def version(number: int) -> str:
    """ "11.3" of 0x000b0300; the third part only if it is not 0."""
    major, minor, patch = number >> 16, number >> 8 & 0xFF, number & 0xFF
    return f"{major}.{minor}.{patch}" if patch else f"{major}.{minor}"


def read_image(address: int, read: Callable[[int, int], bytes]) -> Image | None:
    """The image whose header is at `address`; None if there is no readable 64-bit header.

    `read(address, length)` gives a prefix of the range and raises `DebugError` where there is none.
    """
    header = read(address, _HEADER.size)
    if len(header) < _HEADER.size:
        return None
    magic, cpu_type, cpu_subtype, file_type, _, size, flags, _ = _HEADER.unpack(header)
    if magic != MH_MAGIC_64 or size > MAX_COMMANDS_SIZE:
        return None
    image = Image(cpu_type & 0xFFFFFFFF, cpu_subtype & 0xFFFFFFFF, file_type, flags)
    for command, body in _commands(read(address + _HEADER.size, size) if size else b""):
        _take(image, command, body)
    return image


def _commands(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(cmd, what follows the two words) of each load command that is whole."""
    position = 0
    while position + _COMMAND.size <= len(data):
        command, size = _COMMAND.unpack_from(data, position)
        if size < _COMMAND.size or position + size > len(data):
            return
        yield command, data[position + _COMMAND.size : position + size]
        position += size


def _take(image: Image, command: int, body: bytes) -> None:
    if command == LC_SEGMENT_64 and len(body) >= _SEGMENT.size:
        name, address, size, offset, file_size, max_protection, *_ = _SEGMENT.unpack_from(body)
        text = name.rstrip(b"\0").decode("ascii", "replace")
        image.segments.append(Segment(text, address, size, offset, file_size, max_protection))
    elif command == LC_UUID:
        image.uuid = body[:16]
    elif command == LC_BUILD_VERSION and len(body) >= _BUILD.size:
        platform, minimum, sdk = _BUILD.unpack_from(body)
        image.platform, image.minimum, image.sdk = PLATFORMS.get(platform, ""), version(minimum), version(sdk)
    elif command in LC_VERSION_MIN and len(body) >= _VERSION_MIN.size:
        minimum, sdk = _VERSION_MIN.unpack_from(body)
        image.platform = PLATFORMS[LC_VERSION_MIN[command]]
        image.minimum, image.sdk = version(minimum), version(sdk)
