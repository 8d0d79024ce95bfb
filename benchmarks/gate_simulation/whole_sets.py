"""Metrics of the whole set and their regression gate: false alarms, and what it finds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.gate_simulation.kinds import SEED
from benchmarks.gate_simulation.rates import Rate
from pytest_pitcheval.names import ACCURACY, F1_MACRO, PEARSON, SPEARMAN
from pytest_pitcheval.results.aggregates import builtin
from pytest_pitcheval.results.aggregates.answered import Answered
from pytest_pitcheval.results.aggregates.changes import Change, Terms, change
from pytest_pitcheval.results.aggregates.computation import Computation, Item
from pytest_pitcheval.results.baselines import Measurement, Measurements
from pytest_pitcheval.results.significance.means import ALPHA

_CLASSES = (0.6, 0.3, 0.1)
"""How frequent they are: as in most suites, not equally."""

_SURE = (2.0, 0.7)
"""Of the beta distribution of the probability with which an example's class is told: some are told always."""

_RUNS = 400
"""Each run is exchanged up to 1,999 times."""


def compared(name: str, examples: int, rollouts: tuple[int, int], worse: float, limit: float, seed: int) -> Change:
    """A metric in a baseline and a run, drawn at random; in the run, answers are ``worse``.

    Classes are told right with a probability that is lower by that; numbers with a standard error that is larger by it.
    """
    random = np.random.default_rng((SEED, examples, *rollouts, round(1000 * worse), seed))
    draw = _classes if name in (ACCURACY, F1_MACRO) else _numbers
    labels, before, after = draw(random, examples, rollouts, worse)
    rows = [
        Answered(str(n), {}, {"topic": labels[n]}, tuple({"topic": one} for one in after[n])) for n in range(examples)
    ]
    then = {
        str(n): Measurement((0.0,) * len(before[n]), predictions=tuple({"topic": one} for one in before[n]))
        for n in range(examples)
    }

    def prepare(items: Sequence[Item]) -> Computation:
        return builtin.prepare(name, items)

    return change(rows, Measurements(then), "none", prepare, Terms(limit))


def _classes(random: np.random.Generator, examples: int, rollouts: tuple[int, int], worse: float) -> Any:
    labels = random.choice(len(_CLASSES), size=examples, p=_CLASSES)
    sure = random.beta(*_SURE, size=(examples, 1))
    found = []
    for count, lower in zip(rollouts, (0.0, worse), strict=True):
        right = random.random((examples, count)) < np.maximum(sure - lower, 0)
        wrong = (labels[:, None] + random.integers(1, len(_CLASSES), size=right.shape)) % len(_CLASSES)
        found.append(np.where(right, labels[:, None], wrong).tolist())
    return labels.tolist(), *found


def _numbers(random: np.random.Generator, examples: int, rollouts: tuple[int, int], worse: float) -> Any:
    labels = random.normal(size=(examples, 1))
    own = labels + random.normal(scale=0.3, size=labels.shape)
    found = []
    for count, more in zip(rollouts, (0.0, worse), strict=True):
        found.append((own + random.normal(scale=0.4 + more, size=(examples, count))).tolist())
    return labels[:, 0].tolist(), *found


def cell(name: str, examples: int, rollouts: tuple[int, int], worse: float, limit: float, runs: int) -> Rate:
    """In how many runs a drop by more than the limit is established."""
    found = (compared(name, examples, rollouts, worse, limit, seed) for seed in range(runs))
    return Rate(sum(one.drop > limit and one.p is not None and one.p < ALPHA for one in found), runs)


_DETECTED = (
    (ACCURACY, 50, (1, 1)),
    (ACCURACY, 50, (3, 3)),
    (ACCURACY, 200, (1, 1)),
    (F1_MACRO, 50, (1, 1)),
    (F1_MACRO, 50, (3, 3)),
)

_HEAD = "metric     examples  rollouts  worse  limit  the gate fails"


def line(name: str, examples: int, rollouts: tuple[int, int], worse: float, limit: float, runs: int) -> str:
    rate = cell(name, examples, rollouts, worse, limit, runs)
    told = f"{rate:!}" if not worse else f"{rate}"
    return f"{name:<10} {examples:8}  {rollouts[0]} and {rollouts[1]:<2}  {worse:5.2f}  {limit:5.2f}  {told}"


def whole_set_lines(runs: int = _RUNS) -> Iterator[str]:
    yield f"\nFalse alarms: a metric of the whole set, nothing has changed; {runs:,} runs a cell"
    yield _HEAD
    for name in (ACCURACY, F1_MACRO, PEARSON, SPEARMAN):
        for examples in (20, 50):
            for rollouts in ((1, 1), (3, 1)):
                yield line(name, examples, rollouts, 0.0, 0.0, runs)
    yield f"\nDetection: answers are worse; max_regression=0.03; {runs:,} runs a cell"
    yield _HEAD
    for name, examples, rollouts in _DETECTED:
        yield line(name, examples, rollouts, 0.1, 0.03, runs)
