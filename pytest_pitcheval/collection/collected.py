"""What a collected test asks for: read once from its markers and parameters, and kept with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import pytest

from pytest_pitcheval.collection.exams import NAME as EXAM
from pytest_pitcheval.collection.exams import JudgeExam, parse_exam
from pytest_pitcheval.collection.markers import Evaluation, parse_evaluation
from pytest_pitcheval.collection.parametrization import models_of_test, optimization_of
from pytest_pitcheval.collection.rows import Row
from pytest_pitcheval.errors import MarkerError
from pytest_pitcheval.ownership import fixture_names, id_parts, params_of
from pytest_pitcheval.results.collected import Collected, Requirements
from pytest_pitcheval.results.plain import plain
from pytest_pitcheval.settings.methods import Optimization
from pytest_pitcheval.settings.models import Model
from pytest_pitcheval.settings.settings import Settings


@dataclasses.dataclass(frozen=True)
class Asked:
    """What one test asks for.

    Attributes:
        about: what the controller must know of it.
        evaluation: its ``evaluation`` or ``judge_exam`` marker, None without one or where it is wrong (the test itself
            tells that).
        row: the row of its dataset, None where it has none.
        fixtures: what it asks for, before other plugins add to it while it is set up.
    """

    about: Collected
    optimization: Optimization
    evaluation: Evaluation | JudgeExam | None
    row: Row | None
    fixtures: tuple[str, ...]

    @property
    def program_marker(self) -> Evaluation | None:
        """Its ``evaluation`` marker; None of a judge's exam, which runs no program."""
        return self.evaluation if isinstance(self.evaluation, Evaluation) else None

    @property
    def types(self) -> Mapping[str, Any] | None:
        """What its marker says of the values of its row; None where that leaves it to the program."""
        return self.evaluation.types if self.evaluation else None


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
    row = params_of(item).get("example")
    evaluation = _evaluation_of(item)
    optimization = optimization_of(item, settings)
    asked = _with_rows(evaluation.requirements(), row) if evaluation else Requirements()
    about = Collected(
        nodeid=item.nodeid,
        test=name_of_test(item),
        example_id=plain(getattr(row, "id", None)),
        optimization=str(optimization),
        **models_of_test(item),
        asked=asked,
        settings=plain(optimization.settings),
        labels={name: plain(row.labels[name]) for name in asked.labels if name in row.labels}
        if isinstance(row, Row)
        else {},
    )
    fixtures = tuple(fixture_names(item))
    return Asked(about, optimization, evaluation, row if isinstance(row, Row) else None, fixtures)


def _with_rows(asked: Requirements, row: Any) -> Requirements:
    """``asked``, with what the rows of a judge's exam say of all of them."""
    given = row.given if isinstance(row, Row) else None
    if asked.exam is None or given is None:
        return asked
    exam = dataclasses.replace(asked.exam, grades=given.grades, dataset=given.dataset, models=given.models)
    return dataclasses.replace(asked, exam=exam)


def _evaluation_of(item: pytest.Item) -> Evaluation | JudgeExam | None:
    mark = item.get_closest_marker("evaluation")
    exam = item.get_closest_marker(EXAM) if "verdict" in fixture_names(item) else None
    try:
        if exam is not None:
            return parse_exam(exam)
        return parse_evaluation(mark) if mark else None
    except MarkerError:
        return None


def may_run_ahead(item: pytest.Item) -> bool:
    """Whether nothing is known that would keep a coming test from asking for a prediction of the plugin's own."""
    made = {"prediction", "verdict"}.intersection(fixture_names(item))
    if not made or not isinstance(params_of(item).get("example"), Row):
        return False
    conditions = [mark.args for mark in item.iter_markers("skipif")]
    runs = all(mark.kwargs.get("run", True) for mark in item.iter_markers("xfail"))
    skipped = item.get_closest_marker("skip") or any(each is not False for args in conditions for each in args)
    return runs and not skipped


def name_of_test(item: pytest.Item) -> str:
    """The node ID without what is ours in it, so each combination of parameters of the user's own is a test."""
    params, parts = list(params_of(item).values()), id_parts(item)
    function = item.nodeid.removesuffix(f"[{'-'.join(parts)}]")
    if not params or all(map(_is_ours, params)):
        return function if params else item.nodeid
    return f"{function}[{'-'.join(_of_user(params, parts))}]"


def _is_ours(param: object) -> bool:
    return isinstance(param, (Row, Optimization, Model))


def _of_user(params: Sequence[object], parts: Sequence[str]) -> list[str]:
    """The parts of an ID that are the user's; theirs may be those of ours, which are told by their place then.

    Several parameters of the user's may share a part, and one may have none: only then a place is not certain.
    """
    without_part = len(params) - len(parts)
    places = {
        place
        for number, param in enumerate(params)
        if _is_ours(param)
        and (place := _place(_ids_of(param), parts, range(number, number - without_part - 1, -1))) is not None
    }
    return [part for place, part in enumerate(parts) if place not in places]


def _place(ids: Collection[str], parts: Sequence[str], places: Iterable[int]) -> int | None:
    return next((place for place in places if 0 <= place < len(parts) and parts[place] in ids), None)


def _ids_of(parameter: Any) -> list[str]:
    """How pytest may write the ID that `parametrize` gives to a parameter of ours."""
    text = str(parameter) if isinstance(parameter, Optimization) else parameter.id
    return [text.encode("unicode_escape").decode("ascii"), text]
