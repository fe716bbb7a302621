"""The arrows between layers point one way: who may import whom, checked on the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "pydbgserver"

BASE = frozenset({"errors", "logs", "options"})
MAY_IMPORT: dict[str, frozenset[str]] = {
    "errors": frozenset(),
    "logs": frozenset(),
    "options": frozenset(),
    "native": frozenset({"errors", "_native", "_native_macos_sim"}),
    "arch": BASE,
    "target": BASE | {"arch", "native"},
    "rsp": BASE | {"native"},
    "session": BASE | {"rsp", "target", "arch"},
    "handlers": BASE | {"session", "rsp", "target", "arch"},
    "backends": BASE | {"target", "arch", "native"},
    "server": BASE | {"session", "handlers", "rsp", "target", "transcripts", "backends", "cli"},
    "transcripts": BASE | {"rsp", "session", "handlers", "target", "arch", "testing", "server"},
    "testing": BASE | {"target", "arch", "rsp", "session", "handlers", "transcripts"},
    "cli": BASE
    | {"backends", "server", "session", "handlers", "rsp", "target", "arch", "native", "transcripts", "testing"},
    "__main__": frozenset({"cli", "errors", "options"}),
}
NO_TRIO = ("errors", "logs", "options", "native", "arch", "target", "rsp", "session", "handlers")
ONLY_BELOW_BACKENDS = ("sys.platform", "os.uname")


def layer_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def modules() -> list[Path]:
    return [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]


def imported(tree: ast.AST) -> Iterator[str]:
    """Dotted names of everything that is imported, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downwards(path: Path) -> None:
    layer = layer_of(path)
    names = set(imported(ast.parse(path.read_text())))
    ours = {name.split(".")[1] for name in names if name.startswith("pydbgserver.")}
    assert ours - {layer} <= MAY_IMPORT[layer]
    if layer in NO_TRIO:
        assert "trio" not in {name.split(".")[0] for name in names}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_backends_know_the_operating_system(path: Path) -> None:
    if layer_of(path) == "backends":
        return
    tree = ast.parse(path.read_text())
    attributes = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not attributes & set(ONLY_BELOW_BACKENDS)


def test_every_layer_is_known() -> None:
    assert {layer_of(path) for path in modules()} == set(MAY_IMPORT)
