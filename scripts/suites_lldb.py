"""lldb's own API tests, run against this server and against lldb-server, compared test by test.

Needs Debian's packages lldb-19, python3-lldb-19, clang-19, python3-psutil, python3-pexpect, python3-packaging, make
and g++. The tests come from the source package llvm-toolchain-19, which is fetched into the work folder with apt's own
keys.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from suites_lldb_page import OURS, PEER, SUITE, missing, section, together
from suites_page import replace_section
from suites_runs import Results, Stored, another_run, commit, load, our_command, store

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

LINE = re.compile(r"^(PASS|FAIL|XFAIL|XPASS|UNSUPPORTED|ERROR|TIMEOUT): LLDB \(.*?\) :: (\S+ \(.*?\))", re.MULTILINE)


def fetch(work: Path) -> Path:
    """The unpacked folder ``lldb`` of the source package, fetched if it is not there."""
    found = next(iter(work.glob(f"{SOURCE_PACKAGE}*/lldb/test/API")), None)
    if found is None:
        _download(work)
        archive = next(work.glob(f"{SOURCE_PACKAGE}*.orig.tar.xz"))
        folders = [f"*/lldb/{one}" for one in ("test", "packages", "use_lldb_suite_root.py")]
        _run(["tar", "xJf", str(archive), "-C", str(work), "--wildcards", *folders])
        found = next(work.glob(f"{SOURCE_PACKAGE}*/lldb/test/API"))
    return found.parent.parent


def patch(lldb: Path) -> Path:
    """Let the tests of servers find the server by an environment variable."""
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
    command += ["--build-dir", str(build), "-v", *extra, "-p", f"^{file.name}$", str(file.parent)]
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


def tests_of(said: str) -> Results:
    """What became of each test, from what dotest has said."""
    return {name: result for result, name in LINE.findall(said)}


def selected(lldb: Path, words: Sequence[str]) -> list[str]:
    """The files of slices, folders or single files below lldb/test/API; all slices without words."""
    api = lldb / "test/API"
    folders = [folder for word in words or SLICES for folder in SLICES.get(word, (word,))]
    found = [[api / one] if one.endswith(".py") else test_files(lldb, [one]) for one in folders]
    return list(dict.fromkeys(str(path.relative_to(api)) for paths in found for path in paths))


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """The options."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="peer_suites lldb", description=__doc__, formatter_class=form)
    parser.add_argument("--work", type=Path, default=Path.home() / ".cache/pydbgserver-suites")
    parser.add_argument("--sources", type=Path, help="the unpacked source package; without it, it is fetched to --work")
    parser.add_argument("--jobs", type=int, default=2, help="how many files of tests are run at a time")
    parser.add_argument(
        "--one-format",
        action="store_true",
        help="leave out the repetitions with debug info in files of their own (.dwo), which no server sees",
    )
    parser.add_argument("--server", choices=(OURS, PEER), action="append", help="only this one")
    parser.add_argument("--go-on", action="store_true", help="leave out the files whose results --work has")
    parser.add_argument("--page", action="store_true", help="write docs/conformance.md from all results in --work")
    parser.add_argument("--note", default="", help="for the page: how the run was made")
    parser.add_argument("tests", nargs="*", help=f"slices ({', '.join(SLICES)}), or paths below lldb/test/API")
    return parser.parse_args(words)


def run_server(options: argparse.Namespace, lldb: Path, work: Path, server: str) -> None:
    """Run what the options ask for against one server, some files at a time, and keep the results of each."""
    state, client = commit(), prepare_client(work)
    command = our_command(work) if server == OURS else LLVM / "bin/lldb-server"
    place, extra = work / server, ("--skip-category", "dwo") if options.one_format else ()
    kept = load(work, SUITE, server)
    logs = place / "logs"
    logs.mkdir(parents=True, exist_ok=True)

    def one(file: str) -> tuple[str, str]:
        name = file.removesuffix(".py").replace("/", ".")
        said = run_file(lldb, client, command, place / "build" / name, lldb / "test/API" / file, extra)
        (logs / f"{name}.log").write_text(said)
        shutil.rmtree(place / "build" / name, ignore_errors=True)
        return file, said

    with ThreadPoolExecutor(options.jobs) as pool:
        wanted = [file for file in selected(lldb, options.tests) if not options.go_on or file not in kept]
        for done in as_completed(pool.submit(one, file) for file in wanted):
            file, said = done.result()
            found = tests_of(said)
            kept[file] = another_run(kept.get(file), state, found)
            store(work, SUITE, server, kept)
            print(f"{server}: {file}: {dict(Counter(found.values())) or 'nothing was run'}", flush=True)


def main(words: Sequence[str]) -> int:
    """Run the tests and print the comparison; 1 if the peer passes what this server does not."""
    options = arguments(words)
    work: Path = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    lldb = patch(options.sources.resolve() / "lldb" if options.sources else fetch(work))
    for server in options.server or (PEER, OURS):
        run_server(options, lldb, work, server)
    stored: Stored = {server: load(work, SUITE, server) for server in (OURS, PEER)}
    slices = {name: selected(lldb, [name]) for name in SLICES}
    text = section(stored, slices, options.note)
    print(text)
    if options.page:
        replace_section("lldb", text)
    return int(bool(missing(*together(stored, selected(lldb, options.tests)))))
