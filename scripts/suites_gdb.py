"""gdb's own test suite, run against this server and against gdbserver, compared test by test.

Needs Debian's packages gdb, gdbserver, dejagnu, gcc and g++; gcc-multilib and g++-multilib
for the board with -m32. The sources, outside this repository:

  apt-get source gdb        (with a deb-src line in apt's sources; tar xf gdb_13.1.orig.tar.xz is enough)

and then `scripts/peer_suites gdb --sources gdb-13.1 --part server`, or all that docs/conformance.md has, both servers
at once, going on where an earlier call was broken off:

  scripts/peer_suites gdb --sources gdb-13.1 --whole --side-by-side --go-on --page
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from suites_gdb_page import OURS, PEER, missing, reason, section, together
from suites_page import replace_section
from suites_runs import Results, Stored, another_run, commit, load, our_command, store

BOARDS = (
    "native-extended-gdbserver", "native-gdbserver", "native-stdio-gdbserver", "native-extended-gdbserver/-m32",
)  # fmt: skip
"""As dejagnu names them: after a slash, what the compiler gets besides."""
CHUNK_FILES = 8
CHUNK_SECONDS = 1800
ANSWER_SECONDS = 30
"""How long the suite waits for gdb, both servers alike: its own 10 s are short on a machine with other work."""


def _base(names: str) -> tuple[str, ...]:
    return tuple(f"gdb.base/{name}*.exp" for name in names.split())


_OF_PYTHON = (
    "breakpoint connection events exec-file finish frame inferior infthread mi record-btrace send-packet shared thread"
)
"""What of gdb.python is about the target."""

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
    "threads": ("gdb.threads/*.exp",),
    "mi": ("gdb.mi/*.exp",),
    "python": tuple(f"gdb.python/py-{name}*.exp" for name in _OF_PYTHON.split()),
}
"""Which files below gdb/testsuite a part has; "base" is the whole folder and takes half an hour."""

WHOLE = {
    "native-extended-gdbserver": ("server", "several programs", "threads", "mi", "python", "base"),
    "native-gdbserver": ("server", "several programs", "threads"),
    "native-stdio-gdbserver": ("server", "several programs"),
    "native-extended-gdbserver/-m32": ("server",),
}
"""What docs/conformance.md has at least: by board, the parts."""

SLICES = ("processes", "signals and steps", "breakpoints and calls")
"""Parts of "base", which the page has as a whole."""


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
    _run_bounded(command, folder)
    found = results(folder / "gdb.sum")
    counts = Counter(result for by_name in found.values() for result in by_name.values())
    print(f"{server}, {board}, {files[0]}...: {dict(counts)}, {time.monotonic() - started:.0f} s", flush=True)
    return {file: found.get(file, {}) for file in files}


def _run_bounded(command: Sequence[str], folder: Path) -> None:
    """Run to the end, or for CHUNK_SECONDS: what is missing then counts as not passed."""
    environment = {**os.environ, "TMPDIR": str(folder)}
    with (
        (folder / "said").open("wb") as said,
        subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=environment,
            start_new_session=True,
        ) as suite,
    ):  # fmt: skip
        try:
            suite.wait(CHUNK_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(suite.pid, signal.SIGKILL)
            print(f"{folder.name}: broken off after {CHUNK_SECONDS} s", flush=True)


def _site(suite: Path) -> str:
    """What the suite's configure would write."""
    triplet = f"{os.uname().machine}-pc-linux-gnu"
    lines = [f"set {name}_triplet {triplet}" for name in ("host", "target", "build")]
    lines += [f"set target_alias {triplet}", f"set srcdir {suite.resolve()}", "set tool gdb", "set enable_libctf yes"]
    lines += [f"set gdb_test_timeout {ANSWER_SECONDS}"]
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
    parser.add_argument("--whole", action="store_true", help="all parts and boards that docs/conformance.md has")
    parser.add_argument("--part", action="append", choices=PARTS, help="which tests; may be given again")
    parser.add_argument("--file", action="append", help="a file of the suite (gdb.base/break.exp); may be given again")
    parser.add_argument("--board", action="append", choices=BOARDS, help=f"{BOARDS[0]} if none is given")
    parser.add_argument("--server", choices=(OURS, PEER), action="append", help="only this one")
    parser.add_argument("--side-by-side", action="store_true", help="run both servers at the same time")
    parser.add_argument("--go-on", action="store_true", help="leave out the files whose results --work has")
    parser.add_argument("--page", action="store_true", help="write docs/conformance.md from all results in --work")
    parser.add_argument("--note", default="", help="for the page: how the run was made")
    return parser.parse_args(words)


def chunks(files: Sequence[str]) -> Iterator[Sequence[str]]:
    """The files in small portions: what has been run is kept when a run is broken off."""
    return (files[start : start + CHUNK_FILES] for start in range(0, len(files), CHUNK_FILES))


def wanted(options: argparse.Namespace) -> dict[str, list[str]]:
    """By board, the files that the options ask for."""
    boards = options.board or BOARDS[:1]
    parts = dict(WHOLE) if options.whole else {board: tuple(options.part or ()) for board in boards}
    files = {board: [file for part in of for file in files_of(options.sources, part)] for board, of in parts.items()}
    return {board: list(dict.fromkeys([*some, *(options.file or ())])) for board, some in files.items()}


def run_server(options: argparse.Namespace, work: Path, server: str) -> None:
    """Run what the options ask for against one server, and keep the results."""
    state = commit()
    for board, files in wanted(options).items():
        kept = load(work, board, server)
        for portion in chunks([file for file in files if not options.go_on or file not in kept]):
            for file, found in run(options.sources, work, server, board, portion).items():
                kept[file] = another_run(kept.get(file), state, found)
            store(work, board, server, kept)


def main(words: Sequence[str]) -> int:
    """Run the parts, and print what only the peer passes; 1 if that is anything."""
    options = arguments(words)
    work: Path = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    servers = options.server or (PEER, OURS)
    with ThreadPoolExecutor(len(servers) if options.side_by_side else 1) as lanes:
        for lane in [lanes.submit(run_server, options, work, server) for server in servers]:
            lane.result()
    boards: dict[str, Stored] = {board: {one: load(work, board, one) for one in (OURS, PEER)} for board in BOARDS}
    lost = 0
    for board, files in wanted(options).items():
        ours, peer = together(boards[board], files)
        print(f"{board}: passed by the peer alone:")
        show(ours, peer)
        lost += len(missing(ours, peer))
    if options.page:
        parts = {part: files_of(options.sources, part) for part in PARTS if part not in SLICES}
        replace_section("gdb", section(boards, parts, options.note))
    return int(lost > 0)
