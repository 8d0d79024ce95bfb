"""Pictures and sounds of answers, in a folder beside the file of labels, whose rows name them by their path."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_pitcheval.results.media import FOLDER, file_name, replaced
from pytest_pitcheval.storage.media import Find


class MediaBeside:
    """Those of a run, which ``find`` finds, on their way to the file of labels ``path``."""

    def __init__(self, path: Path, find: Find) -> None:
        self._folder = path.parent / FOLDER
        self.find = find

    def replaced(self, value: Any) -> Any:
        """``value``, plain, with the path of its copy in place of each medium whose bytes are known."""
        return replaced(value, lambda medium: self._path(medium) or medium)

    def _path(self, medium: Mapping[str, Any]) -> str | None:
        name = file_name(medium)
        copy = self._folder / name
        if not copy.exists():
            if (source := self.find(medium)) is None:
                return None
            self._folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
        return f"{FOLDER}/{name}"
