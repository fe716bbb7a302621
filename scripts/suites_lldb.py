"""lldb's own API tests, run against this server and against lldb-server, compared test by test.

Needs Debian's packages lldb-19, python3-lldb-19, clang-19, python3-psutil, python3-pexpect, python3-packaging, make
and g++. The tests come from the source package llvm-toolchain-19, which is fetched into the work folder with apt's own
keys.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from suites_page import replace_section

ROOT = Path(__file__).resolve().parent.parent
SOURCE_PACKAGE = "llvm-toolchain-19"
LLVM = Path("/usr/lib/llvm-19")
MODULE = LLVM / "lib/python3.11/site-packages/lldb"
LIBRARY = Path("/usr/lib/x86_64-linux-gnu/liblldb-19.so.1")
COMPILER = "/usr/bin/clang-19"
FILE_SECONDS = 600
"""How long the tests of one file may take."""

APT_SOURCES = Path("/etc/apt/sources.list.d")

SERVER_LOOKUP = 'return _get_support_exe("lldb-server")'
SERVER_VARIABLE = "SERVER_UNDER_TEST"

SLICES: dict[str, tuple[str, ...]] = {
    "tools/lldb-server": ("tools/lldb-server",),
    "run control": (
        "functionalities/breakpoint",
        "functionalities/watchpoint",
        "functionalities/signal",
        "functionalities/thread",
        "functionalities/step",
        "functionalities/fork",
        "functionalities/exec",
        "functionalities/longjmp",
        "functionalities/single-thread-step",
        "functionalities/attach_resume",
        "commands/process/attach",
        "commands/process/attach-resume",
        "commands/watchpoints",
        "lang/c/stepping",
    ),
    "memory and expressions": (
        "functionalities/memory",
        "functionalities/memory-region",
        "functionalities/inferior-crashing",
        "functionalities/process_save_core",
        "functionalities/process_crash_info",
        "commands/expression",
        "commands/register",
        "commands/memory",
        "commands/process/launch",
        "commands/platform",
        "lang/c/shared_lib",
        "lang/cpp/thread_local",
        "python_api/process",
        "python_api/thread",
        "python_api/signals",
        "python_api/hello_world",
    ),
    "editors": ("tools/lldb-dap",),
}
"""Folders below lldb/test/API, by the name under which they can be asked for."""

_HARDWARE = "skipped: it is about servers without hardware breakpoints on this CPU"
REASONS = {
    **{f"TestRequireHWBreakpoints: test_step_{how}": _HARDWARE for how in ("out", "over", "range", "until")},
    "TestDAP_console: test_exit_status_message_sigterm": "the test looks for a process that is called lldb-server",
}
"""Why only the peer passes a test."""

LINE = re.compile(r"^(PASS|FAIL|XFAIL|XPASS|UNSUPPORTED|ERROR|TIMEOUT): LLDB \(.*?\) :: (\S+ \(.*?\))", re.MULTILINE)


@dataclass
class Outcome:
    """What a run has found: by the name of the test, PASS, FAIL, XFAIL, UNSUPPORTED..."""

    results: dict[str, str] = field(default_factory=dict)

    def passed(self) -> set[str]:
        """The tests that did what they should."""
        return {name for name, result in self.results.items() if result in ("PASS", "XFAIL", "XPASS")}

    def count(self, result: str) -> int:
        """How many tests ended like that."""
        return sum(1 for one in self.results.values() if one == result)


def fetch(work: Path) -> Path:
    """The unpacked folder ``lldb`` of the source package, fetched if it is not there; patched to find its server."""
    found = next(iter(work.glob(f"{SOURCE_PACKAGE}*/lldb/test/API")), None)
    if found is None:
        _download(work)
        archive = next(work.glob(f"{SOURCE_PACKAGE}*.orig.tar.xz"))
        folders = [f"*/lldb/{one}" for one in ("test", "packages", "use_lldb_suite_root.py")]
        _run(["tar", "xJf", str(archive), "-C", str(work), "--wildcards", *folders])
        found = next(work.glob(f"{SOURCE_PACKAGE}*/lldb/test/API"))
    lldb = found.parent.parent
    lookup = lldb / "packages/Python/lldbsuite/test/tools/lldb-server/lldbgdbserverutils.py"
    text = lookup.read_text()
    lookup.write_text(text.replace(SERVER_LOOKUP, f'return os.environ["{SERVER_VARIABLE}"]'))
    return lldb


def _download(work: Path) -> None:
    """apt-get source from the machine's own mirrors, with a list of its own: its settings stay as they are."""
    lists = work / "lists"
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    sources = work / "src.sources"
    stanzas = [path.read_text() for path in sorted(APT_SOURCES.glob("*.sources"))]
    sources.write_text("\n\n".join(re.sub(r"(?m)^Types:.*", "Types: deb-src", stanza) for stanza in stanzas))
    apt = ["apt-get", "-q", "-o", f"Dir::Etc::sourcelist={sources}", "-o", "Dir::Etc::sourceparts=/dev/null"]
    apt += ["-o", f"Dir::State::lists={lists}"]
    _run([*apt, "update"])
    _run([*apt, "--download-only", "source", SOURCE_PACKAGE], cwd=work)


