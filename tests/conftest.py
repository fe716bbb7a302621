"""Fixtures that every tier of tests shares."""

from __future__ import annotations

import pytest

from tests.programs import Programs


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    """``program("name")``: the path of the test program `name`, compiled when first asked for."""
    return Programs(tmp_path_factory.mktemp("programs"))
