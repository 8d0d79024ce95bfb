"""Files of a new suite in a folder of the user's: all of them or none, and no other configuration of pytest there."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from pytest_pitcheval import files
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.reports.terminal import Line

IGNORED = "mlflow.db\nmlruns/\n"
"""What stands in a suite's ``.gitignore``: MLflow writes these where nothing else is configured."""

_CONFIGURES_PYTEST = {
    "pytest.toml": "",
    ".pytest.toml": "",
    ".pytest.ini": "",
    "pyproject.toml": "[tool.pytest",
    "tox.ini": "[pytest]",
    "setup.cfg": "[tool:pytest]",
}
"""What a pytest.ini would put out of use: files of its folder, and what stands in them then."""


_MANY = 3
"""Files of one folder that are named; more are counted."""


def write_files(texts: Mapping[str, str], path: Path, folder: str) -> list[Line]:
    """Write ``texts``, by name, into ``path``, which the user calls ``folder``; what to print of it.

    Raises:
        PitchevalError: one of them is there already, or a file that configures pytest; then nothing was written.
    """
    _check_free(texts, path, folder)
    try:
        for name, text in texts.items():
            files.write_atomically(path / name, text)
    except OSError as error:
        raise PitchevalError(f"--folder: {folder!r}: {error.strerror}; expected a folder to write to") from None
    return [(f"wrote {os.path.relpath(path / name)}", False) for name in _shown(texts)]


def _shown(names: Iterable[str]) -> list[str]:
    """The files by name; of a folder with many of them how many they are."""
    tops = {name: name.partition("/")[0] for name in names}
    count = Counter(tops.values())
    many = {top: f"{top}: {number} files" for top, number in count.items() if number > _MANY}
    return [*dict.fromkeys(many.get(top, name) for name, top in tops.items())]


def next_line(path: Path) -> Line:
    """How to go on once a suite is in ``path``."""
    shown = os.path.relpath(path)
    return "next: pytest" if shown == os.curdir else f"next: cd {shown} && pytest", False


def _check_free(texts: Mapping[str, str], path: Path, folder: str) -> None:
    if taken := [name for name in texts if os.path.lexists(path / name)]:
        raise PitchevalError(f"--folder: {folder!r} has {', '.join(taken)}: expected a folder without; nothing written")
    for name, section in _CONFIGURES_PYTEST.items():
        if (path / name).is_file() and section in files.read_text(path / name):
            raise PitchevalError(
                f"--folder: {folder!r} has {name}, which configures pytest: expected a folder without; nothing written"
            )
