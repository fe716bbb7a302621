"""docs/conformance.md: one section for each suite, replaced as a whole when its suite has run."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "conformance.md"
HEAD = """# How this server does in the debuggers' own tests

Made by `scripts/peer_suites`; not to be edited. "Passed" counts tests by name; "missing" are those that the peer
passes and this server does not, each with its reason.
"""


def replace_section(title: str, text: str, page: Path = PAGE) -> None:
    """Put `text` under the heading `title`, in place of what is there."""
    old = page.read_text(encoding="utf-8") if page.exists() else HEAD
    sections = dict(re.findall(r"^## (.+)\n((?:(?!## ).*\n?)*)", old, re.MULTILINE))
    sections[title] = f"\n{text.strip()}\n\n"
    body = "".join(f"\n## {name}\n{content}".rstrip() + "\n" for name, content in sorted(sections.items()))
    page.write_text(HEAD + body, encoding="utf-8")
