"""Where the noise of a mean is, against data whose components are known."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest

from pytest_pitcheval.results.records import Record, Usage
from pytest_pitcheval.results.significance.noise import (
    EXAMPLES,
    EXAMPLES_AND_PROGRAM,
    JUDGE,
    PROGRAM,
    components,
    of_records,
)

KNOWN = {EXAMPLES: 0.04, PROGRAM: 0.01, JUDGE: 0.02}


def simulated(seed: int, examples: int, rollouts: int, verdicts: int) -> list[list[list[float]]]:
    draw = np.random.default_rng(seed)
    of_examples = draw.normal(0.6, math.sqrt(KNOWN[EXAMPLES]), (examples, 1, 1))
    of_program = draw.normal(0, math.sqrt(KNOWN[PROGRAM]), (examples, rollouts, 1))
    of_judge = draw.normal(0, math.sqrt(KNOWN[JUDGE]), (examples, rollouts, verdicts))
    found: list[list[list[float]]] = (of_examples + of_program + of_judge).tolist()
    return found


@pytest.mark.parametrize(("rollouts", "verdicts"), [(2, 2), (3, 2), (2, 4), (1, 3)])
def test_estimates_are_right_on_average(rollouts: int, verdicts: int) -> None:
    found = [components(simulated(seed, 20, rollouts, verdicts)) for seed in range(60)]
    known = KNOWN if rollouts > 1 else {EXAMPLES_AND_PROGRAM: KNOWN[EXAMPLES] + KNOWN[PROGRAM], JUDGE: KNOWN[JUDGE]}
    assert set(found[0]) == set(known)
    for source, variance in known.items():
        estimates = [one[source] for one in found]
        assert statistics.mean(estimates) == pytest.approx(
            variance, abs=3.5 * statistics.stdev(estimates) / math.sqrt(60)
        )


def records(scores: list[list[list[float]]], program: int = 1, judge: int = 1) -> list[Record]:
    """Each prediction took so many calls of the program, each verdict so many of the judge."""
    return [
        Record(
            f"t.py::t[{number}]",
            "t.py::t",
            str(number),
            "none",
            "passed",
            score=statistics.mean(map(statistics.mean, one)),
            samples=tuple(map(statistics.mean, one)),
            verdicts=tuple(map(tuple, one)),
            generator=Usage(fresh=program * len(one)),
            judge=Usage(cached=judge * sum(map(len, one))),
        )
        for number, one in enumerate(scores)
    ]


def test_parts_add_up_to_the_variance_of_the_mean() -> None:
    scores = simulated(0, 50, 2, 3)
    noise = of_records(records(scores))
    assert noise is not None
    assert sum(noise.shares.values()) == pytest.approx(1)
    means = [statistics.mean(map(statistics.mean, one)) for one in scores]
    assert noise.half_width == pytest.approx(2.0096 * statistics.stdev(means) / math.sqrt(50), rel=1e-4)


@pytest.mark.parametrize(
    ("program", "judge", "steps"),
    [
        (1, 1, {"40 examples more": 320, "rollouts=4": 320, "judge_rollouts=7": 320}),
        (10, 1, {"40 examples more": 1040, "rollouts=4": 1040, "judge_rollouts=16": 1040}),
        (1, 4, {"40 examples more": 1040, "rollouts=4": 1040, "judge_rollouts=6": 960}),
    ],
)
def test_what_narrows_the_interval_is_told_with_its_calls(program: int, judge: int, steps: dict[str, int]) -> None:
    noise = of_records(records(simulated(1, 40, 2, 3), program, judge))
    assert noise is not None
    assert {step.what: step.calls for step in noise.steps} == steps
    widths = [step.half_width for step in noise.steps]
    assert widths == sorted(widths)
    assert noise.half_width is not None
    assert widths[-1] < noise.half_width
    assert f"narrowed most by {noise.steps[0].what}: ±{widths[0]:.3f}, " in noise.text


def test_a_judge_is_asked_again_where_that_is_cheap_and_its_noise_is_all_there_is() -> None:
    draw = np.random.default_rng(2)
    noise = of_records(records(draw.normal(0.5, 0.2, (40, 1, 2)).tolist(), program=20))
    assert noise is not None
    assert noise.steps[0].what == "judge_rollouts=24"


def test_a_negative_estimate_is_shown_as_nothing() -> None:
    noise = of_records(records([[[0.0, 1.0], [1.0, 0.0]]] * 6))
    assert noise is not None
    assert noise.shares == {EXAMPLES: 0, PROGRAM: 0, JUDGE: 1}
    assert noise.text.startswith("noise of the mean: examples 0 %, program 0 %, judge 100 %; ±")


def test_where_nothing_differs_there_is_no_noise() -> None:
    noise = of_records(records([[[0.1, 0.1, 0.1]]] * 6))
    assert noise is not None
    assert (noise.shares, noise.steps, noise.text) == ({}, (), "noise of the mean: none, all verdicts are the same")


def test_a_metric_that_asks_nobody_gains_nothing() -> None:
    noise = of_records(records([[[0.1, 0.1]]], judge=0))
    assert noise is not None
    assert noise.text == "judge_rollouts=2 gains nothing: the metric asks no LM"


@pytest.mark.parametrize(
    "scores",
    [
        [],
        [[[0.1, 0.2]]] * 4,
        [*[[[0.1, 0.2]]] * 5, [[0.1, 0.2, 0.3]]],
        [*[[[0.1, 0.2]]] * 5, [[0.1, 0.2], [0.1, 0.2]]],
        [[[0.1, 0.2], [0.1, 0.2, 0.3]]] * 5,
        [[[0.1], [0.2]]] * 5,
        [[[1e300, -1e300]]] * 5,
    ],
)
def test_nothing_is_said_of_few_and_of_unlike_examples(scores: list[list[list[float]]]) -> None:
    assert of_records(records(scores)) is None
