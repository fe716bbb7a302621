"""The arm64 machine code of the extension built for Macs, run by unicorn: segments and imports as dyld would set them.

An import is a Python function: its arguments are x0 to x7, its result goes to x0. Structures of the C code are laid
out by hand here; those of the system come from its headers, through the compiled code.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from pathlib import Path

import lief
from unicorn import UC_ARCH_ARM64, UC_HOOK_CODE, UC_MODE_ARM, Uc, arm64_const

BASE = 0x4_0000_0000
STUBS = 0x5_0000_0000
DATA = 0x6_0000_0000
STACK = 0x7_0000_0000
HEAP = 0x8_0000_0000
ROOM = 0x100000
PAGE = 0x4000
INSTRUCTIONS = 5_000_000
"""No call takes as many."""

Import = Callable[..., int]
ARGUMENTS = [getattr(arm64_const, f"UC_ARM64_REG_X{number}") for number in range(8)]


class Machine:
    """One loaded extension with its own memory. `imports`: the system's functions by name, without the underscore."""

    def __init__(self, extension: Path, imports: Mapping[str, Import]) -> None:
        lief.logging.disable()
        binary = lief.MachO.parse(str(extension))
        assert binary is not None
        self._image = binary.at(0)
        self.cpu = Uc(UC_ARCH_ARM64, UC_MODE_ARM)
        self._imports = imports
        self._functions: list[str] = []
        self._heap = HEAP
        self._errors: list[Exception] = []
        for start in (STUBS, DATA, STACK, HEAP):
            self.cpu.mem_map(start, ROOM)
        self._load()
        self._bind()
        self._symbols = {str(one.name): BASE + one.value for one in self._image.symbols if one.value}
        self.cpu.hook_add(UC_HOOK_CODE, self._called, begin=STUBS, end=STUBS + ROOM - 1)

    def _load(self) -> None:
        for segment in self._image.segments:
            size = (segment.virtual_size + PAGE - 1) & ~(PAGE - 1)
            if size:
                self.cpu.mem_map(BASE + segment.virtual_address, size)
                self.cpu.mem_write(BASE + segment.virtual_address, bytes(segment.content))
        for fixup in self._image.relocations:
            value = self.read_u64(BASE + fixup.address)
            self.write(BASE + fixup.address, struct.pack("<Q", BASE + (value & 0xFFFFFFFF)))

    def _bind(self) -> None:
        """Functions get a place among the stubs, the two variables of the system memory of their own."""
        variables = {"_mach_task_self_": DATA, "_NDR_record": DATA + 64}
        self.write(DATA, struct.pack("<I", 0x203))
        self.write(DATA + 64, bytes([0, 0, 0, 0, 1, 0, 0, 0]))
        for binding in self._image.bindings:
            symbol = binding.symbol
            assert symbol is not None
            name = str(symbol.name)
            place = variables.get(name)
            if place is None:
                place = STUBS + 16 * len(self._functions)
                self._functions.append(name.removeprefix("_"))
            self.write(BASE + binding.address, struct.pack("<Q", place))

    def _called(self, cpu: Uc, address: int, size: int, user: object) -> None:
        name = self._functions[(address - STUBS) // 16]
        try:
            values = [int(cpu.reg_read(register)) for register in ARGUMENTS]
            result = self._imports[name](*values)
        except Exception as error:  # not to be lost in unicorn's C
            self._errors.append(error)
            cpu.emu_stop()
            return
        cpu.reg_write(arm64_const.UC_ARM64_REG_X0, result & 0xFFFFFFFFFFFFFFFF)
        cpu.reg_write(arm64_const.UC_ARM64_REG_PC, cpu.reg_read(arm64_const.UC_ARM64_REG_LR))

    # --- for tests ---------------------------------------------------------------

    def call(self, function: str, *arguments: int) -> int:
        """Run the C function to its end; its result as a signed 64-bit number."""
        end = STUBS + ROOM - 16
        self.cpu.reg_write(arm64_const.UC_ARM64_REG_LR, end)
        self.cpu.reg_write(arm64_const.UC_ARM64_REG_SP, STACK + ROOM - 4096)
        for register, value in zip(ARGUMENTS, arguments, strict=False):
            self.cpu.reg_write(register, value & 0xFFFFFFFFFFFFFFFF)
        self.cpu.emu_start(self._symbols[f"_{function}"], end, count=INSTRUCTIONS)
        if self._errors:
            raise self._errors.pop()
        assert self.cpu.reg_read(arm64_const.UC_ARM64_REG_PC) == end, f"{function} did not end"
        result = int(self.cpu.reg_read(arm64_const.UC_ARM64_REG_X0))
        return result - (1 << 64) if result >> 63 else result

    def call_int(self, function: str, *arguments: int) -> int:
        """As `call`, for a function that returns an int: only the low half counts."""
        result = self.call(function, *arguments) & 0xFFFFFFFF
        return result - (1 << 32) if result >> 31 else result

    def allocate(self, size: int) -> int:
        """Zeroed memory that is never freed."""
        place = self._heap
        self._heap += (size + 15) & ~15
        assert self._heap <= HEAP + ROOM
        self.write(place, bytes(size))
        return place

    def place(self, data: bytes) -> int:
        """`data` in memory of its own."""
        address = self.allocate(len(data))
        self.write(address, data)
        return address

    def read(self, address: int, size: int) -> bytes:
        return bytes(self.cpu.mem_read(address, size))

    def read_u64(self, address: int) -> int:
        return int.from_bytes(self.read(address, 8), "little")

    def read_u32(self, address: int) -> int:
        return int.from_bytes(self.read(address, 4), "little")

    def write(self, address: int, data: bytes) -> None:
        self.cpu.mem_write(address, data)
