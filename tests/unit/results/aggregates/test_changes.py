"""A metric of the whole set against a baseline."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from pytest_pitcheval.results.aggregates.answered import Answered
from pytest_pitcheval.results.aggregates.changes import Change, Terms, change
from pytest_pitcheval.results.aggregates.computation import Item
from pytest_pitcheval.results.baselines import Measurement, Measurements

from .support import answer, examples, prepare

LABELS = ["a", "b"] * 10
WRONG = ["b", "a"] * 10


def before(*columns: Sequence[Any]) -> Measurements:
    """What a baseline has of the same examples."""
    kept = [tuple(map(answer, found)) for found in zip(*columns, strict=True)]
    return Measurements({f"e{n}": Measurement((1.0,) * len(one), predictions=one) for n, one in enumerate(kept)})


def changed(now: Sequence[Answered], then: Measurements, limit: float = 0.0, **terms: Any) -> Change:
    return change(now, then, "none", prepare("accuracy"), Terms(limit, **terms))


def test_a_loss_is_established() -> None:
    found = changed(examples(LABELS, LABELS[:10] + WRONG[10:]), before(LABELS))
    assert (found.before, found.after, found.drop) == (1.0, 0.5, 0.5)
    assert (found.examples, found.moved) == (20, 10)
    assert found.p == pytest.approx(0.5**10)
    assert found.claim == (0.5**10, 0.5**10)


def test_a_drop_within_the_limit_is_not_looked_into() -> None:
    found = changed(examples(LABELS, LABELS[:19] + WRONG[19:]), before(LABELS), limit=0.05)
    assert (found.drop, found.p) == (0.05, 1.0)


def test_many_answers_are_exchanged_at_random_and_always_the_same() -> None:
    drawn = random.Random(1)
    then, now = ([one if drawn.random() < p else "x" for one in LABELS * 5] for p in (0.9, 0.6))
    found = changed(examples(LABELS * 5, now), before(then))
    assert found == changed(examples(LABELS * 5, now), before(then))
    assert found.p is not None
    assert 0 < found.p < 0.01


def test_rollouts_may_differ_in_number() -> None:
    found = changed(examples(LABELS, WRONG), before(LABELS, LABELS, LABELS))
    assert found.p is not None
    assert found.p < 0.01
    same = changed(examples(LABELS, LABELS), before(LABELS, LABELS))
    assert (same.drop, same.moved, same.p) == (0.0, 0, 1.0)


class Error:
    """A share of wrong answers: lower is better."""

    cost, resamples, fields = 0.0, 10, ("topic",)

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = items

    def value(self, chosen: Sequence[int]) -> float:
        found = [self.items[n] for n in chosen]
        wrong = [one.prediction["topic"] != one.example.labels["topic"] for one in found]
        return float(sum(wrong)) / len(wrong)


def test_a_rise_is_worse_where_lower_is_better() -> None:
    terms = Terms(0.0, lower_is_better=True)
    found = change(examples(LABELS, WRONG), before(LABELS), "none", Error, terms)
    assert (found.before, found.after, found.drop) == (0.0, 1.0, 1.0)
    assert found.p is not None
    assert found.p < 0.01
    better = change(examples(LABELS, LABELS), before(WRONG), "none", Error, terms)
    assert better.drop == -1.0


class Slow(Error):
    cost = 2.0


def test_what_takes_long_is_not_exchanged() -> None:
    found = change(examples(LABELS, WRONG), before(LABELS), "none", Slow, Terms(0.0, lower_is_better=True))
    assert found.p is None
    assert found.claim is not None
    assert found.claim.p == 1.0


def lost(name: str, is_open: bool = False) -> Answered:
    return Answered(name, {}, {}, (), lacks="error", is_open=is_open)


@pytest.mark.parametrize(
    ("now", "then", "status", "text"),
    [
        (examples(LABELS, LABELS), Measurements({}), "inconclusive", "no example is the same"),
        (
            [*examples(LABELS[:19], LABELS[:19]), lost("e19")],
            before(LABELS),
            "failed",
            "no prediction now, but in the baseline: e19",
        ),
        (
            [*examples(LABELS[:19], LABELS[:19]), lost("e19", True)],
            before(LABELS),
            "inconclusive",
            "not established before 1 example was left out",
        ),
        (
            [one._replace(unchanged=True) for one in examples(LABELS, LABELS)],
            before(LABELS),
            "passed",
            "20 examples are unchanged",
        ),
        (
            examples(LABELS, LABELS),
            Measurements({f"e{n}": Measurement((1.0,)) for n in range(20)}),
            "inconclusive",
            "the baseline has no predictions",
        ),
        (
            examples(LABELS, LABELS),
            Measurements({**before(LABELS).examples, "e3": Measurement((1.0,))}),
            "inconclusive",
            "no prediction of 1 of 20 examples: e3",
        ),
        (examples(LABELS, [[one] for one in LABELS]), before(LABELS), "inconclusive", "a list is no class"),
    ],
)
def test_what_cannot_be_compared(now: Sequence[Answered], then: Measurements, status: str, text: str) -> None:
    refusal = changed(now, then).refusal
    assert refusal is not None
    assert refusal.status == status
    assert text in refusal.text
    assert changed(now, then).claim is None


def test_examples_with_another_row_are_compared_only_if_allowed() -> None:
    now = [one._replace(row="new" if one.example_id == "e0" else "row") for one in examples(LABELS, LABELS)]
    then = {
        name: Measurement(one.samples, "row", predictions=one.predictions)
        for name, one in before(LABELS).examples.items()
    }
    assert changed(now, Measurements(then)).examples == 19
    assert changed(now, Measurements(then), allowed={"example"}).examples == 20


def test_unchanged_examples_belong_to_the_set_and_do_not_move() -> None:
    now = [one._replace(unchanged=n >= 10) for n, one in enumerate(examples(LABELS, WRONG[:10] + LABELS[10:]))]
    found = changed(now, before(LABELS))
    assert (found.before, found.after, found.examples, found.moved) == (1.0, 0.5, 20, 10)
