"""The C calls and their errors: what the typed views of them (`tracer`) are made of."""

from __future__ import annotations

from typing import Any

from pydbgserver import native
from pydbgserver.backends.macos import kernel_errors
from pydbgserver.errors import DebugError, NoSuchProcess, NoSuchThread

MAX_WORDS = 200
ADDRESS_MASK = 0xFFFFFFFFFFFFFFFF


class Calls:
    """`lib` and `ffi` of native/cdef/mach.h."""

    def __init__(self, lib: Any = None, ffi: Any = None) -> None:
        if lib is None:
            lib, ffi = native.mach()
        self.lib = lib
        self.ffi = ffi

    def words(self, result: int) -> str:
        """A negative result in words."""
        buffer = self.ffi.new("char[]", MAX_WORDS)
        count = self.lib.mach_error_words(result, buffer, MAX_WORDS)
        return bytes(self.ffi.buffer(buffer, min(max(count, 0), MAX_WORDS))).decode(errors="replace")

    def _text(self, size: int, call: Any) -> str:
        buffer = self.ffi.new("char[]", size)
        count = call(buffer)
        return bytes(self.ffi.buffer(buffer, min(max(count, 0), size))).decode(errors="surrogateescape")

    def error(self, result: int, doing: str) -> DebugError:
        """The exception for a negative result."""
        return kernel_errors.error(result, doing, "" if kernel_errors.is_errno(result) else self.words(result))

    def _check(self, result: int, doing: str) -> int:
        if result < 0:
            raise self.error(result, doing)
        return result

    def _gone(self, result: int, pid: int) -> NoSuchProcess | None:
        return NoSuchProcess(pid) if result in kernel_errors.GONE else None

    def _process(self, result: int, pid: int, doing: str) -> int:
        if result < 0:
            raise self._gone(result, pid) or self.error(result, f"cannot {doing} process {pid}")
        return result

    def _thread(self, result: int, tid: int, doing: str) -> int:
        if result in kernel_errors.GONE:
            raise NoSuchThread(tid)
        if result < 0:
            raise self.error(result, f"cannot {doing} of thread {tid}")
        return result
