"""Markers and options into parameters: a test for each example and method."""

from __future__ import annotations

import pytest

from pytest_pitcheval.collection.exams import NAME as EXAM
from pytest_pitcheval.collection.exams import exam_rows, parse_exam
from pytest_pitcheval.collection.markers import choose_optimizations, parse_evaluation, parse_optimization
from pytest_pitcheval.collection.requirements import check_labels, check_types
from pytest_pitcheval.collection.rows import Row, load_rows, sample
from pytest_pitcheval.errors import MarkerError
from pytest_pitcheval.ownership import fixture_names, params_of
from pytest_pitcheval.results.plain import plain
from pytest_pitcheval.settings.methods import Optimization
from pytest_pitcheval.settings.settings import Settings


def parametrize(metafunc: pytest.Metafunc, settings: Settings) -> list[str]:
    """Give the test a parameter for each method, if there are several, and for each example.

    Returns the IDs of all examples of the dataset, those that sampling leaves out too; empty without one.

    A wrong marker or dataset becomes one test that fails with the reason: an exception here would end the
    collection of everything.
    """
    asked = metafunc.fixturenames
    try:
        methods = optimizations_of(metafunc.definition, settings) if "optimization" in asked else []
        rows = _rows(metafunc, settings) if "example" in asked else []
    except MarkerError as error:
        name = "example" if "example" in asked else "optimization"
        metafunc.parametrize(name, [error], ids=["wrong-marker"], indirect=True)
        return []
    if len(methods) > 1:  # one alone is no parameter: the test keeps its ID whichever that is, so runs compare
        metafunc.parametrize("optimization", methods, ids=[str(method) for method in methods], indirect=True)
    if rows:
        chosen = sample(rows, settings.test_size, settings.seed)
        metafunc.parametrize("example", chosen, ids=[row.id for row in chosen], indirect=True)
    return [plain(row.id) for row in rows]


def _rows(metafunc: pytest.Metafunc, settings: Settings) -> list[Row]:
    marked = list(metafunc.definition.iter_markers_with_node("evaluation"))  # the closest first
    exams = list(metafunc.definition.iter_markers(EXAM))
    if exams and "verdict" in metafunc.fixturenames:
        return exam_rows(parse_exam(exams[0]), metafunc.definition.path.parent, settings.labels_by_models)
    if not marked:
        return []
    if [node for node, _ in marked].count(marked[0][0]) > 1:
        raise MarkerError("evaluation marker: there are two on one test; expected one, or a test for each dataset")
    evaluation = parse_evaluation(marked[0][1])
    rows = load_rows(evaluation.dataset, evaluation.inputs, metafunc.definition.path.parent)
    check_labels(evaluation.asked, rows, evaluation.dataset_name)
    check_types(evaluation.types, rows, evaluation.dataset_name)
    return rows[: evaluation.limit]


def optimizations_of(node: pytest.Item, settings: Settings) -> list[Optimization]:
    """The methods that a test runs with, at least one; a MarkerError for a wrong ``optimization`` marker."""
    marks = reversed(list(node.iter_markers("optimization")))  # as they stand in the file
    marked = [parse_optimization(mark) for mark in marks]
    return choose_optimizations(marked, settings.methods)


def optimization_of(item: pytest.Item, settings: Settings) -> Optimization:
    """The one method of a collected test; `Optimization()` where its markers are wrong, as the test itself tells."""
    chosen = params_of(item).get("optimization")
    if isinstance(chosen, Optimization):
        return chosen
    if "optimization" not in fixture_names(item):
        return Optimization()
    try:
        return optimizations_of(item, settings)[0]
    except MarkerError:
        return Optimization()
