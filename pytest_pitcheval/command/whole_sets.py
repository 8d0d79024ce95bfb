"""Metrics of the whole set in a comparison of two runs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from pytest_pitcheval.programs.aggregates.finding import Functions
from pytest_pitcheval.results.aggregates.changes import Change, Terms, group_under
from pytest_pitcheval.results.comparison import Comparison
from pytest_pitcheval.results.deciding.drops import describe_whole_set
from pytest_pitcheval.results.significance.families import Adjusted
from pytest_pitcheval.results.subjects import Subject
from pytest_pitcheval.settings.settings import Settings
from pytest_pitcheval.storage.references import LoadedBaseline


def lines(
    settings: Settings, folder: Path, compared: Comparison, before: LoadedBaseline, after: LoadedBaseline
) -> Iterator[str]:
    """``f1_macro: 0.875, now 0.5, p = 0.002, ...``: of each that the later run has; nothing where it is no run."""
    if after.run is None or after.run.outcome.aggregating is None:
        return
    aggregating = after.run.outcome.aggregating.finding(Functions(folder, settings.timeout))
    tests = after.run.outcome.tests()[Subject(compared.key)]
    then = group_under(before.measured, compared.test, compared.against)
    for name, one in after.run.aggregates.get(compared.key, {}).items():
        is_lower_better = name in settings.lower_is_better or tests[0].asked.is_lower_better(name)
        terms = Terms(-math.inf, is_lower_better, settings.allowed)  # a p-value, however far it fell
        change = aggregating.change(name, one.source, tests, then, compared.against, terms)
        yield f"{name}: {f'undefined: {one.undefined}' if one.undefined else _told(change)}"


def _told(change: Change) -> str:
    if change.refusal is not None:
        return change.refusal.text
    shown = change.drop > 0 and change.p is not None
    return describe_whole_set(change, Adjusted(change.p or 0.0, 1) if shown else None)
