"""The machine and its processes."""

from __future__ import annotations

from dataclasses import dataclass

from pydbgserver.backends.macos.calls import Calls


@dataclass(frozen=True, slots=True)
class Description:
    """One `mach_process_description`; `cpu_type` 0: not known."""

    pid: int
    parent_pid: int
    uid: int
    gid: int
    effective_uid: int
    effective_gid: int
    cpu_type: int
    translated: bool
    name: str
    path: str


class HostCalls(Calls):
    """The part of the C core about the machine and any process on it."""

    def list_processes(self) -> list[int]:
        size = 4096
        while True:
            pids = self.ffi.new("int32_t[]", size)
            count = self._check(self.lib.mach_list_processes(pids, size), "cannot list processes")
            if count <= size:
                return list(pids[0:count])
            size = count + 256

    def describe_process(self, pid: int) -> Description:
        """Raises `NoSuchProcess`."""
        raw = self.ffi.new("mach_process_description *")
        self._process(self.lib.mach_describe_process(pid, raw), pid, "ask about")
        return Description(
            raw.pid,
            raw.parent_pid,
            raw.uid,
            raw.gid,
            raw.effective_uid,
            raw.effective_gid,
            raw.cpu_type,
            bool(raw.translated),
            self.ffi.string(raw.name).decode(errors="surrogateescape"),
            self.ffi.string(raw.path).decode(errors="surrogateescape"),
        )

    def process_arguments(self, pid: int) -> bytes:
        """KERN_PROCARGS2 as it is; b"" where it may not be read."""
        size = 1 << 18
        buffer = self.ffi.new("uint8_t[]", size)
        count = self.lib.mach_process_arguments(pid, buffer, size)
        return bytes(self.ffi.buffer(buffer, min(max(count, 0), size)))

    def send_signal(self, pid: int, signal: int) -> None:
        self._process(self.lib.mach_send_signal(pid, signal), pid, f"send signal {signal} to")

    def sysctl(self, name: str) -> bytes:
        """The value of `name`, b"" if there is none."""
        buffer = self.ffi.new("uint8_t[]", 1024)
        count = self.lib.mach_sysctl(name.encode(), buffer, 1024)
        return bytes(self.ffi.buffer(buffer, min(max(count, 0), 1024)))

    def sysctl_number(self, name: str) -> int:
        """A number in the host's order, 0 if there is none."""
        return int.from_bytes(self.sysctl(name), "little")

    def sysctl_text(self, name: str) -> str:
        """A text without its NUL, "" if there is none."""
        return self.sysctl(name).rstrip(b"\0").decode(errors="replace")

    def signing_status(self, pid: int) -> int | None:
        """The code signing status word, None where it may not be asked for."""
        status = self.ffi.new("uint32_t *")
        return None if self.lib.mach_signing_status(pid, status) < 0 else int(status[0])

    def entitlements(self, pid: int) -> bytes:
        """The entitlements' property list, b"" if there are none."""
        size = 1 << 16
        buffer = self.ffi.new("uint8_t[]", size)
        count = self.lib.mach_entitlements(pid, buffer, size)
        return bytes(self.ffi.buffer(buffer, min(max(count, 0), size)))
