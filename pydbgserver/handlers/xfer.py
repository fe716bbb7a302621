"""qXfer: objects read piece by piece.

An object is taken as a whole when its beginning is asked for, and the pieces come from that copy: what changes while
the client reads does not tear it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from pydbgserver.arch import tdesc
from pydbgserver.errors import DebugError, MalformedPacket, Unsupported
from pydbgserver.rsp.registry import packet
from pydbgserver.rsp.replies import xfer_chunk
from pydbgserver.session.dialect import PACKET_SIZE
from pydbgserver.session.session import Session
from pydbgserver.session.unheard import known_threads
from pydbgserver.target.api import Process
from pydbgserver.target.capabilities import (
    Auxv,
    ExecFile,
    LoadedLibrary,
    SharedLibraries,
    SignalInfo,
    ThreadPlacement,
)
from pydbgserver.target.registers import pthread

LONGEST_PIECE = PACKET_SIZE - 1
"""lldb asks for as much as it thinks PacketSize is, and takes less."""

READ_GRAMMAR = "':' annex:text ':' offset:hex ',' length:hex [':']"
"""lldb-server does not look at what comes after the length."""


def _readable(
    name: str, *features: str
) -> Callable[[Callable[[Session, str], bytes]], Callable[[Session, str], bytes]]:
    """Register a function that makes the whole object `name` from its annex."""
    packet_name = f"qXfer:{name}:read"

    def register(make: Callable[[Session, str], bytes]) -> Callable[[Session, str], bytes]:
        @packet(packet_name, READ_GRAMMAR, features=[f"{packet_name}+", *features])
        def read(session: Session, annex: str, offset: int, length: int) -> bytes:
            key = f"{name}:{annex}"
            snapshot = session.xfer_snapshot
            if offset == 0 or snapshot is None or snapshot[0] != key:
                snapshot = session.xfer_snapshot = (key, make(session, annex))
            chunk = xfer_chunk(snapshot[1], offset, min(length, LONGEST_PIECE))
            if chunk[:1] == b"l":
                session.xfer_snapshot = None
            return chunk

        return make

    return register


def _escape(text: str) -> str:
    """`text` as an XML attribute's value; what XML cannot hold is shown as "?"."""
    text = "".join(one if one.isprintable() and not "\ud800" <= one <= "\udfff" else "?" for one in text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


@_readable("features")
def target_description(session: Session, annex: str) -> bytes:
    if annex != "target.xml":
        raise DebugError(f"there is no description {annex!r}")
    arch = session.process.arch
    return tdesc.lldb_target_xml(arch) if session.dialect.is_lldb else tdesc.target_xml(arch)


@_readable("auxv")
def auxiliary_vector(session: Session, annex: str) -> bytes:
    auxv = session.process.capability(Auxv)
    if auxv is None:
        raise Unsupported("the target has no auxiliary vector")
    return auxv.auxv()


@_readable("threads")
def threads(session: Session, annex: str) -> bytes:
    lines = [line for process, tids in known_threads(session) for line in _thread_lines(session, process, tids)]
    return ("<threads>\n" + "".join(lines) + "</threads>\n").encode()


def _thread_lines(session: Session, process: Process, tids: Sequence[int]) -> Iterable[str]:
    placement = process.capability(ThreadPlacement)
    for tid in tids:
        name, core = "", ""
        try:
            name = process.thread_name(tid)
            core = f' core="{placement.core(tid)}"' if placement is not None else ""
        except DebugError:
            continue
        name = f' name="{_escape(name)}"' if name else ""
        yield f'<thread id="{session.dialect.thread_id(process.pid, tid)}"{core}{name}{_handle(process, tid)}/>\n'


def _handle(process: Process, tid: int) -> str:
    """`handle`: the bytes of the thread's pthread_t, by which gdb's Python finds it. `id_str` (gdb 16): what the
    thread is called, in the words of gdb's own Linux target (linux-thread-db.c)."""
    handle = pthread(process, tid)
    if not handle:
        return ""
    arch = process.arch
    digits = handle.to_bytes(arch.pointer_size, "little" if arch.byte_order == "little" else "big").hex()
    return f' handle="{digits}" id_str="Thread {handle:#x} (LWP {tid})"'


@_readable("osdata")
def host_tables(session: Session, annex: str) -> bytes:
    """The machine in tables: the annex names one, without it they are listed. gdb takes an empty object for "no such
    table"."""
    backend = session.backend
    if not annex:
        return _host_table("types", ("Type", "Description", "Title"), backend.host_tables())
    table = backend.host_table(annex)
    return b"" if table is None else _host_table(annex, *table)


def _host_table(name: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    heads = [f'<column name="{_escape(one)}">' for one in columns]
    items = [
        "".join([f"{head}{_escape(value)}</column>" for head, value in zip(heads, row, strict=False)]) for row in rows
    ]
    body = "".join([f"<item>{item}</item>" for item in items])
    return f'<osdata type="{_escape(name)}">\n{body}</osdata>\n'.encode()


@_readable("exec-file")
def exec_file(session: Session, annex: str) -> bytes:
    """The annex is the process in hexadecimal; empty: the present one."""
    try:
        process = session.selection.process_of(int(annex, 16)) if annex else session.process
    except ValueError as error:
        raise MalformedPacket(f"{annex!r} is no process id") from error
    capability = process.capability(ExecFile)
    if capability is None:
        raise Unsupported("the target has no executable file")
    return capability.exec_file().encode("utf-8", "surrogateescape")


def _signal_info(session: Session) -> tuple[SignalInfo, int]:
    process, tid = session.stopped_thread()
    siginfo = process.capability(SignalInfo)
    if siginfo is None:
        raise Unsupported("the target has no siginfo")
    return siginfo, tid


@_readable("siginfo")
def signal_info(session: Session, annex: str) -> bytes:
    siginfo, tid = _signal_info(session)
    return siginfo.read_siginfo(tid)


@packet("qXfer:siginfo:write", "':' annex:text ':' offset:hex ':' data:binary", features=["qXfer:siginfo:write+"])
def write_signal_info(session: Session, annex: str, offset: int, data: bytes) -> str:
    """Gives the number of bytes written."""
    siginfo, tid = _signal_info(session)
    whole = bytearray(siginfo.read_siginfo(tid))
    if offset + len(data) > len(whole):
        raise MalformedPacket(f"a siginfo has {len(whole)} bytes")
    whole[offset : offset + len(data)] = data
    siginfo.write_siginfo(tid, bytes(whole))
    return f"{len(data):x}"


@_readable("libraries-svr4", "augmented-libraries-svr4-read+")
def libraries(session: Session, annex: str) -> bytes:
    """The link map. The annex may ask for one namespace (lmid), and for the part from the entry `start` on: a client
    that knows the list up to `prev` asks for what has been added. If `prev` is not what comes before, nothing is
    given, and the client reads the whole list."""
    capability = session.process.capability(SharedLibraries)
    if capability is None:
        raise Unsupported("the target has no list of libraries")
    main, entries = capability.libraries()
    options = _annex_options(annex)
    start = options.get("start", 0)
    if start:
        entries = _from_entry(entries, start, options.get("prev"), main)
    elif options.get("lmid"):
        entries = [one for one in entries if one.namespace == options["lmid"]]
    # lldb 19 takes main-lm for the place of the pointer to r_debug (ProcessGDBRemote::GetImageInfoAddress), reads the
    # load bias there and never sees another library of a position independent program; lldb-server leaves it out.
    head = f' main-lm="{main:#x}"' if main and not start and not session.dialect.is_lldb else ""
    body = "".join(_library_line(one, namespace=not session.dialect.is_lldb) for one in entries)
    return f'<library-list-svr4 version="1.0"{head}>{body}</library-list-svr4>'.encode("utf-8", "surrogateescape")


def _from_entry(entries: Sequence[LoadedLibrary], start: int, prev: int | None, main: int) -> Sequence[LoadedLibrary]:
    """The entries of one namespace, that of `start`, from there on. Its first entry comes after nothing; in the main
    one that is the program's own, which is never listed."""
    first = entries[0].namespace if entries else 0
    namespace = next((one.namespace for one in entries if one.link_map == start), first)
    listed = [one for one in entries if one.namespace == namespace]
    maps = [*([main] if namespace == first else []), *(one.link_map for one in listed)]
    if start not in maps:
        return ()
    index = maps.index(start)
    if prev not in (None, maps[index - 1] if index else 0):
        return ()
    return listed[max(0, index - (len(maps) - len(listed))) :]


def _library_line(library: LoadedLibrary, *, namespace: bool) -> str:
    """gdb 13 insists on `lmid`, which is the address of the namespace's r_debug structure in gdbserver 13; lldb-server
    does not have it."""
    lmid = f' lmid="{library.namespace:#x}"' if namespace else ""
    name = library.name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    return (
        f'<library name="{name}" lm="{library.link_map:#x}" l_addr="{library.load_bias:#x}" '
        f'l_ld="{library.dynamic:#x}"{lmid}/>'
    )


def _annex_options(annex: str) -> dict[str, int]:
    """``KEY=HEX;`` pairs; what is not known is left alone."""
    options = {}
    for pair in annex.split(";"):
        key, equals, value = pair.partition("=")
        if not equals:
            continue
        try:
            options[key] = int(value, 16)
        except ValueError as error:
            raise MalformedPacket(f"libraries: {pair!r} makes no sense") from error
    return options
