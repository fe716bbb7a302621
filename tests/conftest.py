"""Fixtures that every tier of tests shares."""

from __future__ import annotations

import signal

import pytest
from hypothesis import HealthCheck, settings

from tests.programs import Programs

# A shell starts what it puts in the background with SIGINT ignored, and execve(2) hands that on: to the debuggers and
# servers that the tests start, too.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says what else the machine does, not what the code does.
settings.register_profile("without clocks", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("without clocks")


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    """``program("name")``: the path of the test program `name`, compiled when first asked for."""
    return Programs(tmp_path_factory.mktemp("programs"))


@pytest.fixture
def narrow_programs(program: Programs) -> Programs:
    """The same, where programs of 32 bits can be built (names that end in "-32")."""
    if not program.has_narrow():
        pytest.skip("gcc -m32 does not work here (packages gcc-multilib and g++-multilib)")
    return program
