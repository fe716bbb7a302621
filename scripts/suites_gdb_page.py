"""What runs of gdb's test suite have found, as they are kept between runs, compared, and put on docs/conformance.md."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from textwrap import wrap

from suites_runs import WIDTH, Results, Stored, commits

OURS, PEER = "ours", "gdbserver"

REASONS = (
    (r"^gdb\.server/no-thread-db\.exp: print foo", "thread-local variables are found without libthread_db, too"),
    (
        r"^gdb\.threads/attach-into-signal\.exp: nonthreaded: attach",
        "an attach stops the program before it takes a signal that is pending, which is told of by the next resume",
    ),
    (
        r"^gdb\.threads/clone-new-thread-event\.exp: ",
        "clone(2) without CLONE_VM makes a process, as fork(2) does; gdbserver takes it for a thread of its parent",
    ),
    (
        r"^gdb\.threads/pthreads\.exp: after startup: stopped before calling common_routine \d+ times \(",
        "passed under another name: it has a number in it that differs from run to run",
    ),
    (
        r"^gdb\.threads/process-exit-status-is-leader-exit-status\.exp: ",
        "a matter of luck: newer kernels tell the status of the thread that ends last (gdbserver fails most of these)",
    ),
)
"""What is known about tests that only the peer passes: by a pattern of their names."""


def missing(ours: Mapping[str, str], peer: Mapping[str, str]) -> list[str]:
    """The tests that only the peer passes."""
    return [name for name, result in peer.items() if result == "PASS" and ours.get(name) != "PASS"]


def reason(name: str) -> str:
    """Why this test is not passed; "" if nothing is known."""
    return next((words for pattern, words in REASONS if re.search(pattern, name)), "")


def together(stored: Stored, files: Iterable[str]) -> tuple[Results, Results]:
    """Ours and the peer's results of those of the files that both have run."""
    ours, peer = stored.get(OURS, {}), stored.get(PEER, {})
    both = [file for file in files if file in ours and file in peer]
    return tuple({name: one for file in both for name, one in side[file].results.items()} for side in (ours, peer))  # type: ignore[return-value]


def section(boards: Mapping[str, Stored], parts: Mapping[str, Sequence[str]], note: str = "") -> str:
    """The page's text: which commits, for each board a table of the parts, then each missing test with its reason.

    Args:
        boards: their results.
        parts: the files of each part that the tables have a line for.
        note: how the run was made, in words.
    """
    lines = ["gdb 13.1's test suite (`scripts/peer_suites gdb`), the peer is gdbserver 13.1.", ""]
    for paragraph in (*commits(boards, OURS), note):
        lines += [*wrap(paragraph, WIDTH, break_on_hyphens=False), ""] if paragraph else []
    for board, stored in boards.items():
        if not stored.get(PEER):
            continue
        lines += [f"### Board {board}", "", "| part | files | gdbserver passes | this server passes | missing | % |"]
        lines += ["| --- | ---: | ---: | ---: | ---: | ---: |"]
        lists: list[str] = []
        for part, files in parts.items():
            ours, peer = together(stored, files)
            if not peer:
                continue
            lost = missing(ours, peer)
            lines.append(_line(part, files, stored, ours, peer))
            lists += [f"{part}: what only gdbserver passes:\n", *_grouped(lost), ""]
        lines += ["", *lists]
    return "\n".join(lines)


def _line(part: str, files: Sequence[str], stored: Stored, ours: Results, peer: Results) -> str:
    run_by_both = sum(file in stored[OURS] and file in stored[PEER] for file in files)
    lost = len(missing(ours, peer))
    passed = [Counter(one.values())["PASS"] for one in (peer, ours)]
    share = 100 * (1 - lost / passed[0]) if passed[0] else 100
    return f"| {part} | {run_by_both} of {len(files)} | {passed[0]} | {passed[1]} | {lost} | {share:.3f} |"


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
