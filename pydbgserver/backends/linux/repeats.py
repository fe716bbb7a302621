"""The calls of native/linux_repeat.c."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydbgserver import native
from pydbgserver.backends.linux import tracer
from pydbgserver.target.api import Process, ResumeAction
from pydbgserver.target.events import StopEvent
from pydbgserver.target.repeats import NativeCall, NativeRepeats, ReplyPart, RunReplies

if TYPE_CHECKING:
    from pydbgserver.backends.linux.backend import LinuxBackend

_new = native.ffi.new
_lib = native.lib


class LinuxRepeats(NativeRepeats):
    """Of the one tracer; `spin_us` as for `tracer.wait`."""

    def __init__(self, backend: LinuxBackend, spin_us: int) -> None:
        self._backend = backend
        self._spin_us = spin_us

    def insertion(self, process: Process, address: int, kind: int) -> NativeCall:
        return self._trap("linux_repeat_insertion", process, address)

    def removal(self, process: Process, address: int, kind: int) -> NativeCall:
        return self._trap("linux_repeat_removal", process, address)

    def _trap(self, function: str, process: Process, address: int) -> NativeCall:
        trap = process.arch.trap
        arguments = _new("linux_repeated_trap *")
        arguments.pid, arguments.address = process.pid, address
        arguments.size, arguments.pc_adjust = len(trap.code), trap.pc_adjust
        arguments.code[0 : len(trap.code)] = trap.code
        return NativeCall(native.ffi.addressof(_lib, function), arguments)

    def run(self, actions: Sequence[ResumeAction], replies: RunReplies, *, budget_us: int) -> NativeCall:
        rows = tracer.raw_actions(actions)
        arguments = _new("linux_repeated_run *")
        arguments.actions, arguments.count, arguments.tid = rows, len(actions), replies.tid
        arguments.stops, arguments.max = tracer.stop_records()
        arguments.budget_us, arguments.spin_us = budget_us, self._spin_us
        kept = (_fill(arguments.after_step, replies.after_step), _fill(arguments.at_breakpoint, replies.at_breakpoint))
        return NativeCall(native.ffi.addressof(_lib, "linux_repeat_run"), arguments, (rows, kept))

    def stops(self, run: NativeCall) -> Sequence[StopEvent]:
        return self._backend.ran(run.arguments.found)


def _fill(form: Any, parts: Sequence[ReplyPart]) -> object:
    """An `rsp_form`; gives what it points to."""
    texts = [_new("uint8_t[]", part.text) for part in parts]
    rows = [(text, len(part.text), part.offset, part.size) for text, part in zip(texts, parts, strict=True)]
    form.parts = kept = _new("rsp_part[]", rows)
    form.count = len(rows)
    return texts, kept
