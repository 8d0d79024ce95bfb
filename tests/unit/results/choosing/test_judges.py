"""Several judges of one exam side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from pytest_pitcheval.reports.choosing.tables import tables
from pytest_pitcheval.results.choosing.judges import compare_judges
from pytest_pitcheval.results.choosing.side_by_side import compare_methods
from pytest_pitcheval.results.exams.agreement import difference
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.results.records import Record, Usage

PEOPLE = [n % 2 for n in range(40)]
A, B, C = (Key("t.py::test", "none", "", f"openai/{name}") for name in "abc")


def exam(key: Key, verdicts: Sequence[float], people: Sequence[float] = PEOPLE, cost: float = 0.5) -> list[Record]:
    return [
        Record(
            **key._asdict(),
            nodeid=f"{key.test}[{key.evaluator}-{n}]",
            example_id=str(n),
            status="passed",
            score=verdict,
            samples=(verdict,),
            threshold=0.5,
            people=(label,),
            judge=Usage(fresh=1, cost=cost),
        )
        for n, (verdict, label) in enumerate(zip(verdicts, people, strict=True))
    ]


def wrong(*places: int) -> list[float]:
    return [float(1 - label if n in places else label) for n, label in enumerate(PEOPLE)]


def test_the_best_is_the_highest_kappa_and_the_cheapest_within_noise_is_marked() -> None:
    far = wrong(*range(0, 40, 3))
    found = compare_judges({A: exam(A, wrong(1), cost=0.5), B: exam(B, wrong(2), cost=0.1), C: exam(C, far, cost=0.01)})
    assert found[A].kappa == pytest.approx(cohen_kappa_score(PEOPLE, wrong(1)))
    assert {key: (one.best, one.worth.is_cheapest) for key, one in found.items()} == {
        A: (True, False),
        B: (True, True),
        C: (False, False),
    }
    more = found[C].more_agreement
    assert more is not None
    assert more.difference == pytest.approx(-13 / 40)
    assert found[C].worth.cost == pytest.approx(0.01)
    assert (found[A].more_kappa, found[A].more_agreement) == (None, None)


def test_judges_of_parameters_are_compared_too() -> None:
    keys = [Key(f"t.py::test[{name}]", "none") for name in ("strict", "kind")]
    records = [*exam(keys[0], wrong(1)), *exam(keys[1], wrong(*range(0, 40, 3)))]
    strict, kind = compare_methods(keys, {}, records)
    assert (strict.function, kind.first, strict.best, kind.best) == ("t.py::test", "strict none", True, False)
    [table] = tables([strict, kind])
    assert (table.test, table.words) == ("t.py::test", "best: strict; no other is within noise of it")
    assert [row.models for row in table.rows] == ["strict", "strict", "kind", "kind"]


def test_of_too_few_labels_of_one_kind_or_one_judge_nothing_is_said() -> None:
    few = {key: exam(key, wrong()[:19], PEOPLE[:19]) for key in (A, B)}
    alike = {key: exam(key, [1.0] * 40, [1.0] * 40) for key in (A, B)}
    assert [compare_judges(one) for one in (few, alike, {A: exam(A, wrong())}, {})] == [{}] * 4


def test_only_answers_that_both_have_judged_are_compared() -> None:
    found = compare_judges({A: exam(A, wrong(0)), B: exam(B, wrong(0))[1:]})
    more = found[B].more_kappa
    assert more is not None
    assert (more.value, more.ci95) == (0.0, (0.0, 0.0))
    assert found[B].kappa > found[A].kappa


def test_the_interval_of_a_difference_has_the_truth_about_as_often_as_it_says() -> None:
    rng, held, times = np.random.default_rng(0), 0, 400
    for _ in range(times):
        people = rng.integers(0, 2, 80)
        first, second = (np.where(rng.random(80) < right, people, 1 - people) for right in (0.85, 0.75))
        low, high = difference(people.tolist(), first.tolist(), second.tolist(), (0.0, 1.0)).ci95
        held += low <= -0.2 <= high  # kappa is twice the share beyond a half where both labels are as frequent
    assert 0.92 <= held / times <= 0.985
