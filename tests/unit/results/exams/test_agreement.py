"""Agreement beyond chance, against the implementations that others keep."""

from __future__ import annotations

import random

import numpy as np
import pytest

from pytest_pitcheval.results.exams.agreement import alpha, alpha_bounds, bounds, coefficient, cohen, gwet, table_of


def pairs(seed: int, size: int, answers: int) -> tuple[list[int], list[int]]:
    draw = random.Random(seed)
    people = [draw.randrange(size) for _ in range(answers)]
    return people, [one if draw.random() < 0.6 else draw.randrange(size) for one in people]


@pytest.mark.parametrize("size", [2, 3, 5])
@pytest.mark.parametrize("seed", range(4))
def test_kappa_is_that_of_scikit_learn(size: int, seed: int) -> None:
    from sklearn.metrics import cohen_kappa_score

    people, judge = pairs(seed, size, 30)
    grades = [place / (size - 1) for place in range(size)]
    found = float(coefficient(table_of(people, judge, size), grades))
    assert found == pytest.approx(cohen_kappa_score(people, judge, weights="quadratic"))
    if size == 2:
        assert found == pytest.approx(cohen_kappa_score(people, judge))


@pytest.mark.parametrize("seed", range(4))
def test_alpha_is_that_of_the_package_krippendorff(seed: int) -> None:
    krippendorff = pytest.importorskip("krippendorff")
    draw = random.Random(seed)
    labels = [[draw.choice([0.0, 0.5, 1.0]) for _ in range(draw.randrange(1, 5))] for _ in range(25)]
    table = np.full((4, len(labels)), np.nan)
    for column, unit in enumerate(labels):
        table[: len(unit), column] = unit
    found = alpha(labels)
    assert found == pytest.approx(krippendorff.alpha(table, level_of_measurement="interval"))
    low, high = alpha_bounds(labels) or (1.0, -1.0)
    assert found is not None
    assert low < found < high


def test_alpha_says_nothing_of_single_labels_and_of_equal_ones() -> None:
    for labels in ([[1.0], [0.0]], [[1.0, 1.0], [1.0, 1.0]]):
        assert alpha(labels) is None
        assert alpha_bounds(labels) is None


def test_ac1_stays_high_where_one_category_is_rare_and_kappa_does_not() -> None:
    table = np.array([[1.0, 4.0], [5.0, 90.0]])  # Gwet's paradox: 91 of 100 agree
    assert float(coefficient(table, [0, 1], cohen)) == pytest.approx(0.1347, abs=1e-4)
    assert float(coefficient(table, [0, 1], gwet)) == pytest.approx(0.8996, abs=1e-4)


@pytest.mark.parametrize("model", [cohen, gwet])
def test_an_interval_has_its_value_and_narrows_with_answers(model: object) -> None:
    table = np.array([[40.0, 5.0], [10.0, 45.0]])
    (low, high), (closer, above) = (bounds(times * table, [0, 1], model) for times in (1, 9))  # type: ignore[arg-type]
    value = float(coefficient(table, [0, 1], model))  # type: ignore[arg-type]
    assert -1 <= low < closer < value < above < high <= 1
    assert float(bounds(np.diag([10.0, 10.0]), [0, 1])[1]) == 1
