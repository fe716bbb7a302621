"""What runs of a debugger's test suite have found: by server and file, at which commit, kept between runs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 120

Results = dict[str, str]
"""By name, what became of each test."""


@dataclass(frozen=True)
class FileRun:
    """One file of the suite as one server ran it last.

    Attributes:
        commit: that of this source tree.
        runs: how often it has been run at that commit; more than once says that a failure was looked into.
        results: of the last run.
    """

    commit: str
    runs: int
    results: Results


Stored = dict[str, dict[str, FileRun]]
"""Of one board: by server and file, the last run."""


def our_command(work: Path) -> Path:
    """A command for this source tree that leaves the environment of what it starts alone. Raises `CalledProcessError`
    if its C has not been built."""
    subprocess.run([sys.executable, "-c", "import pydbgserver.server.serve"], cwd=ROOT, check=True)
    command = work / "pydbgserver"
    words = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from pydbgserver.__main__ import main; sys.exit(main())"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{words}" "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    return command


def commit() -> str:
    """The state of this source tree."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude=*"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _path(work: Path, board: str, server: str) -> Path:
    return work / f"results-{board.replace('/', '')}-{server}.json"


def load(work: Path, board: str, server: str) -> dict[str, FileRun]:
    """What earlier runs have left in `work`; nothing if there were none."""
    path = _path(work, board, server)
    return {file: FileRun(**run) for file, run in json.loads(path.read_text()).items()} if path.exists() else {}


def store(work: Path, board: str, server: str, runs: Mapping[str, FileRun]) -> None:
    """Keep the runs of one server on one board: two servers can be run side by side."""
    path = _path(work, board, server)
    new = path.with_suffix(".new")
    new.write_text(json.dumps({file: asdict(run) for file, run in runs.items()}, indent=1), encoding="utf-8")
    new.replace(path)


def another_run(before: FileRun | None, state: str, results: Results) -> FileRun:
    """What is known of a file that has just been run at commit `state`."""
    return FileRun(state, before.runs + 1 if before is not None and before.commit == state else 1, results)


def commits(boards: Mapping[str, Stored], ours: str) -> list[str]:
    """Which state of this server the results are of, and which files were run more than once."""
    runs = {(board, file): run for board, stored in boards.items() for file, run in stored.get(ours, {}).items()}
    counts = Counter(run.commit for run in runs.values())
    if len(counts) == 1:
        told = [f"All results are of commit {next(iter(counts))}."]
    else:
        told = [
            "The results are of commits " + ", ".join(f"{one} ({n} files)" for one, n in counts.most_common()) + "."
        ]
    again = [f"{file} ({board})" for (board, file), run in runs.items() if run.runs > 1]
    return [*told, f"Run again alone, which is what counts here: {', '.join(again)}."] if again else told
