"""The C codec."""

from __future__ import annotations

from pathlib import Path

from tests.native.sanitized import NATIVE, compiled, passes

SOURCES = ("rsp*.c", "registers.c", "tests/test_rsp*.c")


def test_codec_under_sanitizers(tmp_path: Path) -> None:
    sources = [path for pattern in SOURCES for path in sorted(NATIVE.glob(pattern))]
    passes("all passed", compiled(tmp_path / "test_rsp", sources))
