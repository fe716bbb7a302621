"""scripts/build_wheels: tags, contents and checksums; the Linux wheel is installed and run."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.timeout(600)  # the first build fills zig's cache
PLATFORMS = ("macosx_11_0_arm64", "macosx_11_0_x86_64", "manylinux_2_28_x86_64")
MAGIC = {"macosx": b"\xcf\xfa\xed\xfe", "manylinux": b"\x7fELF"}


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=600, check=False, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every wheel by its platform."""
    pytest.importorskip("ziglang", reason="zig builds the wheels: pip install '.[macos-test]'")
    out = tmp_path_factory.mktemp("wheels")
    run(sys.executable, ROOT / "scripts" / "build_wheels", "--out", out)
    return {path.stem.rpartition("-")[2]: path for path in out.glob("*.whl")}


def test_there_is_one_for_each_platform(wheels: dict[str, Path]) -> None:
    assert sorted(wheels) == sorted(PLATFORMS)
    assert {path.stem.split("-")[2] for path in wheels.values()} == {"cp311"}
    assert sorted(run(sys.executable, ROOT / "scripts" / "build_wheels", "--list").split()) == sorted(PLATFORMS)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_wheel_holds_the_product_and_its_own_extension(wheels: dict[str, Path], platform: str) -> None:
    with zipfile.ZipFile(wheels[platform]) as archive:
        names = archive.namelist()
        compiled = [name for name in names if name.endswith((".so", ".dylib"))]
        assert compiled == ["pydbgserver/_native.abi3.so"]
        data = archive.read(compiled[0])
        assert data.startswith(MAGIC[platform.partition("_")[0]])
        assert b"native/rsp.c" not in data, "no path of the machine that built it"
        (wheel,) = (name for name in names if name.endswith("/WHEEL"))
        tags = [line for line in archive.read(wheel).decode().splitlines() if line.startswith("Tag:")]
        assert tags == [f"Tag: cp311-abi3-{platform}"]
    assert "pydbgserver/__main__.py" in names
    assert not [name for name in names if "macos_sim" in name or name.startswith(("tests/", "native/"))]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_record_is_right(wheels: dict[str, Path], platform: str) -> None:
    with zipfile.ZipFile(wheels[platform]) as archive:
        (record,) = (name for name in archive.namelist() if name.endswith("/RECORD"))
        rows = [line.rsplit(",", 2) for line in archive.read(record).decode().splitlines()]
        assert sorted(row[0] for row in rows) == sorted(archive.namelist())
        for name, digest, size in rows:
            if name == record:
                continue
            data = archive.read(name)
            made = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            assert (digest, size) == (f"sha256={made}", str(len(data)))


def test_the_linux_wheel_runs(wheels: dict[str, Path], tmp_path: Path) -> None:
    run(sys.executable, "-m", "pip", "-q", "install", "--no-deps", "--no-index", "--target", tmp_path,
        wheels["manylinux_2_28_x86_64"])  # fmt: skip
    script = "import pydbgserver._native as native; print(native.__file__, hasattr(native.lib, 'linux_wait'))"
    told = run(sys.executable, "-c", script, cwd=tmp_path).split()
    assert told == [str(tmp_path / "pydbgserver" / "_native.abi3.so"), "True"]
    assert "pydbgserver" in run(sys.executable, "-m", "pydbgserver", "--version", cwd=tmp_path)


def test_an_unknown_platform_is_refused(wheels: dict[str, Path]) -> None:
    command = [sys.executable, str(ROOT / "scripts" / "build_wheels"), "win32"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "no such platform: win32" in done.stderr
