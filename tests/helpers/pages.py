"""The README and the pages under ``examples/``, and the blocks of code that they show.

The second word after a fence says how its block is tested: none, by ``tests/examples/test_pages.py``; ``servers``, by
a test with that mark; ``shown``, not at all, for the reason in the comment above it.

The blocks of a page run in their order, in one folder and with the names of those before. A first line ``# name.py`` or
``; name.ini`` names the file of a block. In ``console``, what stands below a command is what it prints, with any text
for ``…``; ID, SECRET, SECRET_ID, TOKEN and KEY are what an earlier command printed, and a word that begins with
``examples/`` is a file of the repository.
"""

from __future__ import annotations

import re
import runpy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGES = [
    "README.md",
    "tests/benchmarks/README.md",
    *sorted(str(each.relative_to(ROOT)) for each in (ROOT / "examples").rglob("README.md")),
]
_FENCE = re.compile(
    r"(?:<!-- (?P<reason>.*?) -->\n+)?^```(?P<words>[^\n`]*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True)
class Fence:
    """A block of code of a page; ``line`` is that of its first line, ``reason`` the comment above it."""

    page: str
    line: int
    language: str
    how: str
    reason: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def fences(page: str, language: str = "", begin: str = "") -> list[Fence]:
    """The blocks of a page, or those of one language that begin so."""
    text = read(page)
    found = []
    for each in _FENCE.finditer(text):
        kind, _, how = each["words"].partition(" ")
        line = text.count("\n", 0, each.start("text")) + 1
        found.append(Fence(page, line, kind, how, each["reason"] or "", each["text"]))
    return [each for each in found if language in ("", each.language) and each.text.startswith(begin)]


def fence(page: str, language: str, begin: str = "") -> str:
    """The text of the one block that begins so."""
    (found,) = fences(page, language, begin)
    return found.text


def program(path: str) -> dict[str, Any]:
    """The names of a program that stands beside a page, imported and not run."""
    return runpy.run_path(str(ROOT / path), run_name="program")
