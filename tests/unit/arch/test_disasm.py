from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from pydbgserver.arch.disasm import disassemble
from pydbgserver.errors import Unsupported
from tests.unit.arch.machines import ARCHES

ARCH = ARCHES[0]


def test_instructions_with_addresses_and_bytes() -> None:
    assert disassemble(ARCH, b"\x55\x48\x89\xe5\xc3", 0x401000) == [
        (0x401000, b"\x55", "push rbp"),
        (0x401001, b"\x48\x89\xe5", "mov rbp, rsp"),
        (0x401004, b"\xc3", "ret"),
    ]


def test_bytes_that_are_no_instruction() -> None:
    listing = disassemble(ARCH, b"\x06\x90", 0x1000)
    assert [(address, code) for address, code, _ in listing] == [(0x1000, b"\x06"), (0x1001, b"\x90")]
    assert listing[0][2].startswith(".byte")


def test_a_cpu_without_disassembler() -> None:
    with pytest.raises(Unsupported, match="vax"):
        disassemble(replace(ARCH, llvm_arch="vax"), b"\x00", 0)


def test_capstone_is_imported_only_when_something_is_disassembled() -> None:
    code = "import sys, pydbgserver.arch.disasm, pydbgserver.arch.x86; print('capstone' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert run.stdout.strip() == "False"
