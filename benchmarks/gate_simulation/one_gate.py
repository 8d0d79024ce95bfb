"""One test and its regression gate: false alarms, detection, power, and the coverage of intervals."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.gate_simulation import batches
from benchmarks.gate_simulation.comparing import holds
from benchmarks.gate_simulation.kinds import EVEN, HIGH, KINDS, REPEATS, SEED, Array, Kind
from benchmarks.gate_simulation.rates import Rate
from pytest_pitcheval.results.deciding.limits import DEFAULT_MAX_REGRESSION
from pytest_pitcheval.results.significance import means, paired
from pytest_pitcheval.results.significance import power as powers
from pytest_pitcheval.results.significance.means import ALPHA


@dataclasses.dataclass(frozen=True)
class Cell:
    """What the gate said in the runs of one cell.

    Attributes:
        established: the drop has a p-value below 5 %, whatever its size.
        failed: the gate failed with its default limit.
        by_signs: the drop would be established if signs alone were permuted.
        moved: mean share of the examples whose score differs.
        beyond: runs with more moved examples than have their signs permuted.
    """

    established: Rate
    failed: Rate
    by_signs: Rate
    moved: float
    beyond: Rate


def cell(before: Array, after: Array) -> Cell:
    """Compare baselines and runs: scores of the shape (runs, examples, rollouts)."""
    runs, differences = len(before), batches.differences_of(before, after)
    p, moved = batches.drop_p(before, after), np.count_nonzero(differences, axis=1)
    fell = differences.mean(axis=1) < -DEFAULT_MAX_REGRESSION
    return Cell(
        _rate(p < ALPHA),
        _rate((p < ALPHA) & fell),
        _rate(batches.signs_p(differences) < ALPHA),
        float(moved.mean()) / before.shape[1],
        Rate(int(np.count_nonzero(moved > paired.MOST_PERMUTED)), runs),
    )


def _rate(found: NDArray[np.bool_]) -> Rate:
    return Rate(int(np.count_nonzero(found)), len(found))


def unchanged(kind: Kind, examples: int, before: int, after: int, runs: int, repeats: float = 0.0) -> list[Array]:
    """Baselines and runs of the same program, with so many rollouts: scores (runs, examples, rollouts).

    ``repeats``: the share of an example's rollouts that score what another one of the same run did.
    """
    random = np.random.default_rng((SEED, examples, before, after))
    means = random.beta(*kind.means, (runs, examples))
    found = []
    for count in (before, after):
        scores = kind.scores(random, (count, *means.shape), means)
        if repeats:
            same = kind.scores(random, means.shape, means)
            scores = np.where(random.random(scores.shape) < repeats, same, scores)
        found.append(np.moveaxis(scores, 0, -1))
    return found


def dropped(examples: int, drop: float, runs: int, spread: float = 0.2) -> list[Array]:
    """One rollout each; the differences are normal, with ``-drop`` for their mean and ``spread``."""
    random = np.random.default_rng((SEED, examples, round(drop * 1000)))
    before = np.full((runs, examples, 1), 0.5)
    return [before, before + random.normal(-drop, spread, before.shape)]


def equal(name: str, kind: Kind, examples: int, rollouts: int, runs: int) -> str:
    """One line: how often a drop is established where nothing has changed."""
    found = cell(*unchanged(kind, examples, rollouts, rollouts, runs))
    return f"{name:<8} {examples:9} {rollouts:9} {found.moved:7.0%}  {found.established:!}  {found.failed:!}"


def unequal(name: str, kind: Kind, examples: int, rollouts: tuple[int, int], runs: int, repeats: float = 0.0) -> str:
    """One line: the same, with other rollouts in the baseline than in the run."""
    found = cell(*unchanged(kind, examples, *rollouts, runs, repeats))
    counts = f"{rollouts[0]} and {rollouts[1]}"
    return f"{name:<8} {examples:9} {counts:>9}  {found.established:!}  {found.failed:!}  {found.by_signs:!}"


def beyond(name: str, kind: Kind, examples: int, rollouts: int, runs: int) -> str:
    """One line: the same, and how many runs were decided by the t-test."""
    found = cell(*unchanged(kind, examples, rollouts, rollouts, runs))
    return f"{name:<8} {examples:9} {rollouts:9} {found.beyond.share:10.0%}  {found.established:!}"


def detection(examples: int, drop: float, runs: int) -> str:
    """One line: how often a drop is established, and fails the gate."""
    found = cell(*dropped(examples, drop, runs))
    return f"{examples:8} {drop:10.2f}  {found.established}  {found.failed}"


def power(examples: int, runs: int) -> tuple[Rate, Rate]:
    """How often a drop is established that is as large as the `smallest_drop` of another sample, and of this one.

    "This one" stands for a sample whose standard deviation is known: 0.2, as that of all differences.
    """
    random = np.random.default_rng((SEED, examples))
    known = powers.smallest_drop(spread_exactly(examples)) or 0.0
    others, differences = random.normal(0, 0.2, (2, runs, examples))
    drops = np.array([[powers.smallest_drop(other) or 0.0] for other in others.tolist()])
    by_other, by_known = (batches.signs_p(differences - drop) < ALPHA for drop in (drops, known))
    return _rate(by_other), _rate(by_known)


def spread_exactly(examples: int) -> list[float]:
    """Differences whose standard deviation is 0.2."""
    values = np.arange(examples, dtype=np.float64)
    return [float(value) for value in 0.2 * values / values.std(ddof=1)]


def coverage(kind: Kind, examples: int, rollouts: int, runs: int) -> tuple[Rate, Rate]:
    """How often the 95 % intervals hold the true value: of the difference (which is 0), and of the run's mean."""
    before, after = (scores.mean(axis=2) for scores in unchanged(kind, examples, rollouts, rollouts, runs))
    found = map(paired.paired_difference, (after - before).tolist())
    difference = sum(holds(one.ci95 if one else None, 0.0) for one in found)
    mean = sum(holds(means.interval(scores), kind.mean) for scores in after.tolist())
    return Rate(difference, runs), Rate(mean, runs)


