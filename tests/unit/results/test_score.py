"""The score that a test compares with its threshold."""

from __future__ import annotations

import copy
import pickle

import pytest

from pytest_pitcheval import Score
from pytest_pitcheval.errors import PitchevalError


def test_is_a_float_that_knows_more() -> None:
    score = Score(
        0.5,
        threshold=0.4,
        feedback="so so",
        samples=(0.25, 0.75),
        by_rollout={"length": (2.0, 4.0), "links": (None, 1.0)},
        prediction="p",
    )
    assert score == 0.5
    assert isinstance(score, float)
    assert (score.threshold, score.feedback, score.samples) == (0.4, "so so", (0.25, 0.75))
    assert (score.metrics, score.prediction) == ({"length": 3.0, "links": 1.0}, "p")


def test_has_itself_as_the_only_sample() -> None:
    assert Score(0.5).samples == (0.5,)


@pytest.mark.parametrize(
    ("value", "threshold", "passed"),
    [(0.5, 0.5, True), (0.49, 0.5, False), (0.0, None, True), (0.0, 0.0, True), (1.0, 0.5, True)],
)
def test_passed(value: float, threshold: float | None, passed: bool) -> None:
    score = Score(value, threshold=threshold)
    assert score.passed is passed
    assert score.has_threshold is (threshold is not None)


def test_a_threshold_nobody_set_is_an_error_of_one_line() -> None:
    with pytest.raises(PitchevalError, match=r"^score\.threshold: .*--eval-threshold=X.*$"):
        _ = Score(0.5).threshold


def test_shows_few_digits_in_a_failed_assertion_and_all_as_text() -> None:
    assert repr(Score(2 / 3)) == "Score(0.667)"
    assert str(Score(2 / 3)) == f"{Score(2 / 3)}" == str(2 / 3)


def test_equal_scores_are_one_key() -> None:
    assert len({Score(0.5, threshold=0.1), Score(0.5), 0.5}) == 1


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda score: pickle.loads(pickle.dumps(score))])
def test_copies_keep_everything(again: type[Score]) -> None:
    score = again(Score(0.5, threshold=0.4, samples=(0.25, 0.75)))
    assert (score, score.threshold, score.samples) == (0.5, 0.4, (0.25, 0.75))
