"""Starting a process or attaching to one, stopped, by the C core."""

from __future__ import annotations

import os
from typing import Any

from pydbgserver.backends.command_line import DEFAULT_SHELL, command_line
from pydbgserver.backends.launch_strings import LaunchStrings
from pydbgserver.backends.macos import denial, files
from pydbgserver.backends.macos.registers import CPU_TYPE_ARM64, CPU_TYPE_X86_64
from pydbgserver.backends.macos.tracer import Tracer
from pydbgserver.errors import LaunchError
from pydbgserver.target.launch_spec import LaunchSpec

# enum mach_stage of native/cdef/mach.h.
STAGE_SPAWN, STAGE_DIRECTORY, STAGE_TASK, STAGE_PORTS, STAGE_PTRACE, STAGE_STOP, STAGE_EXITED = range(1, 8)


CPU_TYPES = {"x86_64": (CPU_TYPE_X86_64, 3), "arm64": (CPU_TYPE_ARM64, 0), "arm64e": (CPU_TYPE_ARM64, 2)}
"""By LLVM's name: cpu_type_t and cpu_subtype_t. For any other one the system chooses."""


class Started:
    """A process that is stopped and held by this server. `terminal`: the server's end of its terminal, or -1."""

    def __init__(self, pid: int, *, attached: bool, terminal: int = -1) -> None:
        self.pid = pid
        self.attached = attached
        self.terminal = terminal


def attach(tracer: Tracer, pid: int) -> Started:
    """Stop every thread of `pid`. Raises `AttachError` with the reason in words."""
    stage = tracer.ffi.new("int32_t *")
    result = tracer.lib.mach_attach(pid, stage)
    if result < 0:
        raise denial.attach_error(tracer, pid, result, stage[0])
    return Started(pid, attached=True)


def without_shell(spec: LaunchSpec) -> LaunchSpec:
    """The shells of a Mac are system programs, which nobody may debug, not even up to their exec of another one: the
    program is started directly, and what a shell would have split is split here."""
    if not spec.through_shell:
        return spec
    kept = {name: value for name, value in vars(spec).items() if name not in ("program", "arguments", "through_shell")}
    return LaunchSpec(spec.program, spec.arguments, **kept)


def launch(tracer: Tracer, spec: LaunchSpec) -> Started:
    """Start the program, stopped at its first instruction. Raises `LaunchError` with the reason in words."""
    environment = dict(os.environ if spec.environment is None else spec.environment)
    command = command_line(without_shell(spec), DEFAULT_SHELL, files)
    terminal, child_side = os.openpty() if spec.pty else (-1, -1)
    strings = LaunchStrings(tracer.ffi)
    raw = strings.launch_spec("mach_launch_spec", spec, command, environment)
    raw.execs = command.execs - 1
    raw.cpu_type, raw.cpu_subtype = CPU_TYPES.get(spec.architecture, (0, 0))
    raw.terminal = child_side
    pid = tracer.lib.mach_launch(raw)
    if child_side >= 0:
        os.close(child_side)
    if pid < 0:
        if terminal >= 0:
            os.close(terminal)
        raise _launch_error(tracer, spec, raw, pid)
    return Started(pid, attached=False, terminal=terminal)


def _launch_error(tracer: Tracer, spec: LaunchSpec, raw: Any, result: int) -> LaunchError:
    """The failed step of a launch as an exception."""
    if raw.stage == STAGE_EXITED:
        status = raw.exit_status
        how = f"signal {status & 0x7F}" if status & 0x7F else f"status {status >> 8}"
        return LaunchError(f"{spec.program} did not start: the process ended with {how} before it ran")
    doing = {
        STAGE_SPAWN: f"cannot execute {spec.program}",
        STAGE_DIRECTORY: f"cannot change to directory {spec.working_directory}",
    }.get(raw.stage)
    if doing is None:
        return LaunchError(f"cannot debug {spec.program}: {denial.reason(tracer, spec.program, 0, result, raw.stage)}")
    error = tracer.error(result, doing)
    return LaunchError(str(error), error.code)
