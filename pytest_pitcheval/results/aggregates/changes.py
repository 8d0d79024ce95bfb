"""Metrics of a whole set against a baseline: both runs' predictions of the same examples."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pytest_pitcheval.names import EXAMPLE
from pytest_pitcheval.results import formats
from pytest_pitcheval.results.aggregates.answered import Answered
from pytest_pitcheval.results.aggregates.computation import Computation, Item, Prepare, Undefined
from pytest_pitcheval.results.baselines import Baseline, Measurement, Measurements
from pytest_pitcheval.results.significance.exchanged import DRAWN, drop_p, least_p
from pytest_pitcheval.results.significance.families import Claim
from pytest_pitcheval.results.significance.means import rounded

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PATIENCE = 120.0
"""Seconds that exchanges may take as far as one value's time tells; else nothing is established."""


class Refusal(NamedTuple):
    """Why nothing is compared, and what a gate says then."""

    status: Literal["passed", "failed", "inconclusive"]
    text: str


@dataclasses.dataclass(frozen=True)
class Change:
    """A metric of a whole set then and now, of the examples that both have.

    Attributes:
        refusal: why there is nothing to tell; the rest is of nothing then.
        before, after: means over rollout numbers.
        drop: how far it got worse; below 0 where it got better.
        examples: how many are compared, and ``moved`` how many of them were answered otherwise.
        p: one-sided, of this drop; 1 where that need not be known, None where it takes too long.
        least: the lowest that it could have been.
        against: the method of the baseline.
    """

    refusal: Refusal | None = None
    before: float = 0.0
    after: float = 0.0
    drop: float = 0.0
    examples: int = 0
    moved: int = 0
    p: float | None = 1.0
    least: float = 1.0
    against: str = ""

    @property
    def claim(self) -> Claim | None:
        """That it got worse; None where nothing is compared."""
        return None if self.refusal else Claim(1.0 if self.p is None else self.p, self.least)


@dataclasses.dataclass(frozen=True)
class Terms:
    """What a change is held to: the largest drop, which way is worse, and what may have changed."""

    limit: float
    lower_is_better: bool = False
    allowed: Collection[str] = ()


def group_under(baseline: Baseline, test: str, variant: str) -> Measurements:
    """What the baseline has of a test under this variant, as `Key` has it."""
    found = (group for key, group in baseline.items() if (key.test, key.variant) == (test, variant))
    return next(found, Measurements({}))


def change(examples: Sequence[Answered], before: Measurements, against: str, prepare: Prepare, terms: Terms) -> Change:
    """How a metric changed; ``before`` is what the baseline has under the method ``against``."""
    shared = _shared(examples, before, terms.allowed)
    if refusal := _refusal(examples, shared, before):
        return Change(refusal, against=against)
    old = {one.example_id: _known(before.examples[one.example_id]) for one in shared}
    earlier, later = min(map(len, old.values())), min(len(one.predictions) for one in shared)
    answers = [[*old[one.example_id][-earlier:], *one.predictions[-later:]] for one in shared]
    items = [Item(one, answer) for one, found in zip(shared, answers, strict=True) for answer in found]
    try:
        computation = prepare(items)
        found = _Exchange(computation, len(shared), earlier, later, terms.lower_is_better)
        then, now = found.values(found.places)
    except Undefined as error:
        return Change(Refusal("inconclusive", f"not compared with the baseline: {error}"), against=against)
    drop = rounded(now - then if terms.lower_is_better else then - now)
    moved = [n for n, one in enumerate(shared) if not one.unchanged and _differ(answers[n], computation.fields)]
    p = found.p(moved) if drop > terms.limit else 1.0
    least = least_p(earlier + later, earlier, len(moved))
    return Change(None, then, now, drop, len(shared), len(moved), p, least, against)


class _Exchange:
    """Both runs' answers, a row for each example: ``earlier`` and then ``later`` ones."""

    def __init__(self, computation: Computation, examples: int, earlier: int, later: int, lower: bool) -> None:
        import numpy as np

        self._computation, self._earlier, self._sign = computation, earlier, -1.0 if lower else 1.0
        self.places: NDArray[np.intp] = np.arange(examples * (earlier + later)).reshape(examples, -1)

    def values(self, places: NDArray[np.intp]) -> tuple[float, float]:
        """The means over rollout numbers then and now, if the answers stood at these places."""
        found = [self._computation.value(column) for column in places.T]
        return statistics.fmean(found[: self._earlier]), statistics.fmean(found[self._earlier :])

    def p(self, moved: Sequence[int]) -> float | None:
        if self._computation.cost * self.places.shape[1] * DRAWN > PATIENCE:
            return None
        return drop_p(self.places, self._earlier, moved, self._drop)

    def _drop(self, places: NDArray[np.intp]) -> float:
        """What has no value counts as the largest drop: so nothing is established by what cannot be told."""
        try:
            then, now = self.values(places)
        except Undefined:
            return float("inf")
        return self._sign * (then - now)


def _shared(examples: Sequence[Answered], before: Measurements, allowed: Collection[str]) -> list[Answered]:
    found = [one for one in examples if one.example_id in before.examples]
    return [one for one in found if EXAMPLE in allowed or not _has_another_row(one, before.examples[one.example_id])]


def _has_another_row(one: Answered, before: Measurement) -> bool:
    return bool(one.row and before.fingerprint and one.row != before.fingerprint)


def _known(one: Measurement) -> list[Mapping[str, Any]]:
    """The predictions that the baseline has of an example."""
    return [answer for answer in one.predictions if answer is not None]


def _refusal(examples: Sequence[Answered], shared: Sequence[Answered], before: Measurements) -> Refusal | None:
    if lost := [one for one in examples if one.lacks and one.example_id in before.examples]:
        if all(one.is_open for one in lost):
            count = f"{formats.count(len(lost))} {formats.were(len(lost))} left out"
            return Refusal("inconclusive", f"not established before {count}")
        names = formats.examples([one.example_id for one in lost])
        return Refusal("failed", f"no prediction now, but in the baseline: {names}")
    if not shared:
        return Refusal("inconclusive", "no example is the same as in the baseline")
    if all(one.unchanged for one in shared):
        what = f"{formats.count(len(shared))} {formats.are(len(shared))} unchanged since the baseline"
        return Refusal("passed", f"nothing to compare: {what}")
    unknown = [one.example_id for one in shared if not _known(before.examples[one.example_id])]
    if len(unknown) == len(shared):
        return Refusal("inconclusive", "the baseline has no predictions; --eval-update-baseline writes them")
    if unknown:
        of = f"{len(unknown)} of {formats.count(len(shared))}"
        return Refusal("inconclusive", f"the baseline has no prediction of {of}: {formats.examples(unknown)}")
    return None


def _differ(answers: Sequence[Mapping[str, Any]], fields: Sequence[str]) -> bool:
    first, *others = [[answer.get(field) for field in fields] for answer in answers]
    return any(other != first for other in others)
