"""Real processes under the real Linux backend, without a protocol in between."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.live.debuggee import Debuggees
from tests.programs import Programs

if sys.platform != "linux":
    collect_ignore_glob = ["*"]


@pytest.fixture
def debuggees(program: Programs) -> Iterator[Debuggees]:
    """Launches and attaches; at the end of the test everything it started is gone."""
    made = Debuggees(program)
    yield made
    made.close()
