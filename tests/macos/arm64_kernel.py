"""What the arm64 machine code calls: one task with one thread over an `AddressSpace`, and a few of libc.

Messages to the exception port are queued by the test; states that the code sets, suspend counts and answers are kept
to be looked at.
"""

from __future__ import annotations

import struct
from pathlib import Path

from tests.macos.address_space import AddressSpace
from tests.macos.arm64_machine import Import, Machine

TASK, THREAD, PORT, SET, REPLY = 0x1103, 0x1203, 0x1303, 0x1403, 0x1503
PID, TID = 4321, 0x12345
QUEUE = 7
RCV_TIMED_OUT, RCV_MSG = 0x10004003, 2
EVFILT_MACHPORT = -8
THREAD_STATE, DEBUG_STATE = 6, 15
STATE_SIZES = {THREAD_STATE: 272, DEBUG_STATE: 520}
COMPLEX = 0x80000000
MOVE_SEND_ONCE, PORT_DESCRIPTOR = 18, 17
PC = 256


def raise_message(exception: int, *codes: int, task: int = TASK) -> bytes:
    """mach_exception_raise (2405)."""
    ports = b"".join(struct.pack("<IIHBB", port, 0, 0, PORT_DESCRIPTOR, 0) for port in (THREAD, task))
    body = struct.pack("<I", 2) + ports + bytes([0, 0, 0, 0, 1, 0, 0, 0])
    body += struct.pack(f"<iI{len(codes)}q", exception, len(codes), *codes)
    return struct.pack("<IIIIIi", COMPLEX | MOVE_SEND_ONCE, 24 + len(body), REPLY, PORT, 0, 2405) + body


