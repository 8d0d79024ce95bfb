"""What a collected test asks for: read once from its markers and parameters, and kept with it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import pytest

from pytest_pitcheval.collection.markers import Evaluation, parse_evaluation
from pytest_pitcheval.collection.parametrization import optimization_of
from pytest_pitcheval.collection.rows import Row
from pytest_pitcheval.errors import MarkerError
from pytest_pitcheval.ownership import fixture_names, params_of
from pytest_pitcheval.results.plain import plain, text_of
from pytest_pitcheval.results.records import Collected, function_of
from pytest_pitcheval.settings.methods import Optimization
from pytest_pitcheval.settings.settings import Settings


@dataclasses.dataclass(frozen=True)
class Asked:
    """What one test asks for.

    Attributes:
        about: what the controller must know of it.
        evaluation: its ``evaluation`` marker, None without one or where it is wrong (the test itself tells that).
        row: the row of its dataset, None where it has none.
    """

    about: Collected
    optimization: Optimization
    evaluation: Evaluation | None
    row: Row | None


_ASKED: pytest.StashKey[Asked] = pytest.StashKey()


def asked_by(item: pytest.Item, settings: Settings) -> Asked:
    """What ``item`` asks for."""
    asked = item.stash.get(_ASKED, None)
    if asked is None:
        asked = item.stash[_ASKED] = _read(item, settings)
    return asked


def collected(item: pytest.Item, settings: Settings) -> Collected:
    """What the controller must know of ``item`` before it has run."""
    return asked_by(item, settings).about


def _read(item: pytest.Item, settings: Settings) -> Asked:
    params = params_of(item)
    row = params.pop("example", None)
    params.pop("optimization", None)
    evaluation = _evaluation_of(item)
    optimization = optimization_of(item, settings)
    about = Collected(
        nodeid=item.nodeid,
        test=_test_name(item, params),
        example_id=plain(getattr(row, "id", None)),
        optimization=str(optimization),
        gates=evaluation.gates if evaluation else {},
        settings=plain(optimization.settings),
    )
    return Asked(about, optimization, evaluation, row if isinstance(row, Row) else None)


def _evaluation_of(item: pytest.Item) -> Evaluation | None:
    mark = item.get_closest_marker("evaluation")
    try:
        return parse_evaluation(mark) if mark else None
    except MarkerError:
        return None


def check_markers(item: pytest.Item) -> None:
    """Raise MarkerError if a marker of ``item`` or its dataset is wrong, or ``evaluation`` not made use of."""
    for parameter in params_of(item).values():
        if isinstance(parameter, MarkerError):
            raise parameter
    marked = any(mark.name == "evaluation" for mark in item.own_markers)  # a class's or module's may be for others
    if marked and "example" not in fixture_names(item):
        raise MarkerError("evaluation marker: the test asks for none of example, prediction and score")


def may_run_ahead(item: pytest.Item) -> bool:
    """Whether nothing is known that would keep a coming test from asking for a prediction of the plugin's own."""
    if "prediction" not in fixture_names(item) or not isinstance(params_of(item).get("example"), Row):
        return False
    conditions = [mark.args for mark in item.iter_markers("skipif")]
    runs = all(mark.kwargs.get("run", True) for mark in item.iter_markers("xfail"))
    skipped = item.get_closest_marker("skip") or any(each is not False for args in conditions for each in args)
    return runs and not skipped


def _test_name(item: pytest.Item, params: Mapping[str, Any]) -> str:
    """The node ID of the function, with parameters of the user's own: each combination is a test of its own."""
    name = function_of(item.nodeid)
    return name + (f"[{','.join(f'{k}={_as_text(v)}' for k, v in params.items())}]" if params else "")


def _as_text(parameter: Any) -> str:
    """The same in every worker and every run: no addresses."""
    if parameter is None or isinstance(parameter, (str, int, float)):
        return text_of(parameter)
    if isinstance(parameter, (list, tuple, Mapping)):
        return json.dumps(plain(parameter))
    return str(getattr(parameter, "__name__", type(parameter).__name__))
