"""Memory: reading and writing, allocation, the map, checksums and search."""

from __future__ import annotations

import zlib
from binascii import hexlify
from collections.abc import Iterator

from pydbgserver.errors import DebugError, MalformedPacket, Unsupported
from pydbgserver.rsp.registry import packet
from pydbgserver.rsp.replies import hex_text
from pydbgserver.session.session import Session
from pydbgserver.target.capabilities import MemoryAllocation, MemoryMap, Region

READ_LIMIT = 1 << 20
"""The most that one packet reads. Replies may be short; a request may say any length."""

CHUNK = 1 << 16
ADDRESS_SPACE = 1 << 64


@packet("m", "address:hex ',' length:hex")
def read(session: Session, address: int, length: int) -> bytes:
    """May be shorter than asked for, where a page further on is not mapped."""
    if not length:
        return _nothing(session)
    return hexlify(session.process.read_memory(address, length if length < READ_LIMIT else READ_LIMIT))


@packet("x", "address:hex ',' length:hex", features=["binary-upload+"])
def read_binary(session: Session, address: int, length: int) -> bytes:
    prefix = session.dialect.memory_prefix
    if not length:
        return prefix or b"OK"
    data = session.process.read_memory(address, length if length < READ_LIMIT else READ_LIMIT)
    return prefix + data if prefix else data


def _nothing(session: Session) -> bytes:
    """lldb tells by a length of 0 whether the packet is there; gdb never asks for nothing."""
    return b"" if session.dialect.is_gdb else b"OK"


@packet("M", "address:hex ',' length:hex ':' data:hexbytes")
def write(session: Session, address: int, length: int, data: bytes) -> None:
    _write(session, address, length, data)


@packet("X", "address:hex ',' length:hex ':' data:binary", dialect="gdb")
def write_binary(session: Session, address: int, length: int, data: bytes) -> None:
    """gdb asks whether there is this packet by writing nothing."""
    _write(session, address, length, data)


def _write(session: Session, address: int, length: int, data: bytes) -> None:
    if length != len(data):
        raise MalformedPacket(f"the length says {length} bytes, but there are {len(data)}")
    process = session.process
    if data:
        process.write_memory(address, data)


def _allocation(session: Session) -> MemoryAllocation:
    process, _ = session.stopped_thread()
    allocation = process.capability(MemoryAllocation)
    if allocation is None:
        raise Unsupported("memory allocation")
    return allocation


@packet("_M", "size:hex ',' permissions:word", dialect="lldb")
def allocate(session: Session, size: int, permissions: str) -> str:
    if not set(permissions) <= set("rwx"):
        raise MalformedPacket(f"memory permissions are made of r, w and x, not {permissions!r}")
    return f"{_allocation(session).allocate(size, permissions):016x}"


@packet("_m", "address:hex", dialect="lldb")
def free(session: Session, address: int) -> None:
    _allocation(session).free(address)


@packet("qMemoryRegionInfo", "[':' address:hex]", dialect="lldb")
def region_info(session: Session, address: int | None) -> str | None:
    """The bare form asks whether there is this packet. A gap is a region without permissions."""
    if address is None:
        return None
    memory_map = session.process.capability(MemoryMap)
    if memory_map is None:
        raise Unsupported("a memory map")
    region = memory_map.region_at(address)
    # The last gap ends at 2**64; start + size must not overflow in the client.
    size = min(region.end, ADDRESS_SPACE - 1) - region.start
    reply = f"start:{region.start:x};size:{size:x};"
    if not (region.permissions or region.name or region.offset):
        return reply
    if session.dirty_pages or memory_map.always_dirty_pages:
        reply += _dirty_pages(memory_map, region)
    return reply + _mapping(memory_map, region)


def _dirty_pages(memory_map: MemoryMap, region: Region) -> str:
    """debugserver's key; an empty list says that nothing was written, a missing one that it is not known."""
    pages = memory_map.dirty_pages(region)
    return "" if pages is None else f"dirty-pages:{','.join(f'{page:x}' for page in pages)};"


def _mapping(memory_map: MemoryMap, region: Region) -> str:
    """max-permissions and share-mode are this server's, of regions that have them: lldb skips keys it does not know."""
    flags = " ".join(flag for flag in memory_map.flags(region) if flag in ("mt", "ss"))
    reply = f"permissions:{region.permissions};flags:{flags};"
    if region.name:
        reply += f"name:{hex_text(region.name).decode()};"
    if region.kind:
        reply += f"type:{region.kind};"
    if region.max_permissions is not None:
        reply += f"max-permissions:{region.max_permissions};share-mode:{region.share_mode};"
    key = memory_map.protection_key(region)
    if key is not None:
        reply += f"protection-key:{key};"
    return reply


_REVERSED_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@packet("qCRC", "':' address:hex ',' length:hex", dialect="gdb")
def checksum(session: Session, address: int, length: int) -> str:
    """CRC-32 with the polynomial 0x04c11db7, first bit first, from 0xffffffff, without a final inversion.

    zlib has the mirrored one: its bits are taken in reverse on both sides.
    """
    crc = 0
    for data in _chunks(session, address, length):
        crc = zlib.crc32(data.translate(_REVERSED_BITS), crc)
    return f"C{int(f'{crc ^ 0xFFFFFFFF:032b}'[::-1], 2):x}"


@packet("qSearch:memory", "':' address:hex ';' length:hex ';' pattern:binary", dialect="gdb")
def search(session: Session, address: int, length: int, pattern: bytes) -> str:
    if not pattern:
        raise MalformedPacket("there is nothing to search for")
    found = session.process.search_memory(address, length, pattern)
    return "0" if found is None else f"1,{found:x}"


def _chunks(session: Session, address: int, length: int) -> Iterator[bytes]:
    """All of the range, piece by piece; raises `BadAddress` where it cannot be read."""
    process = session.process
    while length:
        data = process.read_memory(address, min(length, CHUNK))
        yield data
        address += len(data)
        length -= len(data)
        if address >= ADDRESS_SPACE and length:
            raise DebugError("the range goes beyond the end of the address space")
