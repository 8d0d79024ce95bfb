"""The fenced blocks of a page, in order: files to write, commands to run, what they print."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"# ([\w./-]+\.\w+)\n")
_BEFORE = re.compile(r"`([\w./-]+\.\w+)`:\n\n?\Z")


@dataclasses.dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        language: what stands after the fence.
        file: the file that it is, named by a comment in its first line or by the line before it; None for others.
        place: page and line, to be named where it fails.
    """

    language: str
    text: str
    file: str | None
    place: str

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()


def blocks(page: Path) -> list[Block]:
    """The blocks of ``page`` in their order."""
    return list(_blocks(page.read_text(encoding="utf-8"), page.name))


def _blocks(text: str, name: str) -> Iterator[Block]:
    for found in _FENCE.finditer(text):
        language, content = found.groups()
        file = _FILE.match(content) or _BEFORE.search(text, 0, found.start())
        line = text.count("\n", 0, found.start()) + 1
        yield Block(language, content, file[1] if file else None, f"{name}:{line}")
