"""``pitcheval init --like``: a project that starts as a copy of one of the example suites."""

from __future__ import annotations

from pathlib import Path

import pytest_pitcheval
from pytest_pitcheval import files
from pytest_pitcheval.command.first_suite.folders import IGNORED, next_line, write_files
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.reports.terminal import Line
from pytest_pitcheval.settings.settings import Settings

CONFIGURATION = "pytest.ini"
MODEL = "generator_model = local\n"
"""The line of every suite's `CONFIGURATION` that names its model."""

_FOLDER = "example_suite"
_LEFT_BY_RUNS = frozenset({"__pycache__", "mlflow.db", "mlruns"})


def folder() -> Path:
    """Where the suites are: in the package that a wheel has installed, beside the package in a clone."""
    package = Path(pytest_pitcheval.__file__).parent
    return next((path for path in (package / _FOLDER, package.parent / _FOLDER) if path.is_dir()), package / _FOLDER)


def names() -> list[str]:
    """The suites that there are, each the name of its folder."""
    return sorted(path.parent.name for path in folder().glob(f"*/{CONFIGURATION}"))


def suite_files(name: str) -> dict[str, str]:
    """The texts of a suite's files, by path in its folder."""
    suite = folder() / name
    paths = sorted(path.relative_to(suite) for path in suite.rglob("*") if path.is_file())
    mine = [path for path in paths if not any(_is_left_by_runs(part) for part in path.parts)]
    return {path.as_posix(): files.read_text(suite / path) for path in mine}


def _is_left_by_runs(part: str) -> bool:
    return part.startswith(".") or part in _LEFT_BY_RUNS


def start_like(settings: Settings, start: Path, name: str, target: str) -> tuple[list[Line], bool]:
    """Copy the suite ``name`` into the folder ``target`` below ``start``, with the model that is asked for.

    Raises:
        PitchevalError: there is no such suite, or a file is there already; then nothing was written.
    """
    if name not in (known := names()):
        raise PitchevalError(f"--like: {name!r}: expected {', '.join(known[:-1])} or {known[-1]}")
    texts = {".gitignore": IGNORED, **suite_files(name)}
    if settings.generator.model:
        texts[CONFIGURATION] = texts[CONFIGURATION].replace(MODEL, f"generator_model = {settings.generator.model}\n")
    path = start / target
    return [*write_files(texts, path, target), next_line(path)], True
