"""What a program imports."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_SCRIPT = """
import sys
before = set(sys.modules)
{code}
print(*(name for name in {names} if name in sys.modules and name not in before))
"""


def imported(code: str, names: Sequence[str]) -> str:
    """Those of the modules `names` that `code` imports, with spaces between them. What every program of this
    environment imports (the finder of an editable installation: pathlib) is not among them."""
    found = subprocess.run(
        [sys.executable, "-c", _SCRIPT.format(code=code, names=names)],
        capture_output=True,
        text=True,
        timeout=20,
        cwd=Path(__file__).parents[1],
    )
    assert not found.returncode, found.stderr
    return found.stdout.strip()
