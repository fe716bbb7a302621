"""Real lldb takes the server for a Mac: CPU, images, registers, regions and stops as debugserver would tell them.

The Mac is made up (tests/unit/macos/fake_mach.py): no instruction runs. What lldb makes of the replies is real.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.e2e.clients import ClientKind
from tests.e2e.conftest import Debug, require_client
from tests.e2e.servers import Server, start_by
from tests.e2e.session import Session, Step


@pytest.fixture
def lldb() -> ClientKind:
    return require_client("lldb")


@pytest.fixture(params=["arm64", "x86_64"])
def cpu(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def server(cpu: str) -> Iterator[Server]:
    server = start_by([sys.executable, "-m", "tests.e2e.made_up_mac", cpu])
    yield server
    server.close()


def connected(debug: Debug, lldb: ClientKind, server: Server) -> Session:
    session = debug.client(lldb, None)
    session.run(
        Step(None, "platform select remote-macosx", r"remote-macosx"),
        Step(None, f"gdb-remote 127.0.0.1:{server.port}", r"stop reason = signal SIGSTOP"),
    )
    return session


def test_cpu_and_images(debug: Debug, lldb: ClientKind, server: Server, cpu: str) -> None:
    connected(debug, lldb, server).run(
        Step(None, "target list", rf"/Users/dev/prog \( arch={cpu}-apple-macosx"),
        Step(None, "image list", r"00010203-0405-0607-0809-0A0B0C0D0E0F 0x0*100000000 /Users/dev/prog"),
        Step(None, "memory region 0x100004000", (r"rw- __DATA", r"dirty")),
    )


REGISTERS = {
    "arm64": (
        Step(None, "register read v0", r"\{0x00 0x01 0x02 0x03 .* 0x0f\}"),
        Step(None, "register read q0", r"\{0x00 0x01 0x02 0x03 .* 0x0f\}"),
        Step(None, "register read d0 s0", (r"d0 = 7\.9499288951", r"s0 = 3\.8204714")),
        Step(None, "register write x5 0x1234"),
        Step(None, "register read w5 x5 fp lr", (r"w5 = 0x00001234", r"x5 = 0x0000000000001234", r"x29 =", r"x30 =")),
        Step(None, "register read far esr", (r"far = 0x0", r"esr = 0x0")),
    ),
    "x86_64": (
        Step(None, "register write rbx 0x1234"),
        Step(None, "register read rbx ebx", (r"rbx = 0x0000000000001234", r"ebx = 0x00001234")),
        Step(None, "register read xmm0 mxcsr", (r"xmm0 = \{0x00", r"mxcsr = 0x00000000")),
        Step(None, "register read trapno faultvaddr", (r"trapno = 0x0", r"faultvaddr = 0x0")),
    ),
}


def test_registers(debug: Debug, lldb: ClientKind, server: Server, cpu: str) -> None:
    connected(debug, lldb, server).run(*REGISTERS[cpu])


def test_breakpoint_watchpoint_and_step(debug: Debug, lldb: ClientKind, server: Server, cpu: str) -> None:
    """The step ends with a Mach exception, of which lldb makes a step."""
    following = {"arm64": "0x0000000100000004", "x86_64": "0x0000000100000001"}[cpu]
    connected(debug, lldb, server).run(
        Step(None, "breakpoint set -a 0x100000020", r"address = 0x0000000100000020"),
        Step(None, "watchpoint set expression -s 8 -w write -- 0x100004010", r"state = enabled"),
        Step(None, "thread step-inst", (r"stop reason = instruction step into", following)),
    )