def _run(command: Sequence[str], cwd: Path | None = None) -> None:
    subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.DEVNULL)


def prepare_client(work: Path) -> Path:
    """An ``lldb`` command whose Python module can be imported (the one that Debian installs links to a library that no
    package has), with ``lldb-dap`` beside it."""
    module = work / "client/site-packages/lldb"
    module.mkdir(parents=True, exist_ok=True)
    for entry in MODULE.iterdir():
        link = module / entry.name
        if not link.is_symlink():
            link.symlink_to(LIBRARY if entry.name.startswith("_lldb.") else entry)
    command = work / "client/lldb"
    command.write_text(
        f'#!/bin/sh\n[ "$*" = -P ] && exec echo {module.parent}\n'
        f'PYTHONPATH={module.parent}${{PYTHONPATH:+:$PYTHONPATH}} exec {LLVM}/bin/lldb "$@"\n'
    )
    command.chmod(0o755)
    # The tests look for the editors' adapter beside it.
    adapter = work / "client/lldb-dap"
    if not adapter.is_symlink():
        adapter.symlink_to(LLVM / "bin/lldb-dap")
    return command


def our_server(work: Path) -> Path:
    """A command that starts this checkout with the Python that runs this script."""
    command = work / "pydbgserver"
    command.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m pydbgserver "$@"\n')
    command.chmod(0o755)
    return command


def test_files(lldb: Path, folders: Iterable[str]) -> list[Path]:
    """Every test file below the folders."""
    api = lldb / "test/API"
    return sorted(path for folder in folders for path in (api / folder).rglob("Test*.py"))


