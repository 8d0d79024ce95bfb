"""Runs and baselines that options name, read before any test runs: what is wrong with them is a usage error."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.names import NEED_BASELINE

if TYPE_CHECKING:
    from pytest_pitcheval.results.baselines import Baseline, Key
    from pytest_pitcheval.results.comparison import Scope
    from pytest_pitcheval.results.records import Record
    from pytest_pitcheval.settings.settings import Settings


MLFLOW = "mlflow:"
"""Before the ID of an MLflow run, or ``latest`` or ``latest@BRANCH``: the newest one whose gates passed."""


RUN = "run "
"""Before a run's ID in the name of a baseline."""


class LoadedBaseline(NamedTuple):
    """A baseline, how to name it to the user (a path, or a run's ID), and what it knows of its datasets.

    ``records`` are a run's, by node ID; a baseline file has scores only.
    """

    name: str
    measured: Baseline
    scopes: Mapping[Key, Scope]
    records: Mapping[str, Record] = MappingProxyType({})


def repeated_run(settings: Settings) -> Mapping[str, Any] | None:
    """``run`` of the run file that ``--eval-replay`` or ``--eval-resume`` names; None without either."""
    if settings.replay and settings.resume:
        raise pytest.UsageError("--eval-replay and --eval-resume: expected one of them")
    option, reference = ("--eval-replay", settings.replay) if settings.replay else ("--eval-resume", settings.resume)
    if reference is None:
        return None
    from pytest_pitcheval.storage import run_files
    from pytest_pitcheval.storage.merging import MERGED_FROM

    try:
        run = run_files.read(run_files.find(settings.directory, reference, unfinished=True)).run
        if parts := run.get(MERGED_FROM):
            raise PitchevalError(f"merged of other runs; expected one of {', '.join(map(str, parts))}")
    except PitchevalError as error:
        raise pytest.UsageError(f"{option}: {reference!r}: {error}") from None
    return run


def load_baseline(settings: Settings, folder: Path) -> LoadedBaseline | None:
    """The baseline to compare with, None where there is none and none is asked for.

    Where it is to be written, it is read all the same, so that a file that we would not understand is not
    overwritten.

    Raises:
        pytest.UsageError: one line: it is missing, corrupt, or of a newer schema.
    """
    asked = settings.baseline
    named_by = asked.named_by or "--eval-baseline"
    try:
        if asked.update:
            _check_updatable(asked.reference, asked.path)
        elif asked.named_by or os.path.exists(asked.path):
            return load(settings, folder, asked.reference, asked.path)
        elif needing := _needs_baseline(settings):
            named_by = f"--eval-{needing.replace('_', '-')}"
            raise PitchevalError("no such file; --eval-update-baseline writes it")
    except PitchevalError as error:
        raise pytest.UsageError(f"{named_by}: {asked.reference!r}: {error}") from None
    return None


def _needs_baseline(settings: Settings) -> str | None:
    return next((gate for gate in NEED_BASELINE if settings.limits[gate].made(None) is not None), None)


def load(settings: Settings, folder: Path, reference: str, path: Path) -> LoadedBaseline:
    """The baseline or run that ``reference`` names, a file's ``path`` if it is none of ``directory``'s runs.

    Raises:
        PitchevalError: one line: it is missing, corrupt, or of a newer schema.
    """
    from pytest_pitcheval import files
    from pytest_pitcheval.results import baselines
    from pytest_pitcheval.results.comparison import Scope
    from pytest_pitcheval.storage import run_files

    if reference.startswith(MLFLOW):
        document, path = files.parse_json(_fetch(settings, folder, reference), reference), Path(reference)
    else:
        path = _find(settings.directory, reference, path)
        document = files.read_json(path)
    if isinstance(document, dict) and "run" in document:
        run = run_files.from_document(document, path)
        measured = baselines.measure(run.outcome.records.values())
        return LoadedBaseline(f"{RUN}{run.run['id']}", measured, run.outcome.scopes(), run.outcome.records)
    measured = baselines.from_document(document, str(path))
    return LoadedBaseline(reference, measured, {key: Scope(group.examples) for key, group in measured.items()})


def _find(directory: Path, reference: str, path: Path) -> Path:
    from pytest_pitcheval.storage import run_files

    if reference == "last" or run_files.is_run_id(reference):
        return run_files.find(directory, reference)
    if not os.path.isfile(path):
        raise PitchevalError("no such file; expected a baseline, a run (file, ID or 'last') or 'mlflow:RUN_ID|latest'")
    return path


def _fetch(settings: Settings, folder: Path, reference: str) -> str:
    """The text of a run file that was logged to MLflow."""
    from pytest_pitcheval.tracking.tracker import LOGGING_SECONDS, Tracker

    if settings.mlflow.off:
        raise PitchevalError("--eval-mlflow is 'off': expected a tracker to ask")
    tracker = Tracker(settings.mlflow, settings.directory, folder)
    try:
        return tracker.fetch(reference.removeprefix(MLFLOW), settings.mlflow.timeout or LOGGING_SECONDS)
    finally:
        tracker.close()


def _check_updatable(reference: str, path: Path) -> None:
    from pytest_pitcheval.storage import baseline_files, run_files

    if reference == "last" or reference.startswith(MLFLOW) or run_files.is_run_id(reference):
        raise PitchevalError("--eval-update-baseline writes a file: expected a path")
    if os.path.exists(path):
        baseline_files.read(path)
