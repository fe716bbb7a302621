"""gdb's own test suite, run against this server and against gdbserver, compared test by test.

Needs Debian's packages gdb, gdbserver, dejagnu, gcc and g++; gcc-multilib and g++-multilib
for the board with -m32. The sources, outside this repository:

  apt-get source gdb        (with a deb-src line in apt's sources; tar xf gdb_13.1.orig.tar.xz is enough)

and then `scripts/peer_suites gdb --sources gdb-13.1 --part server`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import wrap

from suites_page import replace_section

ROOT = Path(__file__).resolve().parents[1]
OURS, PEER = "ours", "gdbserver"
BOARDS = (
    "native-extended-gdbserver", "native-gdbserver", "native-stdio-gdbserver", "native-extended-gdbserver/-m32",
)  # fmt: skip
"""As dejagnu names them: after a slash, what the compiler gets besides."""
CHUNK_FILES = 8
CHUNK_SECONDS = 3600


def _base(names: str) -> tuple[str, ...]:
    return tuple(f"gdb.base/{name}*.exp" for name in names.split())


PARTS: dict[str, tuple[str, ...]] = {
    "server": ("gdb.server/*.exp",),
    "processes": _base("attach foll- catch- fork vfork exec multi-"),
    "signals and steps": _base("sig step watch until return range auxv hook gcore info"),
    "breakpoints and calls": _base(
        "break call display non random check kill detach dprintf disp-step dup env ending inferior interrupt jump long "
        "nextoverexit solib startup term hb f j reread run valgrind write"
    ),
    "base": ("gdb.base/*.exp",),
    "several programs": ("gdb.multi/*.exp",),
    "python": tuple(f"gdb.python/py-{name}*.exp" for name in ("inferior", "infthread", "thread", "events", "finish")),
}
"""Which files below gdb/testsuite a part has; "base" is the whole folder and takes half an hour."""

REASONS = (
    (r"^gdb\.server/no-thread-db\.exp: print foo", "thread-local variables are found without libthread_db, too"),
    (r"^gdb\.server/non-existing-program\.exp", "one line of our own says why the program cannot be started"),
    (r"^gdb\.base/break-main-file-remove-fail\.exp", "removing a breakpoint from memory that is gone is no error"),
)
"""What is known about tests that only the peer passes: by a pattern of their names."""

SLICES = ("processes", "signals and steps", "breakpoints and calls")
"""Parts of "base", which the page has as a whole."""

Results = dict[str, str]


def our_command(work: Path) -> Path:
    """A command for this source tree that leaves the environment of what it starts alone."""
    command = work / "pydbgserver"
    words = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from pydbgserver.__main__ import main; sys.exit(main())"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{words}" "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    return command


def files_of(sources: Path, part: str) -> list[str]:
    """The part's files, relative to the suite's folder."""
    suite = sources / "gdb" / "testsuite"
    return [str(file.relative_to(suite)) for pattern in PARTS[part] for file in sorted(suite.glob(pattern))]


def run(sources: Path, work: Path, server: str, board: str, files: Sequence[str]) -> dict[str, Results]:
    """Run some files; gives the results by file. What the suite wrote stays below `work`."""
    # Some names of tests depend on the length of paths: that of both servers is the same.
    folder = work / f"{server[:4]}-{board.replace('/', '')}-{files[0].removesuffix('.exp').replace('/', '-')}"
    for name in ("outputs", "cache", "lib", *{file.split("/")[0] for file in files}):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "site.exp").write_text(_site(sources / "gdb" / "testsuite"), encoding="utf-8")
    binary = "/usr/bin/gdbserver" if server == PEER else str(our_command(work))
    command = ["runtest", "--tool", "gdb", "GDB=/usr/bin/gdb", f"GDBSERVER={binary}", f"--target_board={board}", *files]
    started = time.monotonic()
    with (folder / "said").open("wb") as said:
        subprocess.run(
            command, cwd=folder, stdout=said, stderr=said, env={**os.environ, "TMPDIR": str(folder)},
            timeout=CHUNK_SECONDS, check=False,
        )  # fmt: skip
    found = results(folder / "gdb.sum")
    counts = Counter(result for by_name in found.values() for result in by_name.values())
    print(f"{server}, {board}, {files[0]}...: {dict(counts)}, {time.monotonic() - started:.0f} s", flush=True)
    return {file: found.get(file, {}) for file in files}


def _site(suite: Path) -> str:
    """What the suite's configure would write."""
    triplet = f"{os.uname().machine}-pc-linux-gnu"
    lines = [f"set {name}_triplet {triplet}" for name in ("host", "target", "build")]
    lines += [f"set target_alias {triplet}", f"set srcdir {suite.resolve()}", "set tool gdb", "set enable_libctf yes"]
    lines += ["source ${srcdir}/lib/append_gdb_boards_dir.exp"]
    return "\n".join(lines) + "\n"


def results(summary: Path) -> dict[str, Results]:
    """By file and name, what became of each test; a name that comes again gets a number."""
    found: dict[str, Results] = {}
    seen: Counter[str] = Counter()
    text = summary.read_text(encoding="utf-8", errors="replace")
    pattern = r"^(PASS|FAIL|KFAIL|XFAIL|UNRESOLVED|UNTESTED|UNSUPPORTED|KPASS|XPASS): (.*)$"
    for result, name in re.findall(pattern, text, re.MULTILINE):
        seen[name] += 1
        by_name = found.setdefault(name.split(":")[0], {})
        by_name[name if seen[name] == 1 else f"{name} #{seen[name]}"] = result
    return found