def run_file(lldb: Path, client: Path, server: Path, build: Path, file: Path, extra: Sequence[str] = ()) -> str:
    """What dotest says about one file."""
    environment = {
        **os.environ,
        "LLDB_DEBUGSERVER_PATH": str(server),
        SERVER_VARIABLE: str(server),
        "LC_ALL": "C.UTF-8",
    }
    command = ["/usr/bin/python3", str(lldb / "test/API/dotest.py"), "--executable", str(client)]
    command += ["-C", COMPILER, "--arch", "x86_64", "--llvm-tools-dir", f"{LLVM}/bin", "-u", "CXXFLAGS", "-u", "CFLAGS"]
    # By default an uncaught problem is shown in colours, in a window and so on; the tests' own runner says the same.
    command += ["--setting", "symbols.enable-external-lookup=false", "--setting", "use-color=false"]
    command += ["--build-dir", str(build / file.stem), "-v", *extra, "-p", f"^{file.name}$", str(file.parent)]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,
        text=True,
        errors="replace",
    ) as process:
        try:
            said, _ = process.communicate(timeout=FILE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said = f"{process.communicate()[0]}\nTIMEOUT: LLDB () :: {file.stem} (whole file)\n"
    return said


def run(
    lldb: Path,
    client: Path,
    server: Path,
    work: Path,
    files: Sequence[Path],
    jobs: int,
    extra: Sequence[str] = (),
    said: Callable[[str], None] = lambda text: None,
) -> Outcome:
    """Run the files, `jobs` at a time; what each said is kept below `work`, and so are the results."""
    outcome = Outcome()
    logs = work / "logs"
    logs.mkdir(parents=True, exist_ok=True)

    def one(file: Path) -> tuple[Path, str]:
        return file, run_file(lldb, client, server, work / "build", file, extra)

    with ThreadPoolExecutor(jobs) as pool:
        for file, text in pool.map(one, files):
            (logs / f"{file.stem}.log").write_text(text)
            found = {name: result for result, name in LINE.findall(text)}
            outcome.results |= {f"{file.stem}: {name}": result for name, result in found.items()}
            counts = {result: list(found.values()).count(result) for result in sorted(set(found.values()))}
            said(f"{file.stem}: {counts or 'nothing was run'}")
    return outcome


def store(path: Path, outcome: Outcome) -> None:
    """Add to the results in `path`; later ones replace earlier ones."""
    merged = {**load(path).results, **outcome.results}
    path.write_text(json.dumps(merged, indent=1, sort_keys=True))


def load(path: Path) -> Outcome:
    """The results of earlier runs."""
    return Outcome(json.loads(path.read_text())) if path.exists() else Outcome()


def behind(ours: Outcome, peer: Outcome) -> list[str]:
    """The tests that only the peer passes."""
    return sorted((peer.passed() & ours.results.keys()) - ours.passed())


def report(ours: Outcome, peer: Outcome) -> str:
    """Markdown for docs/conformance.md: counts, and by name what only lldb-server passes."""
    names = ("PASS", "XFAIL", "XPASS", "FAIL", "ERROR", "TIMEOUT", "UNSUPPORTED")
    files = len({test.partition(":")[0] for test in ours.results})
    lines = [
        f"{files} files of lldb 19.1.7's API tests (`scripts/peer_suites lldb`), the peer is lldb-server 19.1.7.",
        "",
        "| result | pydbgserver | lldb-server |",
        "| --- | --- | --- |",
    ]
    lines += [f"| {name} | {ours.count(name)} | {peer.count(name)} |" for name in names]
    ahead = behind(peer, ours)
    for title, found in (("Only lldb-server passes", behind(ours, peer)), ("Only pydbgserver passes", ahead)):
        lines += ["", f"{title}: {len(found) or 'none'}"]
        lines += ["", *map(_with_reason, found)] if found else []
    return "\n".join(lines) + "\n"


def _with_reason(test: str) -> str:
    name = test.partition(" (")[0]
    return f"- {name}: {REASONS[name]}" if name in REASONS else f"- {name}"


def selected(lldb: Path, words: Sequence[str]) -> list[Path]:
    """The files of slices, folders or single files below lldb/test/API; all slices without words."""
    api = lldb / "test/API"
    folders = [folder for word in words or SLICES for folder in SLICES.get(word, (word,))]
    found = [[api / one] if one.endswith(".py") else test_files(lldb, [one]) for one in folders]
    return [path for paths in found for path in paths]


def compare(words: Sequence[str], work: Path, jobs: int, extra: Sequence[str] = ()) -> tuple[Outcome, Outcome]:
    """Run the tests that `words` name (see `selected`) against this checkout, and against lldb-server those whose
    results are not kept from earlier; `extra` are more options for dotest. Gives all results kept: ours, the peer's."""
    work.mkdir(parents=True, exist_ok=True)
    lldb = fetch(work)
    client = prepare_client(work)
    servers = {"ours": our_server(work), "peer": LLVM / "bin/lldb-server"}
    for name, server in servers.items():
        results = work / name / "results.json"
        results.parent.mkdir(exist_ok=True)
        known = {test.partition(":")[0] for test in load(results).results} if name == "peer" else set()
        wanted = [file for file in selected(lldb, words) if file.stem not in known]
        told = run(lldb, client, server, work / name, wanted, jobs, extra, said=lambda text: print(text, flush=True))
        store(results, told)
    return load(work / "ours/results.json"), load(work / "peer/results.json")


def main(words: Sequence[str]) -> int:
    """Run the tests and print the comparison; 1 if the peer passes what this server does not."""
    parser = argparse.ArgumentParser(
        prog="peer_suites lldb", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, default=Path.home() / ".cache/pydbgserver-suites")
    parser.add_argument("--jobs", type=int, default=2, help="how many files of tests are run at a time")
    parser.add_argument(
        "--one-format",
        action="store_true",
        help="leave out the repetitions with debug info in files of their own (.dwo), which no server sees",
    )
    parser.add_argument("--page", action="store_true", help="write docs/conformance.md from all results in --work")
    parser.add_argument("tests", nargs="*", help=f"slices ({', '.join(SLICES)}), or paths below lldb/test/API")
    options = parser.parse_args(words)
    extra = ("--skip-category", "dwo") if options.one_format else ()
    ours, peer = compare(options.tests, options.work.resolve(), options.jobs, extra)
    text = report(ours, peer)
    print(text)
    if options.page:
        replace_section("lldb", text)
    return int(bool(behind(ours, peer)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
