"""What runs of lldb's API tests have found, compared and put on docs/conformance.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from textwrap import wrap

from suites_runs import WIDTH, Results, Stored, commits

OURS, PEER = "ours", "lldb-server"
SUITE = "lldb"
"""Under which the results are kept."""

PASSED = frozenset({"PASS", "XFAIL", "XPASS"})
"""The test did what it should: failed where lldb's makers expect it to, or passed there all the same."""
FAILED = frozenset({"FAIL", "ERROR", "TIMEOUT"})

_HARDWARE = "skipped: it is about servers without hardware breakpoints on this CPU"
REASONS = {
    **{f"TestRequireHWBreakpoints: test_step_{how}": _HARDWARE for how in ("out", "over", "range", "until")},
    "TestDAP_console: test_exit_status_message_sigterm": "the test looks for a process that is called lldb-server",
}
"""Why only the peer passes a test."""


def together(stored: Stored, files: Iterable[str]) -> tuple[Results, Results]:
    """Ours and the peer's results of those of the files that both have run."""
    both = [file for file in files if file in stored[OURS] and file in stored[PEER]]
    return _by_name(stored, OURS, both), _by_name(stored, PEER, both)


def _by_name(stored: Stored, server: str, files: Iterable[str]) -> Results:
    """By the name of the file without its folders, and that of the test."""
    named = ((file.rpartition("/")[2].removesuffix(".py"), stored[server][file].results) for file in files)
    return {f"{stem}: {test}": result for stem, results in named for test, result in results.items()}


def missing(ours: Results, peer: Results) -> list[str]:
    """The tests that only the peer passes."""
    return sorted(name for name, result in peer.items() if result in PASSED and ours.get(name) not in PASSED)


def newly_failing(ours: Results, peer: Results) -> list[str]:
    """The tests that the peer leaves out, and that fail with this server."""
    return sorted(name for name, result in ours.items() if result in FAILED and peer.get(name) == "UNSUPPORTED")


def section(stored: Stored, slices: Mapping[str, Sequence[str]], note: str = "") -> str:
    """The page's text: which commits, a table of the slices, then by name what differs, with its reason.

    Args:
        stored: the results.
        slices: the files of each slice that the table has a line for.
        note: how the run was made, in words.
    """
    lines = ["lldb 19.1.7's API tests (`scripts/peer_suites lldb`), the peer is lldb-server 19.1.7.", ""]
    for paragraph in (*commits({SUITE: stored}, OURS), note):
        lines += [*wrap(paragraph, WIDTH, break_on_hyphens=False), ""] if paragraph else []
    lines.append(
        "| part | files | lldb-server passes | this server passes | missing | left out by lldb-server, failing here |"
    )
    lines.append("| --- | ---: | ---: | ---: | ---: | ---: |")
    lines += [_line(name, files, stored) for name, files in slices.items()]
    ours, peer = together(stored, dict.fromkeys(file for files in slices.values() for file in files))
    for title, found in (
        ("Only lldb-server passes", missing(ours, peer)),
        ("Left out by lldb-server and failing here", newly_failing(ours, peer)),
        ("Only this server passes", missing(peer, ours)),
    ):
        lines += ["", f"{title}: {len(found) or 'none'}"]
        lines += ["", *map(_with_reason, found)] if found else []
    return "\n".join(lines) + "\n"


def _line(name: str, files: Sequence[str], stored: Stored) -> str:
    ours, peer = together(stored, files)
    run_by_both = sum(file in stored[OURS] and file in stored[PEER] for file in files)
    passed = [sum(Counter(one.values())[result] for result in PASSED) for one in (peer, ours)]
    lost, new = len(missing(ours, peer)), len(newly_failing(ours, peer))
    return f"| {name} | {run_by_both} of {len(files)} | {passed[0]} | {passed[1]} | {lost} | {new} |"


def _with_reason(test: str) -> str:
    name = test.partition(" (")[0]
    return f"- {name}: {REASONS.get(name, 'not looked into yet')}"
