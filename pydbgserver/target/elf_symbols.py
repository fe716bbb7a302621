"""Which function of an ELF file a place in it belongs to."""

from __future__ import annotations

from bisect import bisect_right
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile

# pyelftools takes 70 ms to load, and as long again for the symbols of a C library: for people's questions, not packets.


class Functions:
    """The functions of the file `path`, from .symtab or else from .dynsym (gABI, chapter "Symbol Table").

    Raises `OSError`, or `ValueError` for a file that is no ELF file or a damaged one.
    """

    def __init__(self, path: str) -> None:
        from elftools.common.exceptions import ELFError
        from elftools.elf.elffile import ELFFile

        try:
            with open(path, "rb") as file:
                elf = ELFFile(file)
                self._segments = [
                    (segment["p_offset"], segment["p_filesz"], segment["p_vaddr"])
                    for segment in elf.iter_segments("PT_LOAD")
                ]
                self._found = sorted(_functions(elf))
        except ELFError as error:
            raise ValueError(f"{path}: {error}") from error

    def at_offset(self, offset: int) -> tuple[str, int] | None:
        """Name, and bytes from its start, of the function around the file offset `offset`; None between functions."""
        for start, size, address in self._segments:
            if start <= offset < start + size:
                return self._at_address(offset - start + address)
        return None

    def _at_address(self, address: int) -> tuple[str, int] | None:
        index = bisect_right(self._found, address, key=lambda one: one[0]) - 1
        if index < 0:
            return None
        start, size, name = self._found[index]
        # Code in assembly often has no size.
        return (name, address - start) if not size or address < start + size else None


def _functions(elf: ELFFile) -> list[tuple[int, int, str]]:
    """(address, size, name), addresses as the file has them."""
    from elftools.elf.sections import SymbolTableSection

    for section in (".symtab", ".dynsym"):
        table = elf.get_section_by_name(section)
        if isinstance(table, SymbolTableSection):
            return [
                (symbol["st_value"], symbol["st_size"], symbol.name)
                for symbol in table.iter_symbols()
                if symbol["st_info"]["type"] == "STT_FUNC" and symbol["st_value"]
            ]
    return []


class Places:
    """Addresses in words, for one look at a process: each file is read once."""

    def __init__(self) -> None:
        self._files: dict[str, Functions | None] = {}

    def name(self, path: str, offset: int) -> str:
        """ "inner+7 in /bin/program", or the file offset where there is no function."""
        if path not in self._files:
            self._files[path] = None
            with suppress(OSError, ValueError):
                self._files[path] = Functions(path)
        functions = self._files[path]
        found = functions.at_offset(offset) if functions is not None else None
        return f"{found[0]}+{found[1]} in {path}" if found else f"{path}+{offset:#x}"
