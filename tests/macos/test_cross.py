"""The extension for both Macs: warnings are errors, every function is one of the system's or of Python's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.timeout(600)  # the first build fills zig's cache
LINKERS_OWN = {"__mh_dylib_header", "___dso_handle"}
ARCHS = ("x86_64", "arm64")
STRICT = """
import sys
from pathlib import Path
sys.path.insert(0, "native")
import cross
target, out = cross.TARGETS["macosx_11_0_" + sys.argv[1]], Path(sys.argv[2])
made = cross.compile_one(Path(sys.argv[3]), target, out, cross.copy_python_headers(out))
cross.link_extension(target, [made], out)
print("linked as an extension", flush=True)
try:
    cross.link_strict(target, [made], out)
except cross.CrossBuildError as error:
    print(error)
"""


@pytest.mark.parametrize("arch", ARCHS)
def test_the_extension_is_one_for_this_mac(mac_extensions: dict[str, Path], arch: str) -> None:
    lief = pytest.importorskip("lief", reason="lief reads Mach-O files: pip install '.[macos-test]'")
    lief.logging.disable()
    image = lief.MachO.parse(str(mac_extensions[arch])).at(0)
    assert str(image.header.cpu_type).rpartition(".")[2] == {"x86_64": "X86_64", "arm64": "ARM64"}[arch]
    assert str(image.header.file_type).rpartition(".")[2] == "DYLIB"
    assert image.build_version.minos[:2] == [11, 0]
    assert [one.name for one in image.libraries] == ["@rpath/_native.abi3.so", "/usr/lib/libSystem.B.dylib"]
    assert {one.name for one in image.exported_symbols} - LINKERS_OWN == {"_PyInit__native"}
    # arm64 runs signed code only; zig signs it ad hoc.
    assert image.has_code_signature or arch == "x86_64"
    unbound = {one.symbol.name for one in image.bindings if not one.has_library}
    assert unbound
    assert all(name.startswith(("_Py", "__Py")) for name in unbound)


def test_the_strict_link_was_made(mac_extensions: dict[str, Path]) -> None:
    for path in mac_extensions.values():
        assert (path.parent / "strict.dylib").stat().st_size > 0


@pytest.mark.parametrize("arch", ARCHS)
def test_a_misspelt_function_is_found(mac_extensions: dict[str, Path], tmp_path: Path, arch: str) -> None:
    source = tmp_path / "misspelt.c"
    source.write_text("int mach_vm_region_recursX(void);\nint used(void) { return mach_vm_region_recursX(); }\n")
    command = [sys.executable, "-c", STRICT, arch, str(tmp_path), str(source)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    first, _, rest = done.stdout.partition("\n")
    assert first == "linked as an extension", done.stderr
    assert "mach_vm_region_recursX" in rest.partition("\n")[2]
