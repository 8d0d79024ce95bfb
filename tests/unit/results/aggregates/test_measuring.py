"""The value of each rollout, its interval, and what makes it undefined."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import pytest

from pytest_pitcheval.results.aggregates.aggregating import Aggregating
from pytest_pitcheval.results.aggregates.answered import Answered, answered
from pytest_pitcheval.results.aggregates.computation import Item, Undefined
from pytest_pitcheval.results.aggregates.measuring import measure
from pytest_pitcheval.results.collected import Collected
from pytest_pitcheval.results.records import Record

from .support import example, examples, prepare

LABELS = ["a", "b"] * 10
RIGHT, HALF = LABELS, ["a"] * 20


def test_each_rollout_has_a_value_and_their_mean_an_interval() -> None:
    found = measure("accuracy", examples(LABELS, RIGHT, HALF, HALF), prepare("accuracy"))
    assert (found.values, found.examples, found.fields) == ((1.0, 0.5, 0.5), 20, ("topic",))
    assert found.value == statistics.mean(found.values)
    assert found.ci95 is not None
    low, high = found.ci95
    assert 0.5 < low < 2 / 3 < high < 0.85
    assert measure("accuracy", examples(LABELS, RIGHT, HALF, HALF), prepare("accuracy")) == found


def test_an_example_without_a_prediction_makes_it_undefined() -> None:
    lost = [*examples(LABELS, RIGHT), Answered("lost", {}, {}, (), lacks="error: LM call failed")]
    found = measure("accuracy", lost, prepare("accuracy"))
    assert (found.values, found.ci95, found.is_open) == ((), None, False)
    assert found.undefined == "1 of 21 examples have no prediction: lost (error: LM call failed)"
    fewer = [*examples(LABELS, RIGHT, HALF), example("e20", "a", "a")]
    assert measure("accuracy", fewer, prepare("accuracy")).undefined == (
        "1 of 21 examples have fewer than 2 predictions: e20"
    )


def test_what_was_left_out_as_gates_were_decided_leaves_it_open() -> None:
    left_out = Answered("e", {}, {}, (), lacks="skipped: decided after 20 of 21", is_open=True)
    assert measure("accuracy", [*examples(LABELS, RIGHT), left_out], prepare("accuracy")).is_open


def test_of_unchanged_examples_the_newest_predictions_of_the_baseline_count() -> None:
    unchanged = example("old", "a", "b", "b", "a")._replace(unchanged=True)
    found = measure("accuracy", [*examples(LABELS, RIGHT), unchanged], prepare("accuracy"))
    assert (found.values, found.unchanged) == ((1.0,), 1)


class Slow:
    """A value that takes long."""

    cost, resamples, fields = 30.0, 10, ("topic",)

    def __init__(self, items: Sequence[Item]) -> None:
        self.asked = 0

    def value(self, chosen: Sequence[int]) -> float:
        self.asked += 1
        assert self.asked == 1
        return 0.5


def test_what_takes_long_has_no_interval() -> None:
    found = measure("f.py::f", examples(LABELS, RIGHT), Slow)
    assert (found.values, found.ci95) == ((0.5,), None)


def test_what_too_few_resamples_have_has_no_interval() -> None:
    found = measure("pearson", examples([1, 2], [1, 3]), prepare("pearson"))
    assert found.values == pytest.approx((1.0,))
    assert found.ci95 is None


def record(**changes: object) -> Record:
    about = {"score": 1.0, "samples": (1.0, 1.0), "prediction": {"topic": "a"}, "labels": {"topic": "a"}}
    later = {"later_rollouts": ({"prediction": {"topic": "b"}, "feedback": None},)}
    return Record("t::x[e]", "t::x", "e", "none", **{"status": "passed", **about, **later, **changes})  # type: ignore[arg-type]


TEST = Collected("t::x[e]", "t::x", "e", "none")


@pytest.mark.parametrize(
    ("changes", "lacks"),
    [
        ({}, ""),
        ({"prediction": None, "later_rollouts": (), "status": "error", "error": "TimeoutError"}, "error: TimeoutError"),
        ({"later_rollouts": ({"prediction": None},), "status": "failed"}, "failed"),
        (
            {"left_out": "budget", "status": "skipped", "error": "budget: $1.00 reached"},
            "skipped: budget: $1.00 reached",
        ),
        ({"left_out": "unchanged", "status": "skipped", "prediction": None}, "unchanged, and the baseline has none"),
        ({"left_out": "unchanged", "status": "skipped"}, ""),
    ],
)
def test_what_a_record_lacks(changes: dict[str, object], lacks: str) -> None:
    assert answered(TEST, record(**changes), "").lacks == lacks


def test_a_test_without_a_record_lacks_its_prediction() -> None:
    assert answered(TEST, None, "worker gw0 crashed").lacks == "worker gw0 crashed"


def test_a_metric_that_cannot_be_prepared_is_undefined() -> None:
    def prepare_none(items: Sequence[Item]) -> Slow:
        raise Undefined("there is no tests/conftest.py")

    assert measure("x", examples(LABELS, RIGHT), prepare_none).undefined == "there is no tests/conftest.py"


def test_examples_come_in_the_order_of_their_ids_whatever_ran_first() -> None:
    ran = [Collected(f"test[{name}]", "test", name, "none") for name in ("e10", "e2", "b", "e02", "10", "9")]
    found = Aggregating({}, {}).examples(ran)
    assert [one.example_id for one in found] == ["9", "10", "b", "e2", "e02", "e10"]


class Importing:
    """A value whose first call takes three seconds, and each further one ``later``."""

    resamples, fields = 10, ("topic",)
    later = 0.0

    def __init__(self, items: Sequence[Item]) -> None:
        self.cost, self.asked = 0.0, 0

    def value(self, chosen: Sequence[int]) -> float:
        self.asked += 1
        self.cost = self.later if self.asked > 1 else 3.0
        return 0.5


class SlowAgain(Importing):
    later = 3.0


def test_what_a_first_call_imports_takes_no_interval_away() -> None:
    assert measure("importing", examples(LABELS, RIGHT), Importing).ci95 == (0.5, 0.5)
    assert measure("slow again", examples(LABELS, RIGHT), SlowAgain).ci95 is None
