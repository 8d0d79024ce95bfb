"""Markers and options into parameters: a test for each example and method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from pytest_pitcheval.collection.exams import NAME as EXAM
from pytest_pitcheval.collection.exams import exam_rows, parse_exam
from pytest_pitcheval.collection.markers import choose_optimizations, parse_evaluation, parse_optimization
from pytest_pitcheval.collection.requirements import check_labels, check_types
from pytest_pitcheval.collection.rows import Row, load_rows, sample
from pytest_pitcheval.errors import MarkerError
from pytest_pitcheval.ownership import fixture_names, has_own_params, params_of, passes_on
from pytest_pitcheval.settings.methods import Optimization
from pytest_pitcheval.settings.models import Model
from pytest_pitcheval.settings.settings import Settings


def parametrize(metafunc: pytest.Metafunc, settings: Settings) -> list[Row]:
    """Give the test a parameter for each model and method, if there are several, and for each example.

    Returns all rows of the dataset, those that sampling leaves out too; empty without one.

    A wrong marker or dataset becomes one test that fails with the reason: an exception here would end the
    collection of everything.
    """
    asked = metafunc.fixturenames
    try:
        models = models_for(metafunc.definition, settings)
        methods = optimizations_of(metafunc.definition, settings) if "optimization" in asked else []
        rows = _rows(metafunc, settings) if "example" in asked else []
    except MarkerError as error:
        name = next(name for name in ("example", "optimization", *settings.model_params) if name in asked)
        metafunc.parametrize(name, [error], ids=["wrong-marker"], indirect=True)
        return []
    _with_models(metafunc, models)
    if len(methods) > 1:  # one alone is no parameter: the test keeps its ID whichever that is, so runs compare
        metafunc.parametrize("optimization", methods, ids=[str(method) for method in methods], indirect=True)
    if rows:
        chosen = sample(rows, settings.test_size, settings.seed)
        metafunc.parametrize("example", chosen, ids=[row.id for row in chosen], indirect=True)
    return rows


def parametrize_models(metafunc: pytest.Metafunc, settings: Settings) -> None:
    """Give a test that asks for our LMs, and for nothing else of ours, a parameter for each model.

    None for an LM that is of the user's own.
    """
    _with_models(metafunc, _models_given_to(metafunc.definition, settings))


def _with_models(metafunc: pytest.Metafunc, models: Mapping[str, Sequence[Model]]) -> None:
    for fixture, of_role in models.items():
        metafunc.parametrize(fixture, of_role, ids=[model.id for model in of_role], indirect=True)


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
    check_labels(evaluation.requirements(), rows, evaluation.dataset_name)
    check_types(evaluation.types, rows, evaluation.dataset_name)
    return rows[: evaluation.limit]


def optimizations_of(node: pytest.Item, settings: Settings) -> list[Optimization]:
    """The methods that a test runs with, at least one; a MarkerError for a wrong ``optimization`` marker."""
    marks = reversed(list(node.iter_markers("optimization")))  # as they stand in the file
    marked = [parse_optimization(mark) for mark in marks]
    return choose_optimizations(marked, settings.methods)


def models_for(node: pytest.Item, settings: Settings) -> dict[str, tuple[Model, ...]]:
    """The models that a test is to run with, by fixture; those of one alone are not in it.

    Raises:
        MarkerError: one line: the fixture is the user's own, and gives the same LM whatever the option names.
    """
    asked, found = _asked_models(node, settings), _models_given_to(node, settings)
    for fixture, models in asked.items():
        if fixture not in found:
            option, names = fixture.replace("_lm", "-model"), ",".join(one.name for one in models)
            why = (
                f": the fixture {fixture} is one of your own; expected one model, or a fixture that asks for {fixture}"
            )
            if has_own_params(node, fixture):
                why = f": the fixture {fixture} has params of its own; expected one model, or a fixture without params"
            raise MarkerError(f"--{option}: {names!r}{why}")
    return found


def _asked_models(node: pytest.Item, settings: Settings) -> dict[str, tuple[Model, ...]]:
    """The several models of each role that a test asks for, unless a marker of pytest's own says which it has."""
    asked = set(fixture_names(node)) - _parametrized(node)
    return {fixture: models for fixture, models in settings.model_params.items() if models and fixture in asked}


def _models_given_to(node: pytest.Item, settings: Settings) -> dict[str, tuple[Model, ...]]:
    """Those of them that reach the plugin's own fixtures."""
    asked = _asked_models(node, settings)
    return {name: of for name, of in asked.items() if passes_on(node, name) and not has_own_params(node, name)}


def _parametrized(node: pytest.Item) -> set[str]:
    """What pytest's own markers give values to: these are the test's models then, as its marker's method is."""
    found: set[str] = set()
    for mark in node.iter_markers("parametrize"):
        names = mark.args[0] if mark.args else mark.kwargs.get("argnames", ())
        found.update(name.strip() for name in (names.split(",") if isinstance(names, str) else names))
    return found


def models_of_test(item: pytest.Item) -> dict[str, str]:
    """The models of a collected test as `Key` has them: names where there are several, else nothing."""
    params = {fixture: params_of(item).get(fixture) for fixture in ("generator_lm", "evaluator_lm")}
    model, evaluator = (param.name if isinstance(param, Model) else "" for param in params.values())
    return {"model": model, "evaluator": evaluator}


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
