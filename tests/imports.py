"""What a program imports."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def imported(code: str, names: Sequence[str]) -> str:
    """Those of the modules `names` that `code` imports, with spaces between them."""
    found = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(*(name for name in {names} if name in sys.modules))"],
        capture_output=True,
        text=True,
        timeout=20,
        cwd=Path(__file__).parents[1],
    )
    assert not found.returncode, found.stderr
    return found.stdout.strip()
