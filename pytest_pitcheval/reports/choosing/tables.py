"""A table for each test that ran with several models or parameters, and for each exam that several judges took."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pytest_pitcheval.results import formats
from pytest_pitcheval.results.choosing.side_by_side import MethodResult
from pytest_pitcheval.results.significance.means import FEWEST


class Row(NamedTuple):
    """One model with one method; or one figure of a judge, whose ``what`` is the figure's name.

    Attributes:
        models: as `Key` has them; where parameters make several tests its setting.
        value: a mean, or the figure.
        difference, interval, p: of what it has more than the first, on the examples that both have.
        cost: of a point of score, or of a verdict.
    """

    models: str
    what: str
    value: str
    difference: str
    interval: str
    p: str
    cost: str
    seconds: str
    verdict: str


@dataclasses.dataclass(frozen=True)
class Table:
    """What is compared with each other.

    Attributes:
        test: a test, or the function of several tests.
        name: what no other table is called: ``test``, and where it has several tables what this one is beside.
        head: the names of a `Row`'s cells.
        first: what all are compared with.
        note: what the differences are.
        words: which of them is to be taken.
    """

    test: str
    name: str
    head: Row
    rows: Sequence[Row]
    first: str
    note: str
    words: str


_MODELS = Row("model", "method", "mean", "difference", "95 % interval", "p", "cost/point", "seconds", "verdict")
_VARIANTS = _MODELS._replace(models="variant")
_JUDGES = Row("judge", "figure", "value", "difference", "95 % interval", "p", "cost/verdict", "seconds", "verdict")


def tables(results: Iterable[MethodResult]) -> list[Table]:
    """In the order of the tests; those of one model of each role have none."""
    groups: dict[tuple[str, str], list[MethodResult]] = {}
    for one in results:
        if one.worth:
            groups.setdefault((tested(one), "" if one.judge else one.evaluator), []).append(one)
    tests = [test for test, _ in groups]
    return [_table(_in_order(group), tests.count(tested(group[0])) > 1) for group in groups.values()]


def _in_order(group: Sequence[MethodResult]) -> list[MethodResult]:
    """All parameters of a model together, and all methods of these, as they first come: pytest runs them mixed."""
    models = [one.model for one in group]
    parameters = [one.key.parameters for one in group]
    return sorted(group, key=lambda one: (models.index(one.model), parameters.index(one.key.parameters)))


def tested(one: MethodResult) -> str:
    """What it is compared in: its test, or the function of several tests."""
    return one.function or one.test


def _table(group: Sequence[MethodResult], is_one_of_several: bool) -> Table:
    first, several = group[0], sum(one.best for one in group) > 1
    of_judges, test, beside = first.judge is not None, tested(first), _name(first)
    rows = [row for one in group for row in (_of_judge(one, several) if of_judges else [_of_model(one, several)])]
    head = _JUDGES if of_judges else _VARIANTS if first.function else _MODELS
    name = f"{test} beside {beside}" if is_one_of_several else test
    return Table(test, name, head, rows, beside, _note(group), in_words(group))


def _note(group: Sequence[MethodResult]) -> str:
    unlike = [f"{_name(one)} ({_another(one)})" for one in group if one.unlike]
    left_out = f"; not compared: {formats.some(unlike)}" if unlike else ""
    return f"difference: to {_name(group[0])}, on the examples that both have scored{left_out}"


def _another(one: MethodResult) -> str:
    return f"another {' and '.join(one.unlike)}"


def _setting(one: MethodResult) -> str:
    return one.key.setting if one.function else one.key.models


def _of_model(one: MethodResult, several: bool) -> Row:
    assert one.worth is not None  # else it is in no table
    value = formats.number(one.worth.mean)
    return Row(_setting(one), one.optimization, value, *difference(one), *_taken(one), _verdict(one, several))


def _of_judge(one: MethodResult, several: bool) -> Iterator[Row]:
    assert one.judge is not None  # else it is no judge of an exam
    more, judge = one.judge.more_kappa, _setting(one)
    kappa = (f"{more.value:+.3f}", formats.interval(more.ci95, signed=True), "-") if more else ("-", "-", "-")
    yield Row(judge, "kappa", formats.number(one.judge.kappa), *kappa, *_taken(one), _verdict(one, several))
    yield Row(judge, "agreement", formats.number(one.judge.agreement), *difference(one), "", "", "")


def difference(one: MethodResult) -> tuple[str, str, str]:
    """What it has more than the first, the interval of that, and its p-value."""
    if one.result is None:
        return "-", "-", "-"
    bounds, p = formats.interval(one.result.ci95, signed=True), formats.p_value(one.result.p_value)
    return f"{one.result.difference:+.3f}", bounds, p


def _taken(one: MethodResult) -> tuple[str, str]:
    assert one.worth is not None  # else it is in no table
    return formats.price(one.worth.cost), formats.measure(one.worth.seconds)


def _verdict(one: MethodResult, several: bool) -> str:
    if not one.best or not several:
        return "best" if one.best else _another(one) if one.unlike else ""
    return "best within noise" + (", cheapest of these" if one.worth and one.worth.is_cheapest else "")


def in_words(results: Sequence[MethodResult]) -> str:
    """Which of what is compared with each other is to be taken."""
    if all(one.unlike for one in results[1:]):
        return f"nothing is compared, as {_another(results[1])} scored each of them"
    if any(one.result is not None and one.result.examples < FEWEST for one in results):
        return f"fewer than {FEWEST} examples show nothing"
    best = sorted((one for one in results if one.best), key=_value, reverse=True)
    if len(best) == 1:
        return f"best: {_name(best[0])}; no other is within noise of it"
    text = f"best: {_name(best[0])}; within noise of it: {formats.some([_name(one) for one in best[1:]])}"
    of_best = [(one, one.worth) for one in best if one.worth]
    for one, worth in of_best:
        if worth.is_cheapest:
            per = "verdict" if one.judge else "point of score"
            return f"{text}; the cheapest of these: {_name(one)}, {formats.price(worth.cost)} a {per}"
    unknown = dict.fromkeys(_model(one) for one, worth in of_best if worth.cost is None)
    return f"{text}; which of these is the cheapest is not known, as {formats.some([*unknown])} has no price"


def _model(one: MethodResult) -> str:
    """Whose price it is."""
    if one.judge:
        return _name(one)
    return _setting(one) if one.function else one.model


def _name(one: MethodResult) -> str:
    if one.judge:
        return _setting(one) if one.function else one.evaluator
    return one.key.member if one.function else one.key.variant


def _value(one: MethodResult) -> float:
    if one.judge:
        return one.judge.kappa
    return one.worth.mean if one.worth else 0.0
