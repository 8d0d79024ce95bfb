"""The files that ``eval_sources`` lists: what programs and metrics read, and no import leads to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from pytest_pitcheval.settings.source_files import SourceFiles


def content_of(listed: SourceFiles, note: Callable[[str], object]) -> dict[str, str]:
    """The SHA-256 of each, by its path below the root; ``note`` is told of what lists nothing."""
    found: dict[str, str] = {}
    for pattern in listed.patterns:
        paths = dict(_files(listed.root, pattern))
        if not paths:
            note(f"ini key eval_sources: {pattern!r}: no such file in {listed.root}")
        found |= {name: _digest(path) for name, path in paths.items() if name not in found}
    return found


def _files(root: Path, pattern: str) -> Iterator[tuple[str, Path]]:
    for path in root.glob(pattern):
        if path.is_file():
            yield path.relative_to(root).as_posix(), path


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()
