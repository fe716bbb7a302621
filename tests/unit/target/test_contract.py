"""The simulated process and the macOS backend on made-up calls keep what every backend keeps."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pydbgserver.testing.sim import CODE, DATA, SimBackend, SimProcess
from tests.contract import CHECKS, Subject
from tests.unit.macos import fake_mach


def simulated() -> Subject:
    process = SimProcess(100)
    return Subject(SimBackend(process), process, CODE + 0x20, DATA)


def mac(cpu: int) -> Subject:
    _, backend, process = fake_mach.make(cpu)
    return Subject(backend, process, fake_mach.CODE + 0x20, fake_mach.DATA)


MAKERS: dict[str, Callable[[], Subject]] = {
    "simulated": simulated,
    "mac x86_64": lambda: mac(fake_mach.X86_64),
    "mac arm64": lambda: mac(fake_mach.ARM64),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_contract(make: Callable[[], Subject], check: Callable[[Subject], None]) -> None:
    check(make())
