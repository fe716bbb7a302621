"""Functions of ELF files by the place in the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from pydbgserver.target.elf_symbols import Functions, Places
from tests.programs import Programs


def code_of(path: Path, symbol: str) -> int:
    """The file offset of the function `symbol`: where its machine code, as nm and the segments have it, begins."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        table = elf.get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection)
        found = table.get_symbol_by_name(symbol)
        assert found is not None
        offset: int = next(elf.address_offsets(found[0]["st_value"]))
        return offset


def test_functions(program: Programs) -> None:
    path = program("values")
    functions = Functions(str(path))
    start = code_of(path, "inner")
    assert functions.at_offset(start) == ("inner", 0)
    assert functions.at_offset(start + 7) == ("inner", 7)
    assert functions.at_offset(code_of(path, "middle") - 1) != ("middle", 0)
    assert functions.at_offset(0) is None
    assert functions.at_offset(1 << 40) is None


def test_names_of_places(program: Programs, tmp_path: Path) -> None:
    path = program("values")
    places = Places()
    assert places.name(str(path), code_of(path, "inner") + 7) == f"inner+7 in {path}"
    assert places.name(str(path), 0) == f"{path}+0x0"
    assert places.name(f"{tmp_path}/no/such", 0x40) == f"{tmp_path}/no/such+0x40"


@pytest.mark.parametrize("content", [b"", b"no program", b"\x7fELF" + bytes(60)])
def test_no_program(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="file"):
        Functions(str(path))


def test_cut_program(program: Programs, tmp_path: Path) -> None:
    """Whatever is left of it, the answer is a place or a ValueError."""
    whole = program("values").read_bytes()
    places = Places()
    for length in range(0, len(whole), 997):
        path = tmp_path / str(length)
        path.write_bytes(whole[:length])
        assert places.name(str(path), 0x40) == f"{path}+0x40"
