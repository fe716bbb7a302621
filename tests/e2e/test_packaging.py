"""What a user installs: the source distribution is whole, and the wheel that is built of it works by itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "tests" / "transcripts" / "corpus"
SPECIFICATIONS = {path.name for path in (ROOT / "protocol-specs").glob("*.toml")}
MADE = shutil.ignore_patterns(".git", ".venv", "build", "dist", "*.egg-info", "*.so", "__pycache__", ".*_cache")


def hook(name: str, directory: Path, output: Path) -> Path:
    """What pip calls (PEP 517), here with the setuptools of the tests."""
    code = f"from setuptools import build_meta; print('made', build_meta.{name}({str(output)!r}))"
    made = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=directory, capture_output=True, text=True, timeout=110
    )
    assert made.returncode == 0, made.stderr[-2000:]
    return output / made.stdout.rpartition("made ")[2].strip()


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("copy") / "tree"
    shutil.copytree(ROOT, copy, symlinks=True, ignore=MADE)
    return hook("build_sdist", copy, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.4 and later have it.
        archive.extractall(directory)
    return hook("build_wheel", next(directory.iterdir()), tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the wheel is unpacked; what it depends on is that of the tests."""
    directory = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(directory)
    return directory


def run(installed: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-m", "pydbgserver", *map(str, arguments)]
    return subprocess.run(command, cwd=installed, env=environment, capture_output=True, text=True, timeout=60)


def test_the_source_distribution_has_what_a_build_and_the_tests_need(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
        links = [one.name for one in archive.getmembers() if one.issym()]
    assert not links, "a link into the tree is a file in the archive"
    for kind in ("native/**/*.c", "native/**/*.h", "protocol-specs/*", "pydbgserver/**/*.py", "tests/programs/*"):
        missing = {str(path.relative_to(ROOT)) for path in ROOT.glob(kind) if path.is_file()} - names
        assert not {name for name in missing if "__pycache__" not in name}, kind
    assert {f"pydbgserver/transcripts/specs/{name}" for name in SPECIFICATIONS} <= names


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "pydbgserver").rglob("*.py")}
    assert {name for name in modules if "macos_sim" not in name} <= names
    assert not [name for name in names if "macos_sim" in name], "test equipment"
    assert {f"pydbgserver/transcripts/specs/{name}" for name in SPECIFICATIONS} <= names
    assert {"pydbgserver/transcripts/page.html", "pydbgserver/py.typed"} <= names
    assert any(name.startswith("pydbgserver/_native.") and name.endswith(".so") for name in names)
    assert {name.partition("/")[0] for name in names} == {"pydbgserver", wheel.name.rsplit("-", 3)[0] + ".dist-info"}


def test_the_installed_package_shows_and_replays(installed: Path, tmp_path: Path) -> None:
    transcript, page = CORPUS / "gdb-pydbgserver-bare-step.rsp", tmp_path / "page.html"
    shown = run(installed, "show", transcript)
    assert shown.returncode == 0, shown.stderr
    assert "hit a breakpoint" in shown.stdout
    assert run(installed, "show", transcript, "--html", page).returncode == 0
    assert "</html>" in page.read_text()
    nobody = run(installed, "replay", transcript, "--server", tmp_path / "no-socket")
    assert nobody.returncode == 1
    assert "Can't connect" in nobody.stderr
    where = run(installed, "version")
    assert where.returncode == 0
    assert "source tree" not in where.stdout
