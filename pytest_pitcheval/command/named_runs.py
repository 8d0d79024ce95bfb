"""What the commands share: the runs and tests that are named, and what is printed of them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.reports.terminal import Line
from pytest_pitcheval.results.collected import Collected
from pytest_pitcheval.settings.settings import Settings
from pytest_pitcheval.storage import references, run_files
from pytest_pitcheval.storage.answers.replaying import read_run
from pytest_pitcheval.storage.run_files import RunFile
from pytest_pitcheval.tracking import tracker

Printed = tuple[Sequence[Line], bool]
"""What to print, and whether the run is a good one."""


def find(settings: Settings, reference: str) -> RunFile:
    """The run that ``reference`` names, finished or not; a PitchevalError of one line if there is none."""
    try:
        return read_run(run_files.find(settings.directory, reference, unfinished=True))
    except PitchevalError as error:
        raise PitchevalError(f"{reference!r}: {error}") from None


def find_finished(settings: Settings, reference: str) -> RunFile:
    """The same; a PitchevalError of one line if it was killed."""
    run = find(settings, reference)
    if not run.finished:
        raise PitchevalError(f"{reference!r} has not finished: --eval-resume={run.run.id} continues it")
    return run


def matching(run: RunFile, test: str) -> list[Collected]:
    """The tests of a run with ``test`` in their node ID; a PitchevalError of one line if there is none."""
    names = (test, test.encode("unicode_escape").decode("ascii"))  # as pytest writes the IDs of rows
    found = [collected for collected in run.outcome.collected if any(name in collected.nodeid for name in names)]
    if not found:
        raise PitchevalError(f"{test!r}: expected part of the node ID of a test in {run.path}")
    return found


def fetch_from(settings: Settings, folder: Path) -> references.Fetch:
    """How to get the run files that MLflow has; ``folder`` is the root directory."""
    return functools.partial(tracker.fetch, settings.mlflow, settings.directory, folder)