class Kernel:
    """The imports of the machine code and the state behind them; `machine` runs it."""

    def __init__(self, extension: Path, space: AddressSpace) -> None:
        self.space = space
        self.states = {flavor: bytearray(size) for flavor, size in STATE_SIZES.items()}
        self.task_states: dict[int, bytes] = {}
        self.messages: list[bytes] = []
        self.answers: list[tuple[int, int]] = []
        """(message id, RetCode) of each reply."""
        self.updates: list[int] = []
        """Signals of PT_THUPDATE."""
        self.suspended = {TASK: 0, THREAD: 0}
        self.flushed: list[tuple[int, int]] = []
        self.flush_result = 0
        self.watchpoints = 4
        self._now = 0
        self.machine = Machine(extension, self._imports())
        self._errno = self.machine.allocate(8)

    @property
    def pc(self) -> int:
        return int.from_bytes(self.states[THREAD_STATE][PC : PC + 8], "little")

    @pc.setter
    def pc(self, value: int) -> None:
        self.states[THREAD_STATE][PC : PC + 8] = struct.pack("<Q", value)

    def attach(self) -> int:
        """The result of mach_attach; its stop is there at once."""
        self.messages.append(raise_message(5, 0x10003, 17))
        self.machine.call("mach_open")
        stage = self.machine.allocate(4)
        return self.machine.call_int("mach_attach", PID, stage)

    def resume(self, kind: int = 0, start: int = 0, end: int = 0) -> int:
        action = struct.pack("<iiqiiQQ", -1, kind, -1, 0, 0, start, end)
        return self.machine.call_int("mach_resume", self.machine.place(action), 1)

    def wait(self) -> list[tuple[int, int, tuple[int, ...], int, int]]:
        """(kind, signal, codes, pc, value) of each stop."""
        size = 80 + 288
        stops = self.machine.allocate(4 * size)
        count = self.machine.call_int("mach_wait", stops, 4, 1000, 0)
        assert count >= 0, hex(count)
        return [self._stop(self.machine.read(stops + index * size, size)) for index in range(count)]

    def _stop(self, raw: bytes) -> tuple[int, int, tuple[int, ...], int, int]:
        pid, kind, tid, signal, _, count, general = struct.unpack_from("<iiqiiii", raw)
        *codes, pc, value = struct.unpack_from("<6Q", raw, 32)
        assert (pid, tid, general) == (PID, TID, STATE_SIZES[THREAD_STATE])
        return kind, signal, tuple(codes[:count]), pc, value

    # --- the calls -------------------------------------------------------------------

    def _imports(self) -> dict[str, Import]:
        granted = (
            "mach_port_insert_right", "mach_port_insert_member", "mach_port_deallocate", "mach_port_mod_refs",
            "task_set_exception_ports", "vm_deallocate", "free", "nanosleep", "thread_abort_safely", "mach_msg_destroy",
        )  # fmt: skip
        ours = {name.removeprefix("call_"): getattr(self, name) for name in dir(self) if name.startswith("call_")}
        checked = {f"__{name}_chk": ours[name] for name in ("memcpy", "memmove", "memset")}
        return {**{name: lambda *_: 0 for name in granted}, **ours, **checked}

    def _put(self, address: int, format: str, *values: int) -> int:
        self.machine.write(address, struct.pack(f"<{format}", *values))
        return 0

    def call___error(self, *_: int) -> int:
        return self._errno

    def call_calloc(self, count: int, size: int, *_: int) -> int:
        return self.machine.allocate(count * size)

    def call_malloc(self, size: int, *_: int) -> int:
        return self.machine.allocate(size)

    def call_realloc(self, old: int, size: int, *_: int) -> int:
        made = self.machine.allocate(size)
        if old:
            self.machine.write(made, self.machine.read(old, size))
        return made

    def call_memcpy(self, to: int, source: int, size: int, *_: int) -> int:
        self.machine.write(to, self.machine.read(source, size))
        return to

    call_memmove = call_memcpy

    def call_memset(self, to: int, byte: int, size: int, *_: int) -> int:
        self.machine.write(to, bytes([byte & 0xFF]) * size)
        return to

    def call_bzero(self, to: int, size: int, *_: int) -> int:
        return self.call_memset(to, 0, size)

    def call_memcmp(self, one: int, other: int, size: int, *_: int) -> int:
        first, second = self.machine.read(one, size), self.machine.read(other, size)
        return (first > second) - (first < second)

    def call_clock_gettime(self, clock: int, time: int, *_: int) -> int:
        self._now += 100_000
        return self._put(time, "qq", self._now // 1_000_000_000, self._now % 1_000_000_000)

    def call_sysctlbyname(self, name: int, value: int, size: int, *_: int) -> int:
        assert self.machine.read(name, 12) == b"hw.optional."
        return self._put(value, "I", self.watchpoints)

    # --- ports and messages

    def call_mach_port_allocate(self, space: int, right: int, name: int, *_: int) -> int:
        return self._put(name, "I", SET if right == 3 else PORT)

    def call_kqueue(self, *_: int) -> int:
        return QUEUE

    def call_kevent64(self, queue: int, changes: int, change_count: int, events: int, count: int, *_: int) -> int:
        assert queue == QUEUE
        if not events or not self.messages:
            return 0
        self._put(events, "QhHIqQQQ", SET, EVFILT_MACHPORT, 0, 0, 0, 0, 0, 0)
        return 1

    def call_mach_msg(self, message: int, option: int, *_: int) -> int:
        if not option & RCV_MSG:
            _, size, remote, _, _, number = struct.unpack("<IIIIIi", self.machine.read(message, 24))
            assert (size, remote) == (36, REPLY)
            self.answers.append((number, self.machine.read_u32(message + 32)))
            return 0
        if not self.messages:
            return RCV_TIMED_OUT
        self.machine.write(message, self.messages.pop(0))
        return 0

    def call_ptrace(self, request: int, pid: int, address: int, data: int, *_: int) -> int:
        assert pid == PID
        if request == 13:  # PT_THUPDATE
            self.updates.append(data)
        return 0

    # --- task and thread

    def call_task_for_pid(self, self_port: int, pid: int, task: int, *_: int) -> int:
        return self._put(task, "I", TASK)

    def call_task_get_exception_ports(self, task: int, mask: int, masks: int, count: int, *_: int) -> int:
        return self._put(count, "I", 0)

    def call_task_suspend(self, task: int, *_: int) -> int:
        self.suspended[TASK] += 1
        return 0

    def call_task_resume(self, task: int, *_: int) -> int:
        self.suspended[TASK] -= 1
        return 0

    def call_thread_suspend(self, thread: int, *_: int) -> int:
        self.suspended[THREAD] += 1
        return 0

    def call_thread_resume(self, thread: int, *_: int) -> int:
        self.suspended[THREAD] -= 1
        return 0

    def call_task_threads(self, task: int, place: int, count: int, *_: int) -> int:
        self._put(count, "I", 1)
        return self._put(place, "Q", self.machine.place(struct.pack("<I", THREAD)))

    def call_thread_info(self, thread: int, flavor: int, info: int, count: int, *_: int) -> int:
        assert (thread, flavor) == (THREAD, 4)  # THREAD_IDENTIFIER_INFO
        return self._put(info, "QQQ", TID, 0, 0)

    def call_task_info(self, task: int, flavor: int, info: int, count: int, *_: int) -> int:
        if flavor == 20:  # MACH_TASK_BASIC_INFO
            return self._put(info + 44, "i", self.suspended[TASK])
        if flavor != 22:  # TASK_VM_INFO
            return 5
        return self._put(info, "Qii", 0, 0, self.space.page_size)

    def call_thread_get_state(self, thread: int, flavor: int, state: int, count: int, *_: int) -> int:
        self.machine.write(state, bytes(self.states[flavor]))
        return self._put(count, "I", len(self.states[flavor]) // 4)

    def call_thread_set_state(self, thread: int, flavor: int, state: int, count: int, *_: int) -> int:
        assert count * 4 == STATE_SIZES[flavor]
        self.states[flavor][:] = self.machine.read(state, count * 4)
        return 0

    def call_task_set_state(self, task: int, flavor: int, state: int, count: int, *_: int) -> int:
        self.task_states[flavor] = self.machine.read(state, count * 4)
        return 0

    # --- the address space

    def call_mach_vm_protect(self, task: int, address: int, size: int, maximum: int, protection: int, *_: int) -> int:
        return self.space.protect(address, size, protection)

    def call_mach_vm_write(self, task: int, address: int, data: int, size: int, *_: int) -> int:
        return self.space.write(address, self.machine.read(data, size))

    def call_mach_vm_read_overwrite(self, task: int, address: int, size: int, data: int, got: int, *_: int) -> int:
        read = self.space.read(address, size)
        if isinstance(read, int):
            return read
        self.machine.write(data, read)
        return self._put(got, "Q", len(read))

    def call_mach_vm_region_recurse(
        self, task: int, address: int, size: int, depth: int, info: int, count: int, *_: int
    ) -> int:
        found = self.space.region(
            self.machine.read_u64(address), self.machine.read_u32(depth), self.machine.read_u32(count)
        )
        if isinstance(found, int):
            return found
        start, length, level, data = found
        self._put(address, "Q", start)
        self._put(size, "Q", length)
        self._put(depth, "I", level)
        self.machine.write(info, data)
        return self._put(count, "I", len(data) // 4)

    def call_vm_machine_attribute(self, task: int, address: int, size: int, attribute: int, value: int, *_: int) -> int:
        assert (attribute, self.machine.read_u32(value)) == (1, 6)  # MATTR_CACHE, MATTR_VAL_CACHE_FLUSH
        self.flushed.append((address, size))
        return self.flush_result
