"""Agent expressions in C."""

from __future__ import annotations

from pathlib import Path

from tests.native.sanitized import NATIVE, compiled, passes


def test_agent_expressions_under_sanitizers(tmp_path: Path) -> None:
    sources = [*sorted(NATIVE.glob("agent_expr*.c")), NATIVE / "tests/test_agent_expr.c"]
    passes("all passed", compiled(tmp_path / "test_agent_expr", sources))
