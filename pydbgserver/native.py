"""The compiled C core, ``pydbgserver._native``: its `lib` and `ffi`, and how its errors become exceptions.

Every C function gives a result >= 0 or -errno. `check` is the one place that
turns the second into `KernelError`. The typed views of each C family live
with their callers: `pydbgserver.rsp.codec` and `pydbgserver.backends.linux.tracer`.
"""

from __future__ import annotations

from pydbgserver.errors import KernelError, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

try:
    from pydbgserver import _native
except ImportError as error:  # pragma: no cover - only a broken installation comes here
    raise ImportError(
        "the compiled part of pydbgserver is missing; install with 'pip install .' "
        "or build it in place with 'python native/build.py --inplace'"
    ) from error

lib: Any = _native.lib
ffi: Any = _native.ffi


def mach() -> tuple[Any, Any]:
    """The `lib` and `ffi` of the calls of native/cdef/mach.h.

    On a Mac they are the product's own. Elsewhere they are those of the simulation, which is test equipment:
    raises `Unsupported` where it has not been built.
    """
    if hasattr(lib, "mach_open"):
        return lib, ffi
    try:
        from pydbgserver import _native_macos_sim
    except ImportError:
        raise Unsupported("this is no Mac, and the simulation of one, which is test equipment, is not built") from None
    return _native_macos_sim.lib, _native_macos_sim.ffi


def check(result: int, doing: str) -> int:
    """`result` itself when it is >= 0; raises `KernelError` (errno ``-result``) otherwise."""
    if result < 0:
        raise KernelError(-result, doing)
    return result