def equal_lines(runs: int) -> Iterator[str]:
    yield "\nFalse alarms: nothing has changed, as many rollouts in the baseline as in the run"
    yield "scores    examples  rollouts  differ  any drop       drop above 0.05"
    for name, kind in KINDS.items():
        for examples in (10, 20, 50, 200):
            for rollouts in (1, 3, 5):
                yield equal(name, kind, examples, rollouts, runs)


def unequal_lines(runs: int) -> Iterator[str]:
    yield "\nFalse alarms with other rollouts in the baseline than in the run"
    yield "scores    examples  rollouts  any drop       above 0.05     if signs alone were permuted"
    for name, kind in {**KINDS, "0/1 high": HIGH}.items():
        for examples in (20, 50):
            for rollouts in ((5, 1), (10, 1), (10, 3), (1, 5)):
                yield unequal(name, kind, examples, rollouts, runs)
    yield f"the same, where {REPEATS:.0%} of the rollouts of an example and a run score alike"
    for name, kind in {**KINDS, "0/1 high": HIGH}.items():
        for rollouts in ((5, 1), (10, 3), (1, 5)):
            yield unequal(name, kind, 50, rollouts, runs, REPEATS)


def beyond_lines(runs: int) -> Iterator[str]:
    yield f"\nFalse alarms where more than {paired.MOST_PERMUTED} examples differ: the t-test"
    yield "scores    examples  rollouts  by t-test  any drop"
    for examples, rollouts in ((200, 1), (200, 3), (200, 5), (400, 1)):
        yield beyond("0/1 even", EVEN, examples, rollouts, runs)
    yield beyond("0/1", KINDS["0/1"], 800, 1, runs)


def detection_lines(runs: int) -> Iterator[str]:
    yield "\nDetection: normal differences with a standard deviation of 0.2"
    yield "examples  true drop  established   fails at 0.05"
    for examples in (20, 50, 200):
        for drop in (0.05, 0.10):
            yield detection(examples, drop, runs)
    yield "\nPower, promised to be 80 %: the true drop is the smallest drop by ..."
    yield "examples  another sample  the known standard deviation"
    for examples in (5, 6, 8, 10, 20, 50, 200):
        other, known = power(examples, runs)
        yield f"{examples:8}  {other}    {known}"


def coverage_lines(runs: int) -> Iterator[str]:
    yield "\nCoverage of the 95 % intervals"
    yield "scores    examples  rollouts  difference     mean"
    for name, kind in KINDS.items():
        for examples in (10, 50):
            for rollouts in (1, 5):
                difference, mean = coverage(kind, examples, rollouts, runs)
                yield f"{name:<8} {examples:9} {rollouts:9}  {difference}  {mean}"
