"""The page made from protocol-specs/ is up to date."""

from __future__ import annotations

import subprocess
import sys

from tests.specs.specs import ROOT


def test_the_table_of_packets_is_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "packet_table"), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
