"""Writes down every call between this backend and the kernel: C's `linux_...` functions, and `system`.

`install` has to come before anything else of the backend is imported, since the views of the C core keep its functions.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from pydbgserver import native
from pydbgserver.backends.linux import system
from pydbgserver.backends.linux.kernel_calls import (
    Call,
    argument,
    format_call,
    is_buffer,
    snapshot,
    written,
)

PREFIX = "linux_"

SILENT = frozenset(
    {"linux_attend", "linux_clear_wakeup", "linux_log_to", "linux_open", "linux_open_in_root", "linux_unattended"}
)
"""Calls that are about this server's own descriptors, or about what no client debugs."""

WAITS = frozenset({"linux_wait"})
"""Calls whose result 0 only says that nothing has happened yet."""

Write = Callable[[bytes], None]


class Facade:
    """Stands for the C core: `make` gives the function to call instead of one of the tracer's, from name and function;
    the others are the core's own."""

    def __init__(self, core: Any, make: Callable[[str, Any], Any]) -> None:
        self._core = core
        self._make = make

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._core, name)
        if name.startswith(PREFIX) and callable(found):
            found = self._make(name, found)
        # Found by itself from now on.
        self.__dict__[name] = found
        return found


def put_between(make: Callable[[str, Any], Any]) -> None:
    """Have the backend call what `make` gives. Raises `RuntimeError` when it has begun to call the kernel itself."""
    if "pydbgserver.backends.linux.tracer" in sys.modules or "pydbgserver.backends.linux.spawn" in sys.modules:
        raise RuntimeError("the backend is imported already")
    native.lib = Facade(native.lib, make)
    for name in system.CALLS:
        setattr(system, name, make(name, getattr(system, name)))


def install(write: Write) -> None:
    """From now on `write` gets a line for each call."""
    put_between(
        lambda name, function: (
            _recorded_c(name, function, write) if name.startswith(PREFIX) else _recorded_system(name, function, write)
        )
    )


def _recorded_c(name: str, function: Any, write: Write) -> Any:
    if name in SILENT:
        return function

    def call(*given: Any) -> Any:
        buffers = {index: snapshot(one) for index, one in enumerate(given) if is_buffer(one)}
        arguments = [argument(one) for one in given]
        result = function(*given)
        if name in WAITS and result == 0:
            return result
        out = {str(index): written(given[index], before, result) for index, before in buffers.items()}
        found = Call(name, arguments, result, {index: one for index, one in out.items() if one is not None})
        write(format_call(found))
        return result

    return call


def _recorded_system(name: str, function: Callable[..., Any], write: Write) -> Callable[..., Any]:
    def call(*given: Any) -> Any:
        try:
            result = function(*given)
        except OSError as error:
            write(format_call(Call(name, list(given), {"errno": error.errno})))
            raise
        shown = result.decode("latin-1") if isinstance(result, bytes) else result
        write(format_call(Call(name, list(given), shown)))
        return result

    return call
