"""Over a process that is nothing but register sets."""

from __future__ import annotations

from typing import cast

import pytest

from pydbgserver.arch.model import Arch
from pydbgserver.arch.x86 import XsaveLayout, amd64
from pydbgserver.errors import MalformedPacket, NoSuchRegister, NoSuchThread
from pydbgserver.target import registers
from pydbgserver.target.api import Process

TID = 42


class RegistersOnly:
    """The part of `Process` that `target.registers` may use; it remembers which sets were touched."""

    def __init__(self, arch: Arch) -> None:
        self.arch = arch
        self.sets = {regset.name: bytes(regset.size) for regset in arch.regsets}
        self.read: list[str] = []
        self.written: list[str] = []

    def read_regset(self, tid: int, name: str) -> bytes:
        if tid != TID:
            raise NoSuchThread(tid)
        self.read.append(name)
        return self.sets[name]

    def write_regset(self, tid: int, name: str, data: bytes) -> None:
        if tid != TID:
            raise NoSuchThread(tid)
        self.written.append(name)
        self.sets[name] = data


@pytest.fixture
def fake() -> RegistersOnly:
    return RegistersOnly(amd64(XsaveLayout(7, 832, {2: (576, 256)})))


@pytest.fixture
def process(fake: RegistersOnly) -> Process:
    return cast(Process, fake)


def test_the_program_counter(fake: RegistersOnly, process: Process) -> None:
    registers.set_pc(process, TID, 0xFFFF_8000_0000_1234)
    assert registers.pc(process, TID) == 0xFFFF_8000_0000_1234
    assert fake.sets["general"][128:136] == bytes.fromhex("341200000080ffff")


def test_one_register_reads_one_set(fake: RegistersOnly, process: Process) -> None:
    number = fake.arch.by_name["mxcsr"].number
    assert registers.read_register(process, TID, number) == bytes.fromhex("801f0000")
    assert fake.read == ["xstate"]


def test_writing_what_is_there_writes_nothing(fake: RegistersOnly, process: Process) -> None:
    registers.write_register(process, TID, 0, bytes(8))
    registers.write_block(process, TID, registers.read_block(process, TID))
    assert fake.written == []


def test_orig_rax_is_writable(fake: RegistersOnly, process: Process) -> None:
    registers.write_register(process, TID, fake.arch.by_name["orig_rax"].number, b"\xff" * 8)
    assert fake.sets["general"][120:128] == b"\xff" * 8
    assert fake.written == ["general"]


def test_a_block_reads_back(fake: RegistersOnly, process: Process) -> None:
    block = bytearray(registers.read_block(process, TID))
    assert len(block) == fake.arch.block_size
    offsets = fake.arch.block_offsets
    for name in ("rax", "ymm15h"):
        start = offsets[fake.arch.by_name[name].number]
        block[start : start + 8] = b"\x11" * 8
    registers.write_block(process, TID, bytes(block))
    assert registers.read_block(process, TID) == bytes(block)
    assert sorted(fake.written) == ["general", "xstate"]


def test_expedited_values(fake: RegistersOnly, process: Process) -> None:
    registers.set_pc(process, TID, 0x401000)
    fake.read.clear()
    assert registers.expedited(process, TID) == [(6, bytes(8)), (7, bytes(8)), (16, (0x401000).to_bytes(8, "little"))]
    assert fake.read == ["general"]
    general = registers.general(process, TID)
    assert [number for number, _ in general] == [*range(24), 58, 59]
    for number, value in general:
        assert value == registers.read_register(process, TID, number)


def test_errors(process: Process) -> None:
    with pytest.raises(NoSuchRegister):
        registers.read_register(process, TID, 4711)
    with pytest.raises(NoSuchThread):
        registers.read_block(process, TID + 1)
    with pytest.raises(MalformedPacket):
        registers.write_register(process, TID, 0, b"\0")
    with pytest.raises(MalformedPacket):
        registers.write_block(process, TID, b"\0")


def number_of(arch: Arch, name: str) -> int:
    return next(view.number for view in arch.views if view.name == name)


def test_a_view_is_read_and_written_in_its_register(process: Process) -> None:
    rax, ah = process.arch.by_name["rax"].number, number_of(process.arch, "ah")
    registers.write_register(process, TID, rax, bytes(range(1, 9)))
    assert registers.read_register(process, TID, ah) == b"\x02"
    registers.write_register(process, TID, ah, b"\xee")
    assert registers.read_register(process, TID, rax) == bytes([1, 0xEE, 3, 4, 5, 6, 7, 8])


def test_a_view_of_the_wrong_width_is_refused(process: Process) -> None:
    with pytest.raises(MalformedPacket):
        registers.write_register(process, TID, number_of(process.arch, "ax"), b"\x01")


def test_joined_registers_go_into_their_halves(process: Process) -> None:
    arch = process.arch
    value = bytes(range(32))
    registers.write_register(process, TID, number_of(arch, "ymm1"), value)
    halves = (arch.by_name[name].number for name in ("xmm1", "ymm1h"))
    assert b"".join(registers.read_register(process, TID, half) for half in halves) == value
    assert registers.read_register(process, TID, number_of(arch, "ymm1")) == value
