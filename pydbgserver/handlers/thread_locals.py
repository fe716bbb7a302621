"""Where a thread-local variable of a thread lives: what libthread_db does, without it.

glibc describes its own structures by constants that it exports for libthread_db: ``_thread_db_STRUCT_FIELD`` is the
address of three 32-bit words, the field's size in bits, its number of elements, its offset (nptl_db/db_info.c). gdb
knows where they are: the server may ask it for symbols whenever it says ``qSymbol::``.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from pydbgserver.errors import DebugError
from pydbgserver.rsp.grammar import ThreadId
from pydbgserver.rsp.registry import packet
from pydbgserver.rsp.replies import hex_text
from pydbgserver.session.session import Session
from pydbgserver.target.api import Process
from pydbgserver.target.registers import thread_pointer

MODULE_ID = "_thread_db_link_map_l_tls_modid"
VECTOR_POINTER = "_thread_db_pthread_dtvp"
VECTOR = "_thread_db_dtv_dtv"
BLOCK_POINTER = "_thread_db_dtv_t_pointer_val"
SYMBOLS = (MODULE_ID, VECTOR_POINTER, VECTOR, BLOCK_POINTER)

STATIC_MODULE = 1
MOST_STATIC = 1 << 24
"""The most bytes of thread-local variables that a static program is thought to have."""

_DESCRIPTION = struct.Struct("<IIi")
_UNALLOCATED = 1
"""TLS_DTV_UNALLOCATED is all ones; a block is aligned (sysdeps/generic/dl-dtv.h)."""


@packet("qSymbol", "':' [value:hex] ':' [name:hextext]")
def symbol(session: Session, value: int | None, name: str | None) -> bytes | None:
    """The client offers to look symbols up, or has done it; without `value` it does not know the symbol yet.

    lldb finds thread-locals by itself.
    """
    if not session.dialect.is_gdb:
        return None
    known = session.symbols.setdefault(session.process.pid, {})
    if name in SYMBOLS and value is not None:
        known[name] = value
    first = SYMBOLS.index(name) + 1 if name in SYMBOLS else 0
    wanted = next((one for one in SYMBOLS[first:] if one not in known), None)
    return None if wanted is None else b"qSymbol:" + hex_text(wanted)


@packet("qGetTLSAddr", "':' pattern:thread ',' offset:hex ',' link_map:hex", dialect="gdb")
def thread_local_address(session: Session, pattern: ThreadId, offset: int, link_map: int) -> str:
    """Of the variable at `offset` in the module of `link_map` (td_thr_tls_get_addr); 0: a static program has no link
    map, and is the first module itself (td_thr_tlsbase)."""
    process, tid = session.selection.find(pattern)
    session.stopped_thread(tid)
    pointer = thread_pointer(process, tid)
    symbols = session.symbols.get(process.pid, {})
    complete = len(symbols) == len(SYMBOLS)
    if not pointer or not (complete or not link_map):
        raise DebugError("thread-local storage is not set up yet, or the C library is not glibc")
    block = _block(process, symbols, link_map, pointer) if complete else _only_block(process, pointer)
    return f"{(block + offset) % (1 << 8 * process.arch.pointer_size):x}"


def _block(process: Process, symbols: Mapping[str, int], link_map: int, pointer: int) -> int:
    """Where the module's variables of the thread begin."""
    module = _field(process, symbols[MODULE_ID], link_map) if link_map else STATIC_MODULE
    vector = _field(process, symbols[VECTOR_POINTER], pointer)
    entry, _ = _locate(process, symbols[VECTOR], vector, module)
    block = _field(process, symbols[BLOCK_POINTER], entry)
    if not module or block & _UNALLOCATED:
        raise DebugError("the thread has not used the thread-local variables of this module yet")
    return block


def _only_block(process: Process, pointer: int) -> int:
    """The same in a static program that has no symbols of threads in it.

    The word after the one that the thread pointer points to is the vector's address (glibc tcbhead_t, musl struct
    pthread). The block of module 1 is the vector's second element: pairs of words in glibc, words in musl. It ends
    near the thread pointer, which tells them apart.
    """
    word = process.arch.pointer_size
    vector = _word(process, pointer + word)
    for place in (vector + 2 * word, vector + word):
        block = _word(process, place)
        if block and pointer - MOST_STATIC <= block <= pointer:
            return block
    raise DebugError("thread-local storage is not set up yet, or the C library is neither glibc nor musl")


def _word(process: Process, address: int) -> int:
    return int.from_bytes(_read(process, address, process.arch.pointer_size), "little")


def _locate(process: Process, description: int, structure: int, index: int = 0) -> tuple[int, int]:
    """(address, size in bytes) of element `index` of the described field of `structure`."""
    bits, _, offset = _DESCRIPTION.unpack(_read(process, description, _DESCRIPTION.size))
    return structure + offset + bits // 8 * index, bits // 8


def _field(process: Process, description: int, structure: int) -> int:
    return int.from_bytes(_read(process, *_locate(process, description, structure)), "little")


def _read(process: Process, address: int, size: int) -> bytes:
    data = process.read_memory(address % (1 << 64), size)
    if len(data) < size:
        raise DebugError(f"cannot read {size} bytes at {address:#x}")
    return data
