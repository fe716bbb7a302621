"""The clients that record the corpus: those that are installed, and those in root directories of other releases."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.e2e import servers
from tests.e2e.clients import KINDS, Client, ClientKind
from tests.transcripts.machine import ENVIRONMENT, WORK
from tests.transcripts.scenarios import Scenario

PEERS = {"gdb": ["gdbserver"], "lldb": ["lldb-server-19", "gdbserver"]}
ELSEWHERE = frozenset({"bare-step", "bare-watch", "bare-signals", "bare-threads"})
"""What clients of other releases are recorded with against this server; against their peers only the first one."""
ELSEWHERE_PEER = frozenset({"bare-step"})


@dataclass(frozen=True)
class Recorded:
    """A client: its `label` begins the names of its files; `root` is where it lives."""

    label: str
    version: str
    kind: ClientKind
    executable: str
    root: Path | None = None

    def takes(self, scenario: Scenario, *, ours: bool) -> bool:
        """Whether the scenario is recorded with this client."""
        if not (scenario.gdb if self.kind.name == "gdb" else scenario.lldb):
            return False
        return self.root is None or scenario.name in (ELSEWHERE if ours else ELSEWHERE_PEER)

    def start(self, home: Path, program: Path | None) -> Client:
        """The client, running. In a root directory of its own it finds a copy of the program."""
        if self.root is None:
            return Client(self.kind, self.executable, home, program)
        (self.root / WORK.relative_to("/")).mkdir(parents=True, exist_ok=True)
        if program is not None:
            shutil.copy(program, self.root / program.relative_to("/"))
        kind = replace(self.kind, arguments=(str(self.root), self.executable, *self.kind.arguments))
        # Debian 12's lldb 14 and 15 look for their Python module where it is not.
        modules = self.root.glob("usr/lib/llvm-*/lib/python3*/dist-packages")
        environment = {"PYTHONPATH": ":".join(f"/{one.relative_to(self.root)}" for one in modules)}
        chroot = servers.find(["chroot", "/usr/sbin/chroot"]) or "chroot"
        return Client(kind, chroot, Path("/"), program, environment)


def version_of(command: Sequence[str]) -> str:
    """The version that a client tells of itself."""
    said = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=60, check=False).stdout
    found = re.search(r"(?:lldb version |GNU gdb .*\) )(\d+\.\d+)", said)
    if found is None:
        raise SystemExit(f"{' '.join(command)}: {said[:200]!r} tells no version")
    return found[1]


def clients(chroots: Sequence[str]) -> list[Recorded]:
    """The installed clients, or those of `chroots` (ROOT:EXECUTABLE)."""
    found = []
    if not chroots:
        for kind in KINDS.values():
            executable = servers.find(kind.executables)
            if executable is None:
                raise SystemExit(f"{kind.name} is not installed")
            found.append(Recorded(kind.name, version_of([executable]), kind, executable))
    for one in chroots:
        root, _, executable = one.rpartition(":")
        kind = KINDS["gdb" if Path(executable).name.startswith("gdb") else "lldb"]
        version = version_of(["chroot", root, executable])
        found.append(Recorded(f"{kind.name}{version.partition('.')[0]}", version, kind, executable, Path(root)))
    return found


def environment() -> dict[str, str]:
    """What servers and programs get."""
    return ENVIRONMENT
