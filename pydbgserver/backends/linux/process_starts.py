"""Programs as they start, told by the kernel: the process connector (drivers/connector/cn_proc.c).

It speaks to whoever has CAP_NET_ADMIN in the first network and pid namespaces, which a container's root is not: then
`watch` gives None, and whoever waits has to look for himself.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress

from pydbgserver.target.api import ProcessStarts

# include/uapi/linux/{netlink,connector,cn_proc}.h
NETLINK_CONNECTOR = 11
CN_IDX_PROC = CN_VAL_PROC = 1
NLMSG_DONE = 3
PROC_CN_MCAST_LISTEN = 1
PROC_EVENT_NONE = 0
PROC_EVENT_EXEC = 2
_NETLINK = struct.Struct("=IHHII")
_CONNECTOR = struct.Struct("=IIIIHH")
_EVENT = struct.Struct("=IIQI")
"""What happened, processor, time; then the acknowledgement's error or the process' id."""

_OFFSET = _NETLINK.size + _CONNECTOR.size
LONGEST = 4096


class KernelProcessStarts(ProcessStarts):
    """One subscription; made by `watch`."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link

    async def wait(self) -> Sequence[int] | None:
        import trio

        while True:
            await trio.lowlevel.wait_readable(self._link)
            try:
                found = [pid for what, pid in self._drain() if what == PROC_EVENT_EXEC]
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                return None  # Some were lost: it may have been any.
            if found:
                return found

    def _drain(self) -> list[tuple[int, int]]:
        events = []
        with suppress(BlockingIOError):
            while True:
                message = self._link.recv(LONGEST)
                if len(message) >= _OFFSET + _EVENT.size:
                    what, _, _, value = _EVENT.unpack_from(message, _OFFSET)
                    events.append((what, value))
        return events

    def close(self) -> None:
        self._link.close()

    def permitted(self) -> bool:
        """Ask for events. The kernel's answer is there when the request has been sent."""
        request = _CONNECTOR.pack(CN_IDX_PROC, CN_VAL_PROC, 0, 0, 4, 0) + struct.pack("=I", PROC_CN_MCAST_LISTEN)
        self._link.send(_NETLINK.pack(_NETLINK.size + len(request), NLMSG_DONE, 0, 0, os.getpid()) + request)
        return (PROC_EVENT_NONE, 0) in self._drain()


def watch() -> KernelProcessStarts | None:
    """A subscription that has begun; None where the kernel does not tell us."""
    link = None
    try:
        link = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, NETLINK_CONNECTOR)
        link.bind((0, CN_IDX_PROC))
        starts = KernelProcessStarts(link)
        if starts.permitted():
            return starts
    except OSError:
        pass
    if link is not None:
        link.close()
    return None