def missing(ours: Mapping[str, str], peer: Mapping[str, str]) -> list[str]:
    """The tests that only the peer passes."""
    return [name for name, result in peer.items() if result == "PASS" and ours.get(name) != "PASS"]


def reason(name: str) -> str:
    """Why this test is not passed; "" if nothing is known."""
    return next((words for pattern, words in REASONS if re.search(pattern, name)), "")


Stored = dict[str, dict[str, Results]]
"""Of one board: by server and file, the results."""


def together(stored: Stored, files: Iterable[str]) -> tuple[Results, Results]:
    """Ours and the peer's results of those of the files that both have run."""
    ours, peer = stored.get(OURS, {}), stored.get(PEER, {})
    both = [file for file in files if file in ours and file in peer]
    return tuple({name: one for file in both for name, one in side[file].items()} for side in (ours, peer))  # type: ignore[return-value]


def section(boards: Mapping[str, Stored], sources: Path, note: str = "") -> str:
    """The page's text: for each board a table of the parts, then each missing test with its reason."""
    lines = ["gdb 13.1's test suite (`scripts/peer_suites gdb`), the peer is gdbserver 13.1.", ""]
    lines += [*wrap(note, 120), ""] if note else []
    for board, stored in boards.items():
        lines += [f"### Board {board}", "", "| part | files | gdbserver passes | this server passes | missing | % |"]
        lines += ["| --- | ---: | ---: | ---: | ---: | ---: |"]
        lists: list[str] = []
        for part in PARTS:
            files = files_of(sources, part)
            ours, peer = together(stored, files)
            if not peer or part in SLICES:
                continue
            run_by_both = sum(file in stored[OURS] and file in stored[PEER] for file in files)
            lost = missing(ours, peer)
            counts = [Counter(one.values())["PASS"] for one in (peer, ours)]
            share = 100 * (1 - len(lost) / counts[0]) if counts[0] else 100
            lines.append(
                f"| {part} | {run_by_both} of {len(files)} | {counts[0]} | {counts[1]} | {len(lost)} | {share:.3f} |"
            )
            lists += [f"{part}: what only gdbserver passes:\n", *_grouped(lost), ""]
        lines += ["", *lists]
    return "\n".join(lines)


def _grouped(names: Iterable[str]) -> list[str]:
    """One line for each file and reason; the names only where no whole group has one reason."""
    groups: dict[tuple[str, str], list[str]] = {}
    for name in names:
        groups.setdefault((name.split(":")[0], reason(name)), []).append(name.partition(": ")[2])
    lines = []
    for (file, why), tests in groups.items():
        which = f"{len(tests)} tests" if len(tests) > 8 else ", ".join(f"`{one}`" for one in tests)
        lines.append(f"- {file}: {which}: {why or 'not looked into yet'}")
    return lines or ["- nothing"]


def show(ours: Results, peer: Results) -> None:
    """What only the peer passes, by name."""
    for name in missing(ours, peer):
        print(f"  {ours.get(name, 'not run')}: {name}" + (f" ({reason(name)})" if reason(name) else ""))


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """The options."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="peer_suites gdb", description=__doc__, formatter_class=form)
    parser.add_argument("--sources", type=Path, required=True, help="the unpacked folder gdb-13.1")
    parser.add_argument("--work", type=Path, default=Path("peer-suites-gdb"), help="a folder for what the suite writes")
    parser.add_argument("--part", action="append", choices=PARTS, help="which tests; may be given again")
    parser.add_argument("--board", action="append", choices=BOARDS, help=f"{BOARDS[0]} if none is given")
    parser.add_argument("--server", choices=(OURS, PEER), action="append", help="only this one")
    parser.add_argument("--go-on", action="store_true", help="leave out the files whose results --work has")
    parser.add_argument("--page", action="store_true", help="write docs/conformance.md from all results in --work")
    parser.add_argument("--note", default="", help="for the page: how the run was made")
    return parser.parse_args(words)


def chunks(files: Sequence[str]) -> Iterator[Sequence[str]]:
    """The files in small portions: what has been run is kept when a run is broken off."""
    return (files[start : start + CHUNK_FILES] for start in range(0, len(files), CHUNK_FILES))


def run_parts(options: argparse.Namespace, work: Path, board: str) -> Stored:
    """Run what the options say on one board; gives all its results, older ones too."""
    path = work / f"results-{board.replace('/', '')}.json"
    stored: Stored = json.loads(path.read_text()) if path.exists() else {}
    wanted = list(dict.fromkeys(file for part in options.part or () for file in files_of(options.sources, part)))
    for server in options.server or (PEER, OURS):
        of_server = stored.setdefault(server, {})
        left = [file for file in wanted if not options.go_on or file not in of_server]
        for files in chunks(left):
            of_server.update(run(options.sources, work, server, board, files))
            path.write_text(json.dumps(stored, indent=1))
    return stored


def main(words: Sequence[str]) -> int:
    """Run the parts, and print what only the peer passes; 1 if that is anything."""
    options = arguments(words)
    work: Path = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    boards = {board: run_parts(options, work, board) for board in options.board or BOARDS[:1]}
    lost = 0
    for board, stored in boards.items():
        for part in options.part or PARTS:
            ours, peer = together(stored, files_of(options.sources, part))
            print(f"{board}, {part}: passed by the peer alone:")
            show(ours, peer)
            lost += len(missing(ours, peer))
    if options.page:
        replace_section("gdb", section(boards, options.sources, options.note))
    return int(lost > 0)
