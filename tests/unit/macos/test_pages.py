"""What is said about macOS where people read it, and what messages point to, is there."""

from __future__ import annotations

import plistlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pydbgserver.backends.macos import denial, start
from pydbgserver.cli.words import HELP

ROOT = Path(__file__).parents[3]
NOT_YET = "not yet run on a mac"
SUPPORT = [ROOT / "README.md", ROOT / "docs" / "macos.md"]


@pytest.mark.parametrize("page", SUPPORT, ids=lambda page: page.name)
def test_pages_about_support_say_what_was_not_done(page: Path) -> None:
    assert NOT_YET in page.read_text().lower()


def test_the_help_and_the_server_on_a_mac_say_it_too() -> None:
    assert NOT_YET in HELP.lower()
    assert "not yet been run on a Mac" in start.NOTICE


def test_files_that_refusals_point_to() -> None:
    words = " ".join(text for _, text in denial.GATES)
    paths = set(re.findall(r"scripts/macos/[\w.-]+", words))
    assert paths == {"scripts/macos/sign_python", "scripts/macos/get-task-allow.plist"}
    assert all((ROOT / path).exists() for path in paths)


@pytest.mark.parametrize(("name", "key"), [("debugger", denial.DEBUGGER), ("get-task-allow", denial.GET_TASK_ALLOW)])
def test_entitlements(name: str, key: str) -> None:
    path = ROOT / "scripts" / "macos" / f"{name}.plist"
    assert plistlib.loads(path.read_bytes()) == {key: True}


@pytest.mark.skipif(sys.platform == "darwin", reason="it would sign this Python")
def test_signing_is_for_macs_only() -> None:
    run = subprocess.run([ROOT / "scripts" / "macos" / "sign_python"], capture_output=True, text=True, timeout=30)
    assert (run.returncode, run.stderr) == (1, "sign_python: this is no Mac\n")


def test_the_checklist_is_in_order() -> None:
    text = (ROOT / "docs" / "macos.md").read_text()
    numbers = [int(found) for found in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) > 20
