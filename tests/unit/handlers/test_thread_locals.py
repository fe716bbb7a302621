"""qSymbol and qGetTLSAddr, on structures laid out by hand."""

from __future__ import annotations

import struct

import pytest

from pydbgserver.handlers.thread_locals import SYMBOLS
from pydbgserver.testing.sim import DATA, SimProcess
from tests.sim.conversation import PID, Conversation, gdb, lldb

DESCRIPTIONS, LINK_MAP, THREAD, VECTOR, BLOCK = (DATA + one for one in (0, 0x100, 0x400, 0x800, 0xC00))
MODULE = 3
FIELDS = ((64, 1, 0x48), (64, 1, 8), (128, 0, 0), (64, 1, 0))


def asked(reply: str) -> str:
    assert reply.startswith("qSymbol:")
    return bytes.fromhex(reply[8:]).decode()


def with_symbols(block: int = BLOCK, module: int = MODULE) -> Conversation:
    talk = gdb(SimProcess(PID, threads=2))
    process = talk.process
    for index, fields in enumerate(FIELDS):
        process.write_memory(DESCRIPTIONS + 16 * index, struct.pack("<IIi", *fields))
    process.write_memory(LINK_MAP + 0x48, module.to_bytes(8, "little"))
    process.write_memory(THREAD + 8, VECTOR.to_bytes(8, "little"))
    process.write_memory(VECTOR + 16 * module, block.to_bytes(8, "little"))
    name, data = process.arch.write(
        process.arch.by_name["fs_base"], THREAD.to_bytes(8, "little"), process.registers[PID + 1]
    )
    process.registers[PID + 1][name] = data
    reply = talk.ask("qSymbol::")
    for index, symbol in enumerate(SYMBOLS):
        assert asked(reply) == symbol
        reply = talk.ask(f"qSymbol:{DESCRIPTIONS + 16 * index:x}:{symbol.encode().hex()}")
    assert reply == "OK"
    return talk


def test_the_address_of_a_variable() -> None:
    talk = with_symbols()
    assert talk.ask("qSymbol::") == "OK"
    assert talk.ask(f"qGetTLSAddr:p64.65,10,{LINK_MAP:x}") == f"{BLOCK + 0x10:x}"


def test_what_the_client_does_not_know_yet_is_asked_for_again_later() -> None:
    talk = gdb()
    reply = talk.ask("qSymbol::")
    for symbol in SYMBOLS:
        assert asked(reply) == symbol
        reply = talk.ask(f"qSymbol::{symbol.encode().hex()}")
    assert reply == "OK"
    assert talk.ask(f"qGetTLSAddr:p64.64,0,{LINK_MAP:x}").startswith("E.thread-local storage is not set up")
    assert asked(talk.ask("qSymbol::")) == SYMBOLS[0]


def test_a_block_that_is_not_there_yet() -> None:
    talk = with_symbols(block=2**64 - 1)
    assert "has not used" in talk.ask(f"qGetTLSAddr:p64.65,10,{LINK_MAP:x}")


def test_a_static_program_is_the_first_module() -> None:
    talk = with_symbols(module=1)
    assert talk.ask("qGetTLSAddr:p64.65,10,0") == f"{BLOCK + 0x10:x}"


@pytest.mark.parametrize("entry", [8, 16], ids=["musl", "glibc"])
def test_a_static_program_without_symbols_of_threads(entry: int) -> None:
    process = SimProcess(PID)
    process.write_memory(THREAD, struct.pack("<QQ", THREAD, VECTOR))
    process.write_memory(VECTOR + entry, (THREAD - 0x40).to_bytes(8, "little"))
    name, data = process.arch.write(
        process.arch.by_name["fs_base"], THREAD.to_bytes(8, "little"), process.registers[PID]
    )
    talk = gdb(process)
    assert talk.ask("qGetTLSAddr:p64.64,10,0").startswith("E.thread-local storage is not set up"), "no thread pointer"
    process.registers[PID][name] = data
    assert talk.ask("qGetTLSAddr:p64.64,10,0") == f"{THREAD - 0x30:x}"
    assert talk.ask(f"qGetTLSAddr:p64.64,10,{LINK_MAP:x}").startswith("E."), "a module needs symbols"
    process.write_memory(VECTOR + entry, bytes(8))
    assert talk.ask("qGetTLSAddr:p64.64,10,0").startswith("E.thread-local storage is not set up")


def test_nonsense_is_an_error() -> None:
    talk = with_symbols()
    for arguments in (f"p64.1,0,{LINK_MAP:x}", "p64.65,0,10", f"p64.64,0,{LINK_MAP:x}", "p64.65,0", "p64.65,x,0"):
        assert talk.ask(f"qGetTLSAddr:{arguments}").startswith("E")


def test_lldb_is_not_asked() -> None:
    assert lldb().ask("qSymbol::") == "OK"
