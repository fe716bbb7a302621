"""What lldb asks of a Mac alone: images and the shared cache of dyld, what the system's libraries know of threads,
exceptions to be left to the system. A target of another system answers nothing.

The forms are those of debugserver (lldb documentation, "GDB Remote Protocol Extensions").
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pydbgserver.errors import DebugError, MalformedPacket, TargetRunning, Unsupported
from pydbgserver.rsp.grammar import ThreadId
from pydbgserver.rsp.registry import packet
from pydbgserver.session.session import Session
from pydbgserver.target.api import Process
from pydbgserver.target.capabilities import LoadedImage, MachImages, MachThreads

if TYPE_CHECKING:
    from pydbgserver.target.macho import Image

IMAGE_INFO = struct.Struct("<QQQ")
"""struct dyld_image_info: load address, address of the path, modification time."""
MAX_IMAGES = 1 << 16
PATH_ROOM = 1024

QOS_CLASSES = (
    (0x05, "QOS_CLASS_MAINTENANCE", "Maintenance"),
    (0x09, "QOS_CLASS_BACKGROUND", "Background"),
    (0x11, "QOS_CLASS_UTILITY", "Utility"),
    (0x15, "QOS_CLASS_DEFAULT", "Default"),
    (0x19, "QOS_CLASS_USER_INITIATED", "User Initiated"),
    (0x21, "QOS_CLASS_USER_INTERACTIVE", "User Interactive"),
)
"""By bit of a pthread_priority_t, from bit 8 on: <pthread/qos.h>'s value and name, and how lldb shows it."""
QOS_SHIFT = 8
UNSPECIFIED = (0, "QOS_CLASS_UNSPECIFIED", "Unspecified")


def _images(session: Session) -> tuple[Process, MachImages]:
    process = session.process
    images = process.capability(MachImages)
    if images is None:
        raise Unsupported("the target has no dyld")
    return process, images


def _request(text: bytes, name: str) -> dict[str, Any]:
    """The JSON object of a request. lldb 19 ends it with ``}]``, which is an escaped ``}``."""
    import json

    try:
        request = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedPacket(f"{name} takes a JSON object") from error
    if not isinstance(request, dict):
        raise MalformedPacket(f"{name} takes a JSON object")
    return request


def _reply(value: object) -> str:
    import json

    return json.dumps(value, separators=(",", ":"))


@packet("qShlibInfoAddr", dialect="lldb")
def image_list_address(session: Session) -> str:
    """Where dyld_all_image_infos is; lldb finds dyld by it. Elsewhere it reads the auxiliary vector."""
    return f"{_images(session)[1].info_address():x}"


# Images.


@packet("jGetLoadedDynamicLibrariesInfos", "':' [request:binary]", dialect="lldb")
def loaded_images(session: Session, request: bytes | None) -> str | None:
    """All images, with load commands unless these are not wanted; those at given addresses, known to dyld or not; those
    of an array of dyld_image_info in the target. Without a request: whether there is this packet."""
    process, images = _images(session)
    if not request:
        return None
    wanted = _request(request, "jGetLoadedDynamicLibrariesInfos")
    try:
        chosen = _chosen(process, images, wanted)
    except (TypeError, ValueError) as error:
        raise MalformedPacket("jGetLoadedDynamicLibrariesInfos: addresses and counts are numbers") from error
    if wanted.get("report_load_commands") is False:
        return _reply({"images": [_brief(one) for one in chosen]})
    return _reply({"images": list(_in_full(process, chosen))})


def _chosen(process: Process, images: MachImages, wanted: dict[str, Any]) -> Sequence[LoadedImage]:
    if "solib_addresses" in wanted:
        known = {one.load_address: one for one in images.images()}
        return [known.get(address, LoadedImage(address, "")) for address in map(int, wanted["solib_addresses"])]
    if "image_list_address" in wanted:
        count = min(int(wanted.get("image_count", 0)), MAX_IMAGES)
        return _array(process, int(wanted["image_list_address"]), count)
    if wanted.get("fetch_all_solibs"):
        return images.images()
    raise MalformedPacket("jGetLoadedDynamicLibrariesInfos: which images?")


