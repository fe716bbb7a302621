"""Memory packets, against the made-up address space."""

from __future__ import annotations

import pytest

from pydbgserver.testing.sim import DATA, REGION_SIZE, SimProcess
from tests.sim.conversation import PID, fields, gdb, lldb


@pytest.mark.parametrize(
    ("packet", "reply"),
    [
        ("m401000,4", "00010203"),
        ("M404000,2:abCD", "OK"),
        ("m401FFE,10", "feff"),
        ("m0x401000,1", "00"),
        ("m0000000000401000,1", "00"),
        ("m0,4", "E0e"),
        ("m401000,0", ""),
        ("m401000", "E01"),
        ("mzz,4", "E01"),
        ("m401000,4,4", "E01"),
        ("X404000,0:", "OK"),
        ("X404000,2:}\x03}\x5d", "OK"),
    ],
)
def test_gdb(packet: str, reply: str) -> None:
    assert gdb().ask(packet) == reply


@pytest.mark.parametrize(
    "packet", ["M404000,2:ab", "M404000,1:zz", "X404000,3:a", "M0,1:00", "X0,1:a", "M404fff,2:0000"]
)
def test_writes_that_fail(packet: str) -> None:
    assert gdb().ask(packet).startswith("E")


def test_written_bytes_are_there() -> None:
    talk = gdb()
    talk.ask(f"X{DATA:x},3:a}}\x03b")
    assert talk.ask(f"m{DATA:x},3") == "612362"


def test_binary_reads_in_the_form_of_each_client() -> None:
    assert gdb().raw("x401000,3") == b"b\x00\x01\x02"
    assert gdb().raw("x401000,0") == b"b"
    assert lldb().raw("x401000,3") == b"\x00\x01\x02"
    assert lldb().raw("x0,0") == b"OK"
    assert lldb().raw("m401000,0") == b"OK"


def test_a_length_beyond_reason_reads_what_is_there() -> None:
    assert len(gdb().ask("m401000,ffffffffffffffff")) == 2 * REGION_SIZE


def test_allocation() -> None:
    talk = lldb()
    address = talk.ask("_M1000,rwx")
    assert len(address) == 16
    assert talk.ask(f"M{address},2:0102") == "OK"
    assert talk.ask(f"m{address},2") == "0102"
    assert talk.ask(f"_m{address}") == "OK"
    assert talk.ask(f"_m{address}").startswith("E")
    assert talk.ask("_M1000,q").startswith("E")
    assert talk.ask(f"m{address},2").startswith("E0e")


def test_regions_cover_the_address_space_without_overflow() -> None:
    talk = lldb()
    assert talk.ask("qMemoryRegionInfo") == "OK"
    address, seen = 0, []
    while address < 2**64 - 1:
        region = fields(talk.ask(f"qMemoryRegionInfo:{address:x}"))
        assert int(region["start"], 16) == address
        address += int(region["size"], 16)
        seen.append(region.get("permissions"))
    assert address == 2**64 - 1
    assert seen == [None, "rx", None, "rw", None, "rw", None]


def test_a_region_in_full() -> None:
    talk = lldb()
    name = b"/usr/bin/program".hex()
    assert talk.ask("qMemoryRegionInfo:401234") == f"start:401000;size:1000;permissions:rx;flags:;name:{name};"
    assert fields(talk.ask("qMemoryRegionInfo:7FFFFFFDE000"))["type"] == "stack"


def test_dirty_pages_are_listed_when_asked_for() -> None:
    talk = lldb()
    talk.ask("M404ffe,1:00")
    assert "dirty-pages" not in fields(talk.ask("qMemoryRegionInfo:404000"))
    talk.ask("qRcmd," + b"set dirty-pages 1".hex())
    assert fields(talk.ask("qMemoryRegionInfo:404000"))["dirty-pages"] == "404000"
    assert fields(talk.ask("qMemoryRegionInfo:401000"))["dirty-pages"] == ""
    talk.ask("qRcmd," + b"set dirty-pages 0".hex())
    assert "dirty-pages" not in fields(talk.ask("qMemoryRegionInfo:404000"))


def test_checksum_is_gdbs() -> None:
    """The value of "123456789" is that of CRC-32/MPEG-2."""
    talk = gdb()
    talk.ask("X404000,9:123456789")
    assert talk.ask("qCRC:404000,9") == "C376e6e7"
    assert talk.ask("qCRC:404000,0") == "Cffffffff"
    assert talk.ask("qCRC:404ff0,20").startswith("E")


@pytest.mark.parametrize(
    ("packet", "reply"),
    [
        (b"qSearch:memory:401000;100;\x05\x06\x07", "1,401005"),
        (b"qSearch:memory:401006;101;\x05\x06", "1,401105"),
        (b"qSearch:memory:401000;6;\x05\x06", "0"),
        (b"qSearch:memory:401000;100;}\x03}\x04", "1,401023"),
        (b"qSearch:memory:401000;100;\x00\x00", "0"),
    ],
)
def test_search(packet: bytes, reply: str) -> None:
    assert gdb().ask(packet) == reply


def test_search_finds_what_lies_across_pieces() -> None:
    from pydbgserver.handlers.memory import CHUNK
    from pydbgserver.testing.memory import SimMemory, SimRegion

    data = bytearray(3 * CHUNK)
    data[2 * CHUNK - 2 : 2 * CHUNK + 2] = b"find"
    talk = gdb(SimProcess(PID, memory=SimMemory([SimRegion(0x10000, data)])))
    assert talk.ask(f"qSearch:memory:10000;{3 * CHUNK:x};find") == f"1,{0x10000 + 2 * CHUNK - 2:x}"
