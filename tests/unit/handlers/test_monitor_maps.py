"""`monitor maps` and `monitor files`."""

from __future__ import annotations

import re

import pytest

from pydbgserver.handlers.monitor_maps import kind_of, size_text
from pydbgserver.target.capabilities import MemoryMap, OpenFiles, Region
from pydbgserver.testing.sim import DATA, SimProcess
from tests.sim.conversation import PID, gdb


def monitor(process: SimProcess, command: str) -> str:
    reply = gdb(process).ask("qRcmd," + command.encode().hex())
    return bytes.fromhex(reply).decode()


def test_the_map_has_sizes_types_and_sums() -> None:
    process = SimProcess(PID, threads=2)
    process.memory.write(DATA, b"changed")
    fixed, writable, summary = re.split("^==== (?=[NWS])", monitor(process, "maps"), flags=re.M)[1:]
    assert fixed.startswith("Non-writable") and writable.startswith("Writable")
    assert re.search(r"^text +401000-402000 +\[ +4K +4K +0K +0K\]  r-x private  /usr/bin/program$", fixed, re.M)
    assert re.search(r"^data +404000-405000 +\[ +4K +4K +4K +0K\]  rw- private  /usr/bin/program$", writable, re.M)
    assert re.search(r"^stack .* rw- private  \[stack\] thread 100, 101$", writable, re.M)
    assert re.search(r"^TOTAL +12K +12K +4K +0K +3$", summary, re.M)
    assert re.search(r"^data +4K +4K +4K +0K +1$", summary, re.M)


@pytest.mark.parametrize(
    ("region", "kind"),
    [
        (Region(0, 1, "rw"), "anonymous"),
        (Region(0, 1, "rwx"), "anonymous code"),
        (Region(0, 1, "", "/lib/x.so"), "guard"),
        (Region(0, 1, "r", "/lib/x.so"), "read-only data"),
        (Region(0, 1, "rx", "[vdso]"), "vdso"),
        (Region(0, 1, "rw", "[anon:malloc]"), "named"),
        (Region(0, 1, "rw", "[heap]", kind="heap"), "heap"),
        (Region(0, 1, "rw", "/memfd:x (deleted)", shared=True), "shared memory"),
        (Region(0, 1, "rw", "/data", shared=True), "data"),
    ],
)
def test_types_of_regions(region: Region, kind: str) -> None:
    assert kind_of(region) == kind


def test_sizes_in_words() -> None:
    assert [size_text(one) for one in (0, 4096, 10 << 20, 3 << 30, 1 << 47)] == [
        "0K", "4K", "10.0M", "3072.0M", "131072.0G"
    ]  # fmt: skip


def test_open_files() -> None:
    assert monitor(SimProcess(PID), "files").splitlines()[1:] == [
        f"{number:>10} rw              0  /dev/pts/0" for number in range(3)
    ]


@pytest.mark.parametrize(("command", "capability"), [("maps", MemoryMap), ("files", OpenFiles)])
def test_a_target_that_cannot_say(command: str, capability: type) -> None:
    assert gdb(SimProcess(PID, without=[capability])).ask("qRcmd," + command.encode().hex()) == ""
