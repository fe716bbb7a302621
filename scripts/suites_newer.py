"""The sessions of tests/e2e once more with a newer gdb: that of another release of Debian, out of a folder of its own.

Needs Debian's package mmdebstrap, and root or user namespaces. The folder is made once; it takes 40 seconds and 400 MB:

  scripts/peer_suites newer-gdb --work DIR --page
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from suites_page import replace_section

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = "gdb"
SECONDS = 3600
NO_PYTHONHOME = "python import os; os.environ.pop('PYTHONHOME', None)"
"""What the newer gdb starts has another Python than its own."""


def release_folder(work: Path, release: str) -> Path:
    """A minimal system of that release with gdb in it."""
    folder = work / release
    if not (folder / "usr" / "bin" / "gdb").exists():
        subprocess.run(["mmdebstrap", "--variant=minbase", f"--include={PACKAGES}", release, folder], check=True)
    return folder


def write_command(work: Path, folder: Path) -> Path:
    """A command that runs the folder's gdb with the folder's loader and libraries, but sees this machine's files."""
    triplet = f"{os.uname().machine}-linux-gnu"
    loader = next((folder / "usr" / "lib" / triplet).glob("ld-linux*.so*"))
    words = [loader, "--library-path", folder / "usr" / "lib" / triplet, folder / "usr" / "bin" / "gdb"]
    words += ["--data-directory", folder / "usr" / "share" / "gdb", "-iex", NO_PYTHONHOME]
    command = work / f"gdb-{folder.name}"
    text = shlex.join(map(str, words))
    command.write_text(f'#!/bin/sh\nPYTHONHOME={shlex.quote(f"{folder}/usr")} exec {text} "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    return command


def version(command: Path) -> str:
    """What that gdb says it is: "gdb 16.3"."""
    said = subprocess.run([command, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"(\d+\.\d+)\s*$", said.splitlines()[0])
    return f"gdb {found[1] if found else '?'}"


def run(command: Path, report: Path) -> str:
    """The sessions that gdb is in; gives pytest's summary, with the tests that failed."""
    words = [sys.executable, "-m", "pytest", "-q", "-rfEs", "tests/e2e", "-k", "gdb and not lldb"]
    with report.open("w", encoding="utf-8") as said:
        subprocess.run(
            words, cwd=ROOT, stdout=said, stderr=said, timeout=SECONDS, check=False,
            env={**os.environ, "PYDBGSERVER_E2E_GDB": str(command)},
        )  # fmt: skip
    text = report.read_text(encoding="utf-8", errors="replace")
    return "\n".join(re.findall(r"^(?:FAILED|ERROR|SKIPPED) .*$|^.*\d+ passed.*$", text, re.MULTILINE))


def main(words: Sequence[str]) -> int:
    """Make the folder, run the sessions, say what became of them; 1 if one failed."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="peer_suites newer-gdb", description=__doc__, formatter_class=form)
    parser.add_argument("--work", type=Path, default=Path("peer-suites-newer-gdb"), help="where the folder is made")
    parser.add_argument("--release", default="trixie", help="the release of Debian")
    parser.add_argument("--page", action="store_true", help="write the outcome to docs/conformance.md")
    options = parser.parse_args(words)
    work: Path = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    command = write_command(work, release_folder(work, options.release))
    name = version(command)
    summary = run(command, work / "said")
    print(f"{name}, tests/e2e:\n{summary}")
    if options.page:
        about = f"The sessions of tests/e2e with {name} (`scripts/peer_suites newer-gdb`, Debian {options.release}):"
        replace_section("gdb, newer", f"{about}\n\n```\n{summary}\n```")
    return int(not re.search(r"^\d+ passed", summary, re.MULTILINE) or "failed" in summary)
