"""Answers exchanged between two runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_pitcheval.results.significance import exchanged
from pytest_pitcheval.results.significance.paired import p_value


def mean_drop(values: np.ndarray[Any, Any], before: int) -> Any:
    """The drop of a plain mean: then this is the paired permutation test."""

    def drop(places: np.ndarray[Any, Any]) -> float:
        found = values[places]
        return float(found[:, :before].mean() - found[:, before:].mean())

    return drop


@pytest.mark.parametrize("examples", [6, 11, 30])
def test_of_a_mean_it_is_the_paired_permutation_test(examples: int) -> None:
    random = np.random.default_rng(examples)
    values = random.random(2 * examples)
    values[1::2] -= 0.15
    places = np.arange(2 * examples).reshape(examples, 2)
    found = exchanged.drop_p(places, 1, range(examples), mean_drop(values, 1))
    expected = p_value(list(values[1::2] - values[::2]))
    assert found == pytest.approx(expected, abs=1e-12 if exchanged.is_enumerated(2, 1, examples) else 0.03)


def test_errors_under_no_change_are_as_rare_as_they_should_be() -> None:
    random, alarms = np.random.default_rng(0), 0
    places = np.arange(24).reshape(8, 3)
    for _ in range(300):
        values = (random.random(24) < 0.7).astype(float)
        alarms += exchanged.drop_p(places, 2, range(8), mean_drop(values, 2)) < 0.05
    assert alarms <= 25  # of a rate of 5 %, more than that has a chance of 0.5 %


def test_nothing_that_moves_is_no_evidence() -> None:
    places = np.arange(8).reshape(4, 2)
    assert exchanged.drop_p(places, 1, [], mean_drop(np.ones(8), 1)) == 1.0
    assert exchanged.least_p(2, 1, 0) == 1.0


@pytest.mark.parametrize(("answers", "before", "moved"), [(2, 1, 5), (2, 1, 40), (4, 2, 3), (3, 2, 4), (6, 1, 20)])
def test_no_p_value_is_below_the_least(answers: int, before: int, moved: int) -> None:
    places = np.arange(moved * answers).reshape(moved, answers)
    values = np.tile([1.0] * before + [0.0] * (answers - before), moved)
    found = exchanged.drop_p(places, before, range(moved), mean_drop(values, before))
    assert found == pytest.approx(exchanged.least_p(answers, before, moved))


def test_what_is_common_is_known_after_a_few() -> None:
    asked = 0

    def drop(places: np.ndarray[Any, Any]) -> float:
        nonlocal asked
        asked += 1
        return 0.0

    assert exchanged.drop_p(np.arange(80).reshape(40, 2), 1, range(40), drop) == 1.0
    assert asked == 101
