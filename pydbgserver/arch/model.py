"""What a CPU looks like to a debugger, as frozen data; everything else is derived from it.

Adding a CPU is one file beside ``x86.py``. Go level by level; each one is
useful alone:

1. *Recognise.* A function that returns an `Arch`: `name`, `gdb_architecture`
   (a BFD name that ``set architecture`` of gdb takes), `llvm_arch` (the first
   part of LLVM's triple), `pointer_size`. The backend chooses it by the ELF
   machine of the program.
2. *Registers.* One `RegSet` for each note type that the kernel transfers, one
   `Reg` row for each register, in `Feature` groups. Features and register
   names are gdb's standard ones (gdb manual, "Standard Target Features"); the
   order is that of gdbserver, because the ``g`` packet has no names. `Reg.offset`
   counts in the kernel's structure (<sys/user.h>, <asm/ptrace.h>; on a Mac the
   thread states of <mach/*/_structs.h>, ``x86_mac.py`` and ``arm64.py``). A register
   whose visible form differs from the stored one needs a `fields.Op`. `generic`,
   `dwarf`, `ehframe` (psABI) are for lldb. target.xml, ``qRegisterInfo``, the
   layout of ``g`` and expedited registers follow. Check with
   tests/unit/arch (round trips) and with gdb's ``maint print remote-registers``.
3. *Breakpoint.* `TrapInstruction`: the code to plant and where the PC is after it;
   `SyscallConvention` for memory that expressions need.
4. *Step.* Nothing here where the kernel can single step; else a plan of next
   instructions in ``pydbgserver.target``.
5. *Hardware debug.* A ``hwdebug_<cpu>.py``, pure functions from watched ranges
   to register values, and `HardwareDebugInfo`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from pydbgserver.arch.fields import Op, decode, encode, stored_size
from pydbgserver.arch.layout import BlockPlan, Piece, block_offsets
from pydbgserver.arch.regset import Component as Component
from pydbgserver.arch.regset import RegSet as RegSet
from pydbgserver.errors import MalformedPacket, NoSuchRegister

RegisterSlice: TypeAlias = tuple[int, int, int]
"""(register number, start, end) of a register that lies as it is in its register set."""


class Reg(NamedTuple):
    """One register.

    `bits` as the client sees it; `regset` and `offset` (bytes) say where it is
    stored and `op` how. `type` is gdb's. `group`: the set in which lldb lists it
    ("general", "float", "vector"); `gdb_group`: said to gdb where the type
    alone would put it into a wrong one. `generic`: lldb's role name (pc, sp, fp,
    ra, flags, tp, arg1..arg8). `dwarf`, `ehframe`: numbers in debug and unwind
    information. `number` is its index in `Arch.registers` (gdb's regnum).
    """

    name: str
    bits: int
    regset: str
    offset: int
    type: str = "int"
    group: str = "general"
    op: Op = Op.COPY
    generic: str | None = None
    dwarf: int | None = None
    ehframe: int | None = None
    altname: str | None = None
    gdb_group: str | None = None
    number: int = -1
    container: str | None = None
    """Of a view: the register of which it shows bytes; None for one that clients know by no other name."""
    joined: tuple[str, ...] = ()
    """Of a view that lies in several registers: their names, from the lowest byte up."""

    @property
    def width(self) -> int:
        """Bytes as the client sees it."""
        return self.bits // 8

    @property
    def stored(self) -> int:
        """Bytes it takes in its register set."""
        return stored_size(self.op, self.width)


@dataclass(frozen=True, slots=True)
class VectorType:
    """`count` elements of `element`."""

    id: str
    element: str
    count: int


class UnionType(NamedTuple):
    """The same bytes seen as each of `fields`, (name, type)."""

    id: str
    fields: tuple[tuple[str, str], ...]


class FlagsType(NamedTuple):
    """`fields`: (name, bit number) of single-bit flags; `size` in bytes."""

    id: str
    size: int
    fields: tuple[tuple[str, int], ...]


RegisterType: TypeAlias = VectorType | UnionType | FlagsType


class Feature(NamedTuple):
    """A group of registers under one of gdb's standard feature names, and the types that they need."""

    name: str
    regs: tuple[Reg, ...]
    types: tuple[RegisterType, ...] = ()


class TrapInstruction(NamedTuple):
    """`code` to plant; after it was executed the PC is `pc_adjust` bytes past its address."""

    code: bytes
    pc_adjust: int


class SyscallConvention(NamedTuple):
    """How a system call is made, for calls in the target on the debugger's behalf.

    `instruction` enters the kernel, `numbers` has what is called so. The others are byte offsets in the register set
    of the PC, of `width` bytes each in target byte order: the call's `number`, its `result`, its `arguments`, and
    `restart`, where -1 says that there is no interrupted call to go back to.
    """

    instruction: bytes
    numbers: Mapping[str, int]
    number: int
    result: int
    restart: int
    arguments: tuple[int, ...]
    width: int


class HardwareDebugInfo(NamedTuple):
    """How many debug registers there are, and which lengths (aligned to themselves) one can watch."""

    slots: int
    lengths: tuple[int, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Arch:
    """One CPU. Two are equal only if they are the same object, so that caches can be keyed by it."""

    name: str
    gdb_architecture: str
    llvm_arch: str
    pointer_size: int
    regsets: tuple[RegSet, ...]
    features: tuple[Feature, ...]
    pc: Reg
    sp: Reg
    fp: Reg
    flags: Reg
    expedited: tuple[Reg, ...]
    """What gdb finds in every stop reply."""
    general: tuple[Reg, ...]
    """What lldb finds in every stop reply."""
    trap: TrapInstruction
    hardware_debug: HardwareDebugInfo
    byte_order: str = "little"
    osabi: str = "GNU/Linux"
    syscall: SyscallConvention | None = None
    """None: no calls are made in the target."""
    thread_pointer: Reg | None = None
    """Points to the C library's description of the thread; not always one of the registers that clients see."""
    views: tuple[Reg, ...] = ()
    """Parts of registers under names of their own, numbered after all registers. lldb reads them as registers; gdb
    makes its own, so that they are in no description for it and not in the block."""

    @cached_property
    def registers(self) -> tuple[Reg, ...]:
        """Every register in the order of the ``g`` packet; the index is the register's number."""
        return tuple(register for feature in self.features for register in feature.regs)

    @cached_property
    def by_name(self) -> Mapping[str, Reg]:
        """Registers by name."""
        return {register.name: register for register in self.registers}

    @cached_property
    def regsets_by_name(self) -> Mapping[str, RegSet]:
        """Register sets by name."""
        return {regset.name: regset for regset in self.regsets}

    @cached_property
    def block_offsets(self) -> tuple[int, ...]:
        """Where each register starts in the block, in bytes, by number; the last entry is the block's size."""
        return block_offsets(self.registers)

    @property
    def block_size(self) -> int:
        """Bytes of the block of all registers."""
        return self.block_offsets[-1]

    @cached_property
    def _plan(self) -> BlockPlan:
        return BlockPlan(self.registers, self.regsets)

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """The block's layout as copies; register set numbers are indices into `regsets`.

        Components in their initial state are not regarded: hand over `RegSet.settled` sets.
        """
        return self._plan.pieces

    @cached_property
    def expedited_slices(self) -> tuple[RegisterSlice, ...]:
        """`expedited` as slices of the register set of the PC."""
        return self._slices(self.expedited)

    @cached_property
    def general_slices(self) -> tuple[RegisterSlice, ...]:
        """`general` as slices of the register set of the PC."""
        return self._slices(self.general)

    def _slices(self, registers: tuple[Reg, ...]) -> tuple[RegisterSlice, ...]:
        for register in registers:
            if register.regset != self.pc.regset or register.op is not Op.COPY:
                raise ValueError(f"{register.name} does not lie in the register set of the PC")
        return tuple((register.number, register.offset, register.offset + register.width) for register in registers)

    @cached_property
    def _places(self) -> tuple[tuple[int, int, int, slice, RegSet], ...]:
        """By number: offset, stored bytes, presence bits of which one is needed (0: none), the presence word."""
        places = []
        for register in (*self.registers, *self.views):
            regset = self.regsets_by_name[register.regset]
            component = regset.component_at(register.offset)
            word = slice(regset.presence_offset, regset.presence_offset + 8)
            places.append((register.offset, register.stored, component.needs if component else 0, word, regset))
        return tuple(places)

    def register(self, number: int) -> Reg:
        """The register with gdb's number `number`; raises `NoSuchRegister`."""
        if 0 <= number < len(self.registers):
            return self.registers[number]
        if not 0 <= number - len(self.registers) < len(self.views):
            raise NoSuchRegister(number)
        return self.views[number - len(self.registers)]

    def read(self, register: Reg, sets: Mapping[str, bytes]) -> bytes:
        """The value of `register` in target byte order; only its own register set is looked at."""
        if register.joined:
            return b"".join(self.read(self.by_name[name], sets) for name in register.joined)
        offset, size, needs, presence, regset = self._places[register.number]
        data = sets[register.regset]
        if needs and not int.from_bytes(data[presence], "little") & needs:
            data = regset.initial
        if register.op is Op.COPY:
            return data[offset : offset + size]
        return decode(register.op, data, offset, size)

    def write(self, register: Reg, value: bytes, sets: Mapping[str, bytes]) -> tuple[str, bytes]:
        """The name of the register set and its bytes with `register` changed to `value` (target byte order).

        A component in its initial state is brought into use, unless `value` is what it is already.
        Raises `MalformedPacket` when `value` has not exactly the register's width.
        """
        if len(value) != register.width:
            raise MalformedPacket(f"register {register.name} has {register.width} bytes, not {len(value)}")
        data = sets[register.regset]
        if self.read(register, sets) == value:
            return register.regset, data
        regset = self.regsets_by_name[register.regset]
        image = regset.settled(data)
        self._spread(register, regset, image, value)
        return register.regset, bytes(image)

    def _spread(self, register: Reg, regset: RegSet, image: bytearray, value: bytes) -> None:
        """Store a value where it belongs, a joined view's in all its registers."""
        if not register.joined:
            _store(register, regset, image, value)
        for part in map(self.by_name.__getitem__, register.joined):
            _store(part, regset, image, value[: part.width])
            value = value[part.width :]

    def pack_block(self, sets: Mapping[str, bytes]) -> bytes:
        """The block of all registers (the ``g`` packet's bytes) from the raw register sets by name."""
        return self._plan.gather(sets)

    def unpack_block(self, block: bytes, sets: Mapping[str, bytes]) -> dict[str, bytes]:
        """The register sets that change when all registers are to be as in `block`, whole, by name.

        Raises `MalformedPacket` when `block` has not exactly `block_size` bytes.
        """
        if len(block) != self.block_size:
            raise MalformedPacket(f"all registers take {self.block_size} bytes, not {len(block)}")
        old = self.pack_block(sets)
        changed: dict[str, bytearray] = {}
        for register, (start, end) in zip(self.registers, pairwise(self.block_offsets), strict=True):
            if block[start:end] != old[start:end]:
                regset = self.regsets_by_name[register.regset]
                image = changed.get(regset.name)
                if image is None:
                    image = changed[regset.name] = regset.settled(sets[regset.name])
                _store(register, regset, image, block[start:end])
        return {name: bytes(image) for name, image in changed.items()}


def _store(register: Reg, regset: RegSet, image: bytearray, value: bytes) -> None:
    encode(register.op, image, register.offset, register.stored, value)
    regset.mark_present(image, register.offset)
