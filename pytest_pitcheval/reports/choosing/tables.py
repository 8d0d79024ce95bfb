"""A table for each test that ran with several models, and for each exam that several judges took."""

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
        models: as `Key` has them.
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
        head: the names of a `Row`'s cells.
        first: what all are compared with.
        words: which of them is to be taken.
    """

    test: str
    head: Row
    rows: Sequence[Row]
    first: str
    words: str

    @property
    def note(self) -> str:
        """What the differences are."""
        return f"difference: to {self.first}, on the examples that both have scored"


_MODELS = Row("model", "method", "mean", "difference", "95 % interval", "p", "cost/point", "seconds", "verdict")
_JUDGES = Row("judge", "figure", "value", "difference", "95 % interval", "p", "cost/verdict", "seconds", "verdict")


def tables(results: Iterable[MethodResult]) -> list[Table]:
    """In the order of the tests; those of one model of each role have none."""
    groups: dict[tuple[str, str], list[MethodResult]] = {}
    for one in results:
        if one.worth:
            groups.setdefault((one.test, "" if one.judge else one.evaluator), []).append(one)
    return [_table(group) for group in groups.values()]


def _table(group: Sequence[MethodResult]) -> Table:
    first, several = group[0], sum(one.best for one in group) > 1
    of_judges = first.judge is not None
    rows = [row for one in group for row in (_of_judge(one, several) if of_judges else [_of_model(one, several)])]
    return Table(first.test, _JUDGES if of_judges else _MODELS, rows, _name(first), in_words(group))


def _of_model(one: MethodResult, several: bool) -> Row:
    assert one.worth is not None  # else it is in no table
    value = formats.number(one.worth.mean)
    return Row(one.key.models, one.optimization, value, *difference(one), *_taken(one), _verdict(one, several))


def _of_judge(one: MethodResult, several: bool) -> Iterator[Row]:
    assert one.judge is not None  # else it is no judge of an exam
    more, judge = one.judge.more_kappa, one.key.models
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
        return "best" if one.best else ""
    return "best within noise" + (", cheapest of these" if one.worth and one.worth.is_cheapest else "")


def in_words(results: Sequence[MethodResult]) -> str:
    """Which of what is compared with each other is to be taken."""
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
    unknown = dict.fromkeys(one.evaluator if one.judge else one.model for one, worth in of_best if worth.cost is None)
    return f"{text}; which of these is the cheapest is not known, as {formats.some([*unknown])} has no price"


def _name(one: MethodResult) -> str:
    return one.evaluator if one.judge else one.key.variant


def _value(one: MethodResult) -> float:
    if one.judge:
        return one.judge.kappa
    return one.worth.mean if one.worth else 0.0
