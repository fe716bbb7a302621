"""About the host, its processes and users, and the debuggee as a process."""

from __future__ import annotations

import os
from collections.abc import Callable

from pydbgserver.errors import DebugError, MalformedPacket, Unsupported
from pydbgserver.rsp.registry import packet
from pydbgserver.rsp.replies import hex_text
from pydbgserver.session.session import Session
from pydbgserver.target.api import HostInfo, Process, ProcessInfo
from pydbgserver.target.capabilities import HardwareDebug, MachImages, StandardStreams

NO_MORE_PROCESSES = 4
"""lldb-server's error at the end of a listing."""


def _hex(text: str) -> str:
    return hex_text(text).decode()


def _pairs(fields: dict[str, str]) -> str:
    return "".join(f"{key}:{value};" for key, value in fields.items())


def _system(triple: str) -> str:
    """The operating system of an LLVM triple (cpu-vendor-system-environment)."""
    parts = triple.split("-")
    return parts[2] if len(parts) > 2 else "unknown"


@packet("qHostInfo", dialect="lldb")
def host_info(session: Session) -> str:
    """`watchpoint_exceptions_received:after`: x86 stops after the access, so that lldb need not step over it."""
    host = session.backend.host_info()
    if host.cpu_type:
        return _pairs(_mac(host))
    fields = {"triple": _hex(host.triple), "ptrsize": str(host.pointer_size)}
    if host.distribution:
        fields["distribution_id"] = _hex(host.distribution)
    fields["watchpoint_exceptions_received"] = "after"
    fields["endian"] = host.byte_order
    fields["os_version"] = host.os_version
    fields["os_build"] = _hex(host.os_build)
    fields["os_kernel"] = _hex(host.os_kernel)
    fields["hostname"] = _hex(host.hostname)
    return _pairs(fields)


def _mac(host: HostInfo) -> dict[str, str]:
    """As debugserver describes a Mac: by its CPU's numbers, in decimal; hostname, build and kernel are ours."""
    fields = {"cputype": str(host.cpu_type), "cpusubtype": str(host.cpu_subtype)}
    if host.addressing_bits:
        fields["addressing_bits"] = str(host.addressing_bits)
    return fields | {
        "ostype": "macosx",
        "watchpoint_exceptions_received": "before" if host.watchpoints_before else "after",
        "vendor": "apple",
        "os_version": host.os_version,
        "os_build": _hex(host.os_build),
        "os_kernel": _hex(host.os_kernel),
        "hostname": _hex(host.hostname),
        "endian": host.byte_order,
        "ptrsize": str(host.pointer_size),
        "vm-page-size": str(host.page_size),
    }


@packet("qProcessInfo", dialect="lldb")
def process_info(session: Session) -> str:
    """Numbers are hexadecimal here, unlike in the listings."""
    process = session.process
    info = session.backend.process_info(process.pid)
    if info.cpu_type:
        return _pairs(_ids(info) | _mac_program(process, info))
    triple = info.triple or session.backend.host_info().triple
    return _pairs(
        _ids(info)
        | {
            "triple": _hex(triple),
            "ostype": _system(triple),
            "endian": process.arch.byte_order,
            "ptrsize": str(process.arch.pointer_size),
        }
    )


def _ids(info: ProcessInfo) -> dict[str, str]:
    return {
        "pid": f"{info.pid:x}",
        "parent-pid": f"{info.parent_pid:x}",
        "real-uid": f"{info.uid:x}",
        "real-gid": f"{info.gid:x}",
        "effective-uid": f"{info.effective_uid:x}",
        "effective-gid": f"{info.effective_gid:x}",
    }


def _mac_program(process: Process, info: ProcessInfo) -> dict[str, str]:
    """As debugserver describes a program: by the numbers of its CPU, in hexadecimal, and the platform it was built
    for."""
    return {
        "cputype": f"{info.cpu_type:x}",
        "cpusubtype": f"{info.cpu_subtype:x}",
        "ptrsize": str(process.arch.pointer_size),
        "ostype": _platform(process) or "macosx",
        "vendor": "apple",
        "endian": process.arch.byte_order,
    }


def _platform(process: Process) -> str:
    """What the main program's load commands say; "" while dyld has not begun, or where they say nothing."""
    from pydbgserver.target.macho import read_image

    images = process.capability(MachImages)
    try:
        listed = images.images() if images is not None else ()
        main = read_image(listed[0].load_address, process.read_memory) if listed else None
    except DebugError:
        return ""
    return main.platform if main is not None else ""


