"""What a process's program is built for (gABI, "ELF Header")."""

from __future__ import annotations

import struct
from typing import NamedTuple

from pydbgserver.backends.linux import system

ELFCLASS32, ELFCLASS64 = 1, 2
EM_386, EM_X86_64 = 3, 62

_CLASS_AT, _ORDER_AT, _MACHINE_AT = 4, 5, 18
_BYTE_ORDERS = {1: "<", 2: ">"}


class Machine(NamedTuple):
    """EI_CLASS and e_machine of a program."""

    word: int
    machine: int


def machine(pid: int) -> Machine | None:
    """Of the program that process `pid` runs; None where the server may not look, and for what has no program."""
    try:
        header = system.read_file(f"/proc/{pid}/exe", 20)
    except OSError:
        return None
    if header[:4] != b"\x7fELF" or len(header) < 20 or header[_ORDER_AT] not in _BYTE_ORDERS:
        return None
    (number,) = struct.unpack_from(_BYTE_ORDERS[header[_ORDER_AT]] + "H", header, _MACHINE_AT)
    return Machine(header[_CLASS_AT], number)