def _array(process: Process, address: int, count: int) -> list[LoadedImage]:
    data = process.read_memory(address, count * IMAGE_INFO.size) if count > 0 else b""
    whole = data[: len(data) // IMAGE_INFO.size * IMAGE_INFO.size]
    return [LoadedImage(load, _path(process, path), modified) for load, path, modified in IMAGE_INFO.iter_unpack(whole)]


def _path(process: Process, address: int) -> str:
    try:
        data = process.read_memory(address, PATH_ROOM) if address else b""
    except DebugError:
        return ""
    return data.partition(b"\0")[0].decode("utf-8", "replace")


def _brief(one: LoadedImage) -> dict[str, Any]:
    return {"load_address": one.load_address, "mod_date": one.modified, "pathname": one.path}


def _in_full(process: Process, chosen: Iterable[LoadedImage]) -> Iterable[dict[str, Any]]:
    """An address where no header can be read is left out."""
    from pydbgserver.target.macho import read_image

    for one in chosen:
        try:
            image = read_image(one.load_address, process.read_memory)
        except DebugError:
            continue
        if image is not None:
            yield _brief(one) | _details(image)


def _details(image: Image) -> dict[str, Any]:
    versions = {"min_version_os_name": image.platform, "min_version_os_sdk": image.minimum} if image.platform else {}
    return {
        "uuid": uuid_text(image.uuid),
        **versions,
        "mach_header": {
            "magic": 0xFEEDFACF,
            "cputype": image.cpu_type,
            "cpusubtype": image.cpu_subtype,
            "filetype": image.file_type,
            "flags": image.flags,
        },
        "segments": [
            {
                "name": one.name,
                "vmaddr": one.address,
                "vmsize": one.size,
                "fileoff": one.file_offset,
                "filesize": one.file_size,
                "maxprot": one.max_protection,
            }
            for one in image.segments
        ],
    }


def uuid_text(uuid: bytes) -> str:
    """16 bytes as lldb and Apple's tools write them; zeros where there are none."""
    digits = uuid.ljust(16, b"\0").hex().upper()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


@packet("jGetSharedCacheInfo", "':' [request:binary]", dialect="lldb")
def shared_cache(session: Session, request: bytes | None) -> str | None:
    """Without a request: whether there is this packet."""
    _, images = _images(session)
    if not request:
        return None
    _request(request, "jGetSharedCacheInfo")
    cache = images.shared_cache()
    return _reply(
        {
            "shared_cache_base_address": cache.base_address,
            "shared_cache_uuid": uuid_text(cache.uuid),
            "no_shared_cache": not cache.base_address,
            "shared_cache_private_cache": cache.private,
        }
    )


# Threads.


def loaded_libraries(threads: MachThreads, process: Process, tid: int, numbers: dict[str, int]) -> dict[str, Any]:
    """What lldb cannot find out by itself of a thread: its pthread_t, its thread-specific data, its quality of service,
    its dispatch queue. Offsets in the system's libraries come from lldb, which has their symbols."""
    handles = threads.handles(tid)
    found: dict[str, Any] = {}
    specific = _thread_specific(process, handles.pthread, numbers) if handles.pthread else 0
    if specific:
        found["tsd_address"] = specific
        index = numbers.get("dti_qos_class_index", 0)
        if index:
            found["requested_qos"] = _quality_of_service(_word(process, specific + 8 * index))
    if handles.pthread:
        found["pthread_t"] = handles.pthread
    if handles.dispatch_queue:
        found["dispatch_queue_t"] = handles.dispatch_queue
    return found


def _thread_specific(process: Process, pthread: int, numbers: dict[str, int]) -> int:
    """Where the thread-specific data is: at an offset in the pthread_t, or where a pointer in it says."""
    base = numbers.get("plo_pthread_tsd_base_offset", 0)
    if base:
        return pthread + base
    pointer = numbers.get("plo_pthread_tsd_base_address_offset", 0)
    return _word(process, pthread + pointer) if pointer else 0


def _word(process: Process, address: int) -> int:
    try:
        return int.from_bytes(process.read_memory(address, 8), "little")
    except DebugError:
        return 0


def _quality_of_service(priority: int) -> dict[str, Any]:
    """Of a pthread_priority_t: the lowest class whose bit is set."""
    rows = (row for bit, row in enumerate(QOS_CLASSES) if priority >> QOS_SHIFT + bit & 1)
    value, constant, printable = next(rows, UNSPECIFIED)
    return {"enum_value": value, "constant_name": constant, "printable_name": printable}


@packet("qSyncThreadStateSupported", dialect="lldb")
def sync_supported(session: Session) -> None:
    _mach_threads(session)


@packet("QSyncThreadState", "':' tid:hex ';'", dialect="lldb")
def sync_thread_state(session: Session, tid: int) -> None:
    """lldb wants to be sure that what it wrote is in the kernel: registers are written through, so that it is."""
    _mach_threads(session)
    session.selection.find(ThreadId(None, tid))


def _mach_threads(session: Session) -> MachThreads:
    threads = session.process.capability(MachThreads)
    if threads is None:
        raise Unsupported("the target has no Mach threads")
    return threads


@packet("QSetIgnoredExceptions", "':' names:word+'|'", dialect="lldb")
def ignore_exceptions(session: Session, names: Sequence[str]) -> None:
    """These exceptions become signals at once, without a stop. debugserver takes them only before a launch or an
    attach; here they count from the next resume on."""
    known = session.backend.exception_types
    if not known:
        raise Unsupported("the target's system has no Mach exceptions")
    if session.running:
        raise TargetRunning
    unknown = [name for name in names or ("",) if name not in known]
    if unknown:
        raise MalformedPacket(
            f"QSetIgnoredExceptions: no exception {unknown[0]} can be ignored; {', '.join(known)} can"
        )
    session.run_settings.options.ignored_exceptions |= {known[name] for name in names}
    session.run_settings.changed = True
