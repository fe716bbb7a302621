"""Which file a module is: build id, size, and where it is loaded."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

from pydbgserver.errors import DebugError, MalformedPacket, Unsupported
from pydbgserver.rsp.registry import packet
from pydbgserver.rsp.replies import hex_text
from pydbgserver.session.session import Session
from pydbgserver.target.capabilities import SharedLibraries

NO_SUCH_MODULE = 3
"""lldb-server's error for a file that is not there or is no module."""

# The ELF header and program headers, gABI chapter "Object Files". pyelftools would take 70 ms to load for these.
_IDENTITY = 16
_HEADERS = {1: ("HHIIIIIHHHHHH", "IIIIIIII"), 2: ("HHIQQQIHHHHHH", "IIQQQQQQ")}
_BYTE_ORDERS = {1: "<", 2: ">"}
PT_NOTE = 4
NT_GNU_BUILD_ID = 3
NOTE_LIMIT = 1 << 20


def build_id(path: str) -> bytes:
    """The GNU build id of the ELF file `path`, b"" if it has none. Raises `OSError`, or `ValueError` if it is none."""
    with open(path, "rb") as file:
        identity = file.read(_IDENTITY)
        if identity[:4] != b"\x7fELF" or identity[4] not in _HEADERS or identity[5] not in _BYTE_ORDERS:
            raise ValueError(f"{path} is not an ELF file")
        order = _BYTE_ORDERS[identity[5]]
        try:
            return next(_build_ids(file, order, identity[4] == 2), b"")
        except struct.error as error:
            raise ValueError(f"{path} is cut short") from error


def _build_ids(file: BinaryIO, order: str, wide: bool) -> Iterator[bytes]:
    header, segment = (struct.Struct(order + form) for form in _HEADERS[2 if wide else 1])
    fields = header.unpack(file.read(header.size))
    table, count = fields[4], fields[9]
    file.seek(table)
    segments = [segment.unpack(file.read(segment.size)) for _ in range(count)]
    for fields in segments:
        kind, offset, size = (fields[0], fields[2], fields[5]) if wide else (fields[0], fields[1], fields[4])
        if kind == PT_NOTE and size <= NOTE_LIMIT:
            file.seek(offset)
            yield from _in_notes(file.read(size), order)


def _in_notes(notes: bytes, order: str) -> Iterator[bytes]:
    position = 0
    while position + 12 <= len(notes):
        name_size, size, kind = struct.unpack_from(order + "III", notes, position)
        name = position + 12
        start = name + (name_size + 3 & ~3)
        if kind == NT_GNU_BUILD_ID and notes[name : name + name_size] == b"GNU\0":
            yield notes[start : start + size]
        position = start + (size + 3 & ~3)


def _describe(path: str, triple: str) -> dict[str, Any]:
    """As lldb-server has it: "uuid" in capitals, or "md5" of a file without a build id. Raises `DebugError`."""
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError(f"{path} is not a file")
        identity = build_id(path)
    except (OSError, ValueError) as error:
        failure = DebugError(f"{path}: {error.strerror}" if isinstance(error, OSError) else str(error))
        failure.code = NO_SUCH_MODULE
        raise failure from error
    fields: dict[str, Any] = {"file_offset": 0, "file_path": path, "file_size": status.st_size, "triple": triple}
    if identity:
        fields["uuid"] = identity.hex().upper()
    else:
        fields["md5"] = _md5(path)
    return fields


def _md5(path: str) -> str:
    import hashlib

    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest().upper()


def _module_triple(triple: str) -> str:
    """The triple without its vendor, as lldb-server writes a module's: nothing in the file says whose it is."""
    cpu, _, rest = triple.partition("-")
    return f"{cpu}--{rest.split('-')[1] if '-' in rest else 'linux'}"


@packet("qModuleInfo", "':' path:hextext [';' triple:hextext]", dialect="lldb")
def module_info(session: Session, path: str, triple: str | None) -> str:
    fields = _describe(path, _module_triple(triple or ""))
    identity = "uuid" if "uuid" in fields else "md5"
    return (
        f"{identity}:{hex_text(fields[identity]).decode()};triple:{hex_text(fields['triple']).decode()};"
        f"file_path:{hex_text(path).decode()};file_offset:{0:016x};file_size:{fields['file_size']:016x};"
    )


@packet("jModulesInfo", "':' request:binary", dialect="lldb")
def modules_info(session: Session, request: bytes) -> str:
    """A list of {"file", "triple"}; modules that are not there are left out of the answer."""
    import json

    try:
        modules = json.loads(request)
        if not isinstance(modules, list):
            raise TypeError(modules)
        wanted = [(str(one["file"]), str(one.get("triple", ""))) for one in modules]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise MalformedPacket("jModulesInfo takes a JSON list of objects with a file and a triple") from error
    found = []
    for path, triple in wanted:
        try:
            found.append(_describe(path, _module_triple(triple)))
        except DebugError:
            continue
    return json.dumps(found, separators=(",", ":"))


@packet("qFileLoadAddress", "':' path:hextext", dialect="lldb")
def load_address(session: Session, path: str) -> str:
    libraries = session.process.capability(SharedLibraries)
    if libraries is None:
        raise Unsupported("where files are loaded")
    address = libraries.load_address(path)
    if address is None:
        raise DebugError(f"{path} is not loaded")
    return f"{address:016x}"
