"""A CPU's registers in words: target.xml for gdb and lldb, ``qRegisterInfo`` for lldb.

One document serves both clients. gdb skips attributes and elements that it
does not know without a word (gdb/xml-support.c; shown by ``set debug xml 1``),
so lldb's (lldbgdbremote.md, "qXfer:features:read") are always there.

``<groups>`` and ``group_id`` rather than ``group`` name lldb's register sets:
gdb takes ``group`` for its own register groups, which decide what
``info registers`` shows and what a call of a function saves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TypeAlias

from pydbgserver.arch.model import Arch, Feature, FlagsType, Reg, RegisterType, UnionType

# The names are those of lldb-server, so that `register read --set` and people find the same sets.
_SET_NAMES = {
    "general": "General Purpose Registers",
    "float": "Floating Point Registers",
    "vector": "Advanced Vector Extensions",
    "exception": "Exception State Registers",
}
_ON_EVERY_CPU = frozenset({"general", "float", "vector"})
_SET_IDS = {group: str(number) for number, group in enumerate(_SET_NAMES, start=1)}

_VECTOR_TYPES = frozenset({"i387_ext", "vec128", "uint128", "v2ui128", "aarch64v"})
_FLOAT_TYPES = frozenset({"ieee_single", "ieee_double"})


def _presentation(register: Reg) -> tuple[str, str]:
    """lldb's (encoding, format)."""
    if register.type in _FLOAT_TYPES:
        return "ieee754", "float"
    return ("vector", "vector-uint8") if register.type in _VECTOR_TYPES else ("uint", "hex")


def _container(arch: Arch, register: Reg) -> Reg:
    """The register in whose place of the block a register lies: itself, unless it is a view."""
    return arch.by_name[register.container] if register.container else register


def _lies_in(arch: Arch, register: Reg) -> list[int]:
    """Of a view: the numbers of the registers in which it lies."""
    names = register.joined or ((register.container,) if register.container else ())
    return [arch.by_name[name].number for name in names]


def _overlapping(arch: Arch, register: Reg) -> list[int]:
    """Of a view: the numbers of the registers that change with it."""
    places = _lies_in(arch, register)
    others = (view for view in arch.views if view is not register)
    return places + [view.number for view in others if not set(places).isdisjoint(_lies_in(arch, view))]


def _block_offset(arch: Arch, register: Reg) -> int:
    """Where a register or a view begins in the ``g`` packet, in bytes; past its end for one that is not in it."""
    container = _container(arch, register)
    if container.number >= len(arch.registers):
        return arch.block_size + register.offset
    return arch.block_offsets[container.number] + register.offset - container.offset


def _numbers(numbers: list[int], form: str) -> str | None:
    return ",".join(format(one, form) for one in numbers) or None


Attribute: TypeAlias = "tuple[str, str | int | None]"
"""Name and value; None: the register has none."""


def _tag(element: str, attributes: Iterable[Attribute], *, empty: bool = True) -> str:
    words = "".join(f' {name}="{value}"' for name, value in attributes if value is not None)
    return f"<{element}{words}{'/' if empty else ''}>"


def _register(register: Reg, *own: Attribute, lists: Iterable[Attribute] = ()) -> str:
    """`own`: the attributes that each client's document has of its own; `lists`: those at the end."""
    encoding, format = _presentation(register)
    return _tag(
        "reg",
        (
            ("name", register.name),
            ("bitsize", register.bits),
            ("type", register.type),
            ("regnum", register.number),
            *own,
            ("encoding", encoding),
            ("format", format),
            ("altname", register.altname),
            ("ehframe_regnum", register.ehframe),
            ("dwarf_regnum", register.dwarf),
            ("generic", register.generic),
            *lists,
        ),
    )


def _for_gdb(register: Reg) -> str:
    return _register(register, ("group", register.gdb_group), ("group_id", _SET_IDS[register.group]))