def _listed(info: ProcessInfo) -> str:
    """One process of a listing: numbers are decimal."""
    fields = {
        "pid": str(info.pid),
        "ppid": str(info.parent_pid),
        "uid": str(info.uid),
        "gid": str(info.gid),
        "euid": str(info.effective_uid),
        "egid": str(info.effective_gid),
        "name": _hex(info.name),
    }
    if info.arguments:
        fields["args"] = "-".join(_hex(word) for word in info.arguments)
    if info.triple:
        fields["triple"] = _hex(info.triple)
    return _pairs(fields)


@packet("qProcessInfoPID", "':' pid:dec", dialect="lldb")
def any_process_info(session: Session, pid: int) -> str:
    return _listed(session.backend.process_info(pid))


NAME_MATCHES: dict[str, Callable[[str, str], bool]] = {
    "equals": lambda name, wanted: name == wanted,
    "starts_with": lambda name, wanted: name.startswith(wanted),
    "ends_with": lambda name, wanted: name.endswith(wanted),
    "contains": lambda name, wanted: wanted in name,
}

NUMBER_FILTERS = {
    "pid": "pid",
    "parent_pid": "parent_pid",
    "uid": "uid",
    "gid": "gid",
    "euid": "effective_uid",
    "egid": "effective_gid",
}


def _wanted(filters: dict[str, str], info: ProcessInfo) -> bool:
    for key, field in NUMBER_FILTERS.items():
        if key in filters and int(filters[key]) != getattr(info, field):
            return False
    if "name" not in filters:
        return True
    wanted = bytes.fromhex(filters["name"]).decode("utf-8", "surrogateescape")
    kind = filters.get("name_match", "equals")
    if kind == "regex":
        import re

        return re.search(wanted, os.path.basename(info.name)) is not None
    return NAME_MATCHES[kind](os.path.basename(info.name), wanted)


@packet("qfProcessInfo", "[':' filters:text]", dialect="lldb")
def first_process(session: Session, filters: str | None) -> str:
    fields = dict(one.partition(":")[::2] for one in (filters or "").split(";") if one)
    processes = session.backend.list_processes()
    try:
        session.process_listing = [_listed(one) for one in processes if _wanted(fields, one)]
    except (ValueError, KeyError, OverflowError) as error:
        raise MalformedPacket("qfProcessInfo: a filter makes no sense") from error
    return _next_process(session)


@packet("qsProcessInfo", dialect="lldb")
def next_process(session: Session) -> str:
    return _next_process(session)


def _next_process(session: Session) -> str:
    if not session.process_listing:
        error = DebugError("no more processes")
        error.code = NO_MORE_PROCESSES
        raise error
    return session.process_listing.pop(0)


@packet("qUserName", "':' uid:dec", dialect="lldb")
def user_name(session: Session, uid: int) -> bytes:
    import pwd

    try:
        return hex_text(pwd.getpwuid(uid).pw_name)
    except (KeyError, OverflowError) as error:
        raise DebugError(f"no user has the number {uid}") from error


@packet("qGroupName", "':' gid:dec", dialect="lldb")
def group_name(session: Session, gid: int) -> bytes:
    import grp

    try:
        return hex_text(grp.getgrgid(gid).gr_name)
    except (KeyError, OverflowError) as error:
        raise DebugError(f"no group has the number {gid}") from error


@packet("qGetWorkingDir", dialect="lldb")
def working_directory(session: Session) -> bytes:
    """The one of the next launch."""
    return hex_text(session.launch_settings.working_directory or os.getcwd())


@packet("qGetPid", dialect="lldb")
def process_id(session: Session) -> str:
    return f"{session.process.pid:x}"


SPEED_TEST_LIMIT = 1 << 20
"""Bytes of a reply at most, as for memory."""

_FILLING = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@packet("qSpeedTest", "':response_size:' size:dec [';data:' data:text] [';']", dialect="lldb")
def speed_test(session: Session, size: int, data: str | None) -> str | None:
    """lldb's `process plugin packet speed-test` times replies of `size` bytes beside requests of any length."""
    if not size:
        return None
    size = min(size, SPEED_TEST_LIMIT)
    return f"data:{(_FILLING * (size // len(_FILLING) + 1))[:size]};"


@packet("qWatchpointSupportInfo", "[':']", dialect="lldb")
def watchpoint_count(session: Session) -> str:
    hardware = session.process.capability(HardwareDebug)
    return f"num:{hardware.slots if hardware is not None else 0};"


@packet("qStructuredDataPlugins", dialect="lldb")
def structured_data_plugins(session: Session) -> str:
    return "[]"


@packet("I", "data:hexbytes", dialect="lldb")
def write_stdin(session: Session, data: bytes) -> None:
    """Type at the debuggee's terminal, where the server owns it."""
    streams = session.process.capability(StandardStreams)
    if streams is None:
        raise Unsupported("the program's terminal is not the server's")
    streams.write_stdin(data)
