"""What a mean would be if people had judged: the estimates, and whether their intervals keep what they promise."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest

from benchmarks import corrected as simulation
from pytest_pitcheval.results.exams.correcting import Pairs, Scores, least_able, prediction_powered, rogan_gladen

LABELS = [(1.0, 0.9), (0.0, 0.4), (1.0, 0.7), (0.0, 0.1), (1.0, 0.8), (0.0, 0.6), (1.0, 0.6), (0.0, 0.2)] * 4


def test_a_judge_that_says_what_people_say_is_believed_of_all_answers() -> None:
    labelled, others = [(1.0, 1.0), (0.0, 0.0)] * 10, [1.0] * 3000 + [0.0] * 1000
    found = prediction_powered(Pairs.of(labelled), Scores.of(others))
    assert found.value == pytest.approx(0.75, abs=0.01)
    assert found.low < found.value < found.high


def test_a_judge_that_knows_nothing_is_not_asked() -> None:
    labelled = [(1.0, 0.5), (0.0, 0.5), (1.0, 0.5)] * 10
    for others in (Scores.of([0.9] * 50), Scores.of([0.9]), None):
        assert prediction_powered(Pairs.of(labelled), others).value == pytest.approx(2 / 3)


def test_the_judge_is_relied_on_as_far_as_narrows_the_interval_most() -> None:
    others = [0.3, 0.8, 0.9, 0.5, 0.7, 0.2] * 10
    people, judge = (np.array(column) for column in zip(*LABELS, strict=True))

    def variance(reliance: float) -> float:
        rest = statistics.variance(people - reliance * judge) / len(LABELS)
        return float(rest + reliance**2 * statistics.variance(others) / len(others))

    best = min((step / 1000 for step in range(1001)), key=variance)
    found = prediction_powered(Pairs.of(LABELS), Scores.of(others))
    assert found.value == pytest.approx(people.mean() + best * (np.mean(others) - judge.mean()), abs=1e-3)
    assert found.high - found.low < 4 * math.sqrt(statistics.variance(people) / len(LABELS))


def test_a_share_is_corrected_for_what_the_judge_gets_wrong() -> None:
    passed = Scores.of([1.0] * 66 + [0.0] * 34)  # 0.6 * 0.9 + 0.4 * 0.3
    found = rogan_gladen(passed, good=(45.0, 50.0), bad=(35.0, 50.0))
    assert found.value == pytest.approx(0.6)
    assert found.low < 0.6 < found.high
    wider = rogan_gladen(passed, good=(9.0, 10.0), bad=(7.0, 10.0))
    assert wider.value == pytest.approx(0.6)
    assert wider.high - wider.low > found.high - found.low


def test_a_share_stays_one_and_several_rollouts_tell_more_than_one() -> None:
    assert rogan_gladen(Scores.of([0.0] * 20 + [1.0]), (18.0, 20.0), (14.0, 20.0)).value == 0
    once = rogan_gladen(Scores.of([1.0, 0.0] * 30), (45.0, 50.0), (45.0, 50.0))
    often = rogan_gladen(Scores.of([0.6, 0.4] * 30), (45.0, 50.0), (45.0, 50.0))
    assert often.value == once.value
    assert often.high - often.low < once.high - once.low


def test_a_judge_must_tell_good_from_bad() -> None:
    assert least_able((45.0, 50.0), (45.0, 50.0)) > 0.5
    assert least_able((30.0, 50.0), (25.0, 50.0)) < 0


@pytest.mark.parametrize("way", ["powered", "scores", "rates"])
def test_simulated_runs_are_corrected_and_their_intervals_have_the_truth(
    monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """The judge's own mean is off by 0.1 and more in each; ``python -m benchmarks judges`` shows many more."""
    monkeypatch.setattr(simulation, "RUNS", 1000)
    monkeypatch.setattr(simulation, "SIZES", (100,))
    monkeypatch.setattr(simulation, "PREVALENCES", (0.3, 0.8))
    monkeypatch.setattr(simulation, "JUDGES", ((0.7, 0.7),))
    kinds = {"powered": simulation.passing, "scores": simulation.scoring}
    for one in simulation.by_rates() if way == "rates" else simulation.powered(kinds[way]):
        assert abs(one.raw) > 0.08, one
        assert abs(one.bias) < 0.01, one
        assert 0.93 <= one.covered <= 0.99, one
