"""Instructions in words, for ``monitor threads``."""

from __future__ import annotations

from pydbgserver.arch.model import Arch
from pydbgserver.errors import Unsupported

# capstone's names of (architecture, mode); capstone itself takes 0.1 s to import and is loaded at first use.
_CAPSTONE = {"x86_64": ("CS_ARCH_X86", "CS_MODE_64"), "i386": ("CS_ARCH_X86", "CS_MODE_32")}


def disassemble(arch: Arch, code: bytes, address: int) -> list[tuple[int, bytes, str]]:
    """(address, bytes, text) of every instruction; bytes that are none come as ``.byte``.

    Raises `Unsupported` for a CPU without a disassembler.
    """
    names = _CAPSTONE.get(arch.llvm_arch)
    if names is None:
        raise Unsupported(f"no disassembler for {arch.llvm_arch}")
    import capstone

    decoder = capstone.Cs(*(getattr(capstone, name) for name in names))
    decoder.skipdata = True
    return [
        (start, bytes(code[start - address : start - address + size]), f"{mnemonic} {operands}".rstrip())
        for start, size, mnemonic, operands in decoder.disasm_lite(code, address)
    ]