def _for_lldb(arch: Arch, register: Reg) -> str:
    return _register(
        register,
        ("offset", _block_offset(arch, register)),
        ("group", _SET_NAMES[register.group]),
        lists=(
            ("value_regnums", _numbers(_lies_in(arch, register), "d")),
            ("invalidate_regnums", _numbers(_overlapping(arch, register), "d")),
        ),
    )


def _type(declared: RegisterType) -> Iterator[str]:
    if isinstance(declared, FlagsType):
        yield _tag("flags", (("id", declared.id), ("size", declared.size)), empty=False)
        for name, bit in declared.fields:
            yield _tag("field", (("name", name), ("start", bit), ("end", bit), ("type", "bool")))
        yield "</flags>"
    elif isinstance(declared, UnionType):
        yield _tag("union", (("id", declared.id),), empty=False)
        for name, type in declared.fields:
            yield _tag("field", (("name", name), ("type", type)))
        yield "</union>"
    else:
        yield _tag("vector", (("id", declared.id), ("type", declared.element), ("count", declared.count)))


def _feature(feature: Feature) -> Iterator[str]:
    yield _tag("feature", (("name", feature.name),), empty=False)
    for declared in feature.types:
        yield from _type(declared)
    for register in feature.regs:
        yield _for_gdb(register)
    yield "</feature>"


def _document(arch: Arch) -> Iterator[str]:
    yield '<?xml version="1.0"?>'
    yield '<!DOCTYPE target SYSTEM "gdb-target.dtd">'
    yield '<target version="1.0">'
    yield f"<architecture>{arch.gdb_architecture}</architecture>"
    yield f"<osabi>{arch.osabi}</osabi>"
    yield "<groups>"
    used = {register.group for register in arch.registers} | _ON_EVERY_CPU
    for group, number in _SET_IDS.items():
        if group in used:
            yield _tag("group", (("id", number), ("name", _SET_NAMES[group])))
    yield "</groups>"
    for feature in arch.features:
        yield from _feature(feature)
    yield "</target>"


@lru_cache(maxsize=8)
def target_xml(arch: Arch) -> bytes:
    """The whole target description, one document without includes, in ASCII."""
    return ("\n".join(_document(arch)) + "\n").encode("ascii")


def _lldb_document(arch: Arch) -> Iterator[str]:
    yield '<?xml version="1.0"?>'
    yield '<target version="1.0">'
    yield f"<architecture>{arch.gdb_architecture.rpartition(':')[2].replace('-', '_')}</architecture>"
    yield "<feature>"
    for feature in arch.features:
        for declared in feature.types:
            yield from _type(declared)
    for register in (*arch.registers, *arch.views):
        yield _for_lldb(arch, register)
    yield "</feature>"
    yield "</target>"


@lru_cache(maxsize=8)
def lldb_target_xml(arch: Arch) -> bytes:
    """The same registers as lldb-server describes them: one feature, the sets' names as groups, the architecture in
    lldb's word for it, everything that ``qRegisterInfo`` says."""
    return ("\n".join(_lldb_document(arch)) + "\n").encode("ascii")


def register_info(arch: Arch, number: int) -> str | None:
    """The reply to ``qRegisterInfo<number>``: ``key:value;`` pairs, numbers in decimal; None past the last one.

    ``offset`` counts in bytes of the ``g`` packet. The registers that a view is part of are hexadecimal.
    """
    if not 0 <= number < len(arch.registers) + len(arch.views):
        return None
    register = arch.register(number)
    encoding, format = _presentation(register)
    pairs = (
        ("name", register.name),
        ("alt-name", register.altname),
        ("bitsize", register.bits),
        ("offset", _block_offset(arch, register)),
        ("encoding", encoding),
        ("format", format),
        ("set", _SET_NAMES[register.group]),
        ("ehframe", register.ehframe),
        ("dwarf", register.dwarf),
        ("generic", register.generic),
        ("container-regs", _numbers(_lies_in(arch, register), "x")),
        ("invalidate-regs", _numbers(_overlapping(arch, register), "x")),
    )
    return "".join(f"{key}:{value};" for key, value in pairs if value is not None)
