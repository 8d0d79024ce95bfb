"""Markers and options into parameters: a test for each example and method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from pytest_pitcheval.errors import MarkerError
from pytest_pitcheval.examples import load_rows, sample
from pytest_pitcheval.markers import choose_optimizations, parse_evaluation, parse_optimization
from pytest_pitcheval.methods import Optimization
from pytest_pitcheval.options import Settings


def parametrize(metafunc: pytest.Metafunc, settings: Settings) -> None:
    """Give the test a parameter for each method, if there are several, and for each example.

    A wrong marker or dataset becomes one test that fails with the reason: an exception here would end the
    collection of everything.
    """
    _parametrize_methods(metafunc, settings)
    mark = metafunc.definition.get_closest_marker("evaluation")
    if mark is None or "example" not in metafunc.fixturenames:
        return
    try:
        rows: Sequence[Any] = _rows(metafunc, mark, settings)
        ids = [row.id for row in rows]
    except MarkerError as error:
        rows, ids = [error], ["wrong-marker"]
    metafunc.parametrize("example", rows, ids=ids, indirect=True)


def _rows(metafunc: pytest.Metafunc, mark: pytest.Mark, settings: Settings) -> Sequence[Any]:
    evaluation = parse_evaluation(mark)
    rows = load_rows(evaluation.dataset, evaluation.inputs, metafunc.definition.path.parent)
    return sample(rows[: evaluation.limit], settings.test_size, settings.seed)


def _parametrize_methods(metafunc: pytest.Metafunc, settings: Settings) -> None:
    """One method alone is no parameter: the test keeps its ID whichever that is, so that runs can be compared."""
    if "optimization" not in metafunc.fixturenames:
        return
    try:
        chosen: Sequence[Any] = optimizations_of(metafunc.definition, settings)
        ids = [str(one) for one in chosen]
    except MarkerError as error:
        chosen, ids = [error], ["wrong-marker"]
    if len(chosen) > 1 or ids == ["wrong-marker"]:
        metafunc.parametrize("optimization", chosen, ids=ids, indirect=True)


def optimizations_of(node: pytest.Item, settings: Settings) -> list[Optimization]:
    """The methods that a test runs with, at least one; a MarkerError for a wrong ``optimization`` marker."""
    marks = reversed(list(node.iter_markers("optimization")))  # as they stand in the file
    marked = [parse_optimization(mark) for mark in marks]
    return choose_optimizations(marked, settings.methods.command_line, settings.methods.ini)


def optimization_of(item: pytest.Item, settings: Settings) -> Optimization:
    """The one method of a collected test; `Optimization()` where its markers are wrong, as the test itself tells."""
    chosen = getattr(getattr(item, "callspec", None), "params", {}).get("optimization")
    if isinstance(chosen, Optimization):
        return chosen
    if isinstance(chosen, MarkerError) or "optimization" not in getattr(item, "fixturenames", ()):
        return Optimization()
    return optimizations_of(item, settings)[0]
