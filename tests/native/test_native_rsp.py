"""The C codec."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.native.sanitized import NATIVE, compiled, passes

SOURCES = ("rsp*.c", "registers.c", "tests/test_rsp*.c")


@pytest.mark.parametrize("flags", [[], ["-DRSP_WITHOUT_AVX2"]])
def test_codec_under_sanitizers(flags: list[str], tmp_path: Path) -> None:
    sources = [path for pattern in SOURCES for path in sorted(NATIVE.glob(pattern))]
    passes("all passed", compiled(tmp_path / "test_rsp", sources, flags))
