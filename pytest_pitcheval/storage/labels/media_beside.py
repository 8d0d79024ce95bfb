"""Pictures and sounds of answers, in a folder beside the file of labels, whose rows name them by their path."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from pytest_pitcheval.storage.media import file_name, is_medium

FOLDER = "media"


class MediaBeside:
    """Those of a run, kept in ``kept``, on their way to the file of labels ``path``."""

    def __init__(self, path: Path, kept: Path) -> None:
        self._folder = path.parent / FOLDER
        self.kept = kept

    def replaced(self, value: Any) -> Any:
        """``value``, plain, with the path of its copy in place of each medium whose bytes are known."""
        if is_medium(value):
            return self._path(file_name(value)) or value
        if isinstance(value, dict):
            return {name: self.replaced(part) for name, part in value.items()}
        return [self.replaced(part) for part in value] if isinstance(value, list) else value

    def _path(self, name: str) -> str | None:
        source, copy = self.kept / name, self._folder / name
        if not copy.exists():
            if not source.is_file():
                return None
            self._folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
        return f"{FOLDER}/{name}"
