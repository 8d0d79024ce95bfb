"""How often the regression gate errs: simulated baselines and runs, compared and decided by the plugin's own code."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Mapping
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from pytest_pitcheval.names import MAX_EXAMPLE_DROP, MAX_REGRESSION, Family
from pytest_pitcheval.results import gates
from pytest_pitcheval.results.baselines import Measurement, Measurements
from pytest_pitcheval.results.comparison import Comparison, Coverage, compare
from pytest_pitcheval.results.records import Key, Usage
from pytest_pitcheval.results.significance import means, paired
from pytest_pitcheval.results.significance import power as powers
from pytest_pitcheval.results.significance.means import ALPHA
from pytest_pitcheval.results.summaries import Summary

SEED = 20_250_101
RUNS = 2_000
KEY = ("test", "none")
SUMMARY = Summary(*KEY, 0, 0, 0, 0, None, None, Usage(), Usage(), Usage(), 0.0, (), {})

Array = NDArray[np.float64]
Random = np.random.Generator


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of scores: each example has its own mean, drawn from a beta distribution.

    Attributes:
        means: the two parameters of that distribution.
        scores: scores of the shape (rollouts, examples), given the shape and the examples' means.
    """

    means: tuple[float, float]
    scores: Callable[[Random, tuple[int, int], Array], Array]

    @property
    def mean(self) -> float:
        """The mean score of all examples there could be."""
        return self.means[0] / sum(self.means)

    def draw(self, random: Random, examples: int, *rollouts: int) -> list[Array]:
        """The same examples measured several times, with ``rollouts`` each."""
        means = random.beta(*self.means, examples)
        return [self.scores(random, (count, examples), means) for count in rollouts]


def beta_scores(random: Random, shape: tuple[int, int], means: Array) -> Array:
    """Skewed scores; their standard deviation is a third of that of 0/1 scores."""
    return random.beta(8 * means, 8 * (1 - means), shape)


def grid_scores(steps: int) -> Callable[[Random, tuple[int, int], Array], Array]:
    """Scores on a grid of so many steps from 0 to 1; one step makes 0/1 scores."""
    return lambda random, shape, means: random.binomial(steps, means, shape) / steps


KINDS = {
    "skewed": Kind((5, 1.5), beta_scores),
    "0/1": Kind((0.6, 0.2), grid_scores(1)),
    "tied": Kind((1.5, 0.5), grid_scores(4)),
}
"""Tied: 0, 0.25, 0.5, 0.75 and 1. The pass probabilities of 0/1 scores have their peaks at 0 and at 1."""

HIGH = Kind((4, 0.5), grid_scores(1))
"""0/1 scores of which most are 1: with other rollouts in the baseline than in the run, very skewed differences."""

EVEN = Kind((1, 1), grid_scores(1))
"""0/1 scores with any pass probability as likely as any other: many examples differ from run to run."""


@dataclasses.dataclass(frozen=True)
class Rate:
    """So many of ``runs``."""

    count: int
    runs: int

    @property
    def share(self) -> float:
        return self.count / self.runs

    @property
    def error(self) -> float:
        """The standard error of the share."""
        return math.sqrt(self.share * (1 - self.share) / self.runs)

    @property
    def excessive(self) -> bool:
        """Above 5 % by more than two standard errors of a rate of 5 %: by chance in 2 % of the cells at 5 %."""
        return self.share > ALPHA + 2 * math.sqrt(ALPHA * (1 - ALPHA) / self.runs)

    def __format__(self, spec: str) -> str:
        """``  6.2 % ±0.54``; followed by a ``!`` if that is the ``spec`` and the rate excessive."""
        mark = ("!" if self.excessive else " ") if spec else ""
        return f"{100 * self.share:5.1f} % ±{100 * self.error:4.2f}{mark}"


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


def measurements(scores: Array) -> Measurements:
    """Scores of the shape (rollouts, examples), as a baseline file or a run has them."""
    return Measurements({f"{i}": Measurement(tuple(samples)) for i, samples in enumerate(scores.T.tolist())})


def comparison_of(before: Array, after: Array) -> Comparison:
    """What a run makes of them."""
    old, new = measurements(before), measurements(after)
    return compare(KEY, KEY[1], old, new, Coverage(new.examples.keys()))


def fails(comparison: Comparison, limit: float = gates.DEFAULT_MAX_REGRESSION) -> bool:
    """Whether the regression gate fails a run."""
    [result] = gates.decide([SUMMARY], lambda _: {MAX_REGRESSION: limit}, {KEY: comparison})
    return result.status == "failed"


def p_drop(comparison: Comparison) -> float:
    """The p-value that the gate goes by."""
    assert comparison.result is not None
    return comparison.result.p_drop


def cell(pairs: Iterator[tuple[Array, Array]], runs: int) -> Cell:
    """Compare and decide ``runs`` pairs of a baseline and a run."""
    found = [comparison_of(*next(pairs)) for _ in range(runs)]
    differences = [[fmean(pair.after) - fmean(pair.before) for pair in one.pairs] for one in found]
    moved = [sum(map(bool, one)) for one in differences]
    return Cell(
        Rate(sum(p_drop(one) < ALPHA for one in found), runs),
        Rate(sum(map(fails, found)), runs),
        Rate(sum(paired.p_value(one) < ALPHA for one in differences), runs),
        sum(moved) / sum(map(len, differences)),
        Rate(sum(count > paired.MOST_PERMUTED for count in moved), runs),
    )


def unchanged(kind: Kind, examples: int, before: int, after: int) -> Iterator[tuple[Array, Array]]:
    """A baseline and a run of the same program, with so many rollouts."""
    random = np.random.default_rng((SEED, examples, before, after))
    while True:
        old, new = kind.draw(random, examples, before, after)
        yield old, new


def dropped(examples: int, drop: float, spread: float = 0.2) -> Iterator[tuple[Array, Array]]:
    """One rollout each; the differences are normal, with ``-drop`` for their mean and ``spread``."""
    random = np.random.default_rng((SEED, examples, round(drop * 1000)))
    while True:
        before = np.full((1, examples), 0.5)
        yield before, before + random.normal(-drop, spread, (1, examples))


def equal(name: str, kind: Kind, examples: int, rollouts: int, runs: int) -> str:
    """One line: how often a drop is established where nothing has changed."""
    found = cell(unchanged(kind, examples, rollouts, rollouts), runs)
    return f"{name:<8} {examples:9} {rollouts:9} {found.moved:7.0%}  {found.established:!}  {found.failed:!}"


def unequal(name: str, kind: Kind, examples: int, rollouts: tuple[int, int], runs: int) -> str:
    """One line: the same, with other rollouts in the baseline than in the run."""
    found = cell(unchanged(kind, examples, *rollouts), runs)
    counts = f"{rollouts[0]} and {rollouts[1]}"
    return f"{name:<8} {examples:9} {counts:>9}  {found.established:!}  {found.failed:!}  {found.by_signs:!}"


def beyond(name: str, kind: Kind, examples: int, rollouts: int, runs: int) -> str:
    """One line: the same, and how many runs were decided by the t-test."""
    found = cell(unchanged(kind, examples, rollouts, rollouts), runs)
    return f"{name:<8} {examples:9} {rollouts:9} {found.beyond.share:10.0%}  {found.established:!}"


def detection(examples: int, drop: float, runs: int) -> str:
    """One line: how often a drop is established, and fails the gate."""
    found = cell(dropped(examples, drop), runs)
    return f"{examples:8} {drop:10.2f}  {found.established}  {found.failed}"


@dataclasses.dataclass(frozen=True)
class Suite:
    """Tests of a session, all with the same kind of scores.

    Attributes:
        limits: the gates of each test.
        broken: the first test's first examples whose every rollout is 0 now, and all of them were 1.
        worse: by how much the scores of the first test's examples are lower now.
    """

    kind: Kind
    tests: int
    examples: int
    rollouts: int
    limits: Mapping[str, float]
    broken: int = 0
    worse: float = 0.0

    def sessions(self) -> Iterator[tuple[list[Summary], dict[Key, Comparison]]]:
        """Summaries and comparisons of one session after the other, each with a baseline of its own."""
        random = np.random.default_rng((SEED, self.tests, self.examples, self.rollouts, self.broken))
        summaries = [dataclasses.replace(SUMMARY, test=f"test{number}") for number in range(self.tests)]
        while True:
            pairs = [self.kind.draw(random, self.examples, self.rollouts, self.rollouts) for _ in summaries]
            pairs[0][1] -= self.worse
            for scores, score in zip(pairs[0], (1.0, 0.0), strict=True):
                scores[:, : self.broken] = score
            compared = [comparison_of(*pair) for pair in pairs]
            yield (
                summaries,
                {s.key: dataclasses.replace(c, test=s.test) for s, c in zip(summaries, compared, strict=True)},
            )

    def rates(self, runs: int) -> dict[Family, tuple[Rate, Rate]]:
        """How often the first test fails a gate, and how often any test does, by family."""
        counts: dict[Family, list[int]] = {"holm": [0, 0], "none": [0, 0]}
        sessions = self.sessions()
        for _ in range(runs):
            summaries, comparisons = next(sessions)
            for family, found in counts.items():
                decided = gates.decide(summaries, lambda _: self.limits, comparisons, family=family)
                failed = {gate.test for gate in decided if gate.status == "failed"}
                found[0] += "test0" in failed
                found[1] += bool(failed)
        return {family: (Rate(found[0], runs), Rate(found[1], runs)) for family, found in counts.items()}


def session(name: str, suite: Suite, runs: int) -> str:
    """One line: how often a session fails, with one error rate and with one for each gate."""
    found = suite.rates(runs)
    size = f"{suite.tests:5} {suite.examples:9} {suite.rollouts:9}"
    return f"{name:<8} {size}  {found['holm'][1]:!}  {found['none'][1]}"


def affected(name: str, suite: Suite, runs: int) -> str:
    """One line: how often the test that got worse fails, with one error rate and with one for each gate."""
    found = suite.rates(runs)
    size = f"{suite.tests:5} {suite.examples:9} {suite.rollouts:9}"
    return f"{name:<28} {size}  {found['holm'][0]}  {found['none'][0]}"


def power(examples: int, runs: int) -> tuple[Rate, Rate]:
    """How often a drop is established that is as large as the `smallest_drop` of another sample, and of this one.

    "This one" stands for a sample whose standard deviation is known: 0.2, as that of all differences.
    """
    random = np.random.default_rng((SEED, examples))
    known = powers.smallest_drop(spread_exactly(examples)) or 0.0
    by_other = by_known = 0
    for _ in range(runs):
        other, differences = random.normal(0, 0.2, (2, examples))
        drop = powers.smallest_drop(other.tolist()) or 0.0
        by_other += paired.p_value((differences - drop).tolist()) < ALPHA
        by_known += paired.p_value((differences - known).tolist()) < ALPHA
    return Rate(by_other, runs), Rate(by_known, runs)


def spread_exactly(examples: int) -> list[float]:
    """Differences whose standard deviation is 0.2."""
    values = np.arange(examples, dtype=np.float64)
    return [float(value) for value in 0.2 * values / values.std(ddof=1)]


def coverage(kind: Kind, examples: int, rollouts: int, runs: int) -> tuple[Rate, Rate]:
    """How often the 95 % intervals hold the true value: of the difference (which is 0), and of the run's mean."""
    pairs = unchanged(kind, examples, rollouts, rollouts)
    difference = mean = 0
    for _ in range(runs):
        before, after = (scores.mean(axis=0).tolist() for scores in next(pairs))
        found = paired.paired_difference([new - old for old, new in zip(before, after, strict=True)])
        difference += holds(found.ci95 if found else None, 0.0)
        mean += holds(means.interval(after), kind.mean)
    return Rate(difference, runs), Rate(mean, runs)


def holds(interval: tuple[float, float] | None, value: float) -> bool:
    """Whether ``value`` lies in it."""
    return interval is not None and interval[0] <= value <= interval[1]


def main(runs: int = RUNS) -> None:
    """Print all tables."""
    started = time.perf_counter()
    for line in lines(runs):
        print(line.rstrip(), flush=True)
    print(f"{time.perf_counter() - started:.0f} s")


def lines(runs: int) -> Iterator[str]:
    """The tables, line by line."""
    yield f"{runs:,} simulated runs a cell; ± is one standard error of the simulation, in points."
    yield f"! is above 5 % by more than two standard errors, which are {200 * Rate(runs // 20, runs).error:.2f} points."
    yield from equal_lines(runs)
    yield from unequal_lines(runs)
    yield from beyond_lines(runs)
    yield from detection_lines(runs)
    yield from coverage_lines(runs)
    yield from session_lines(runs)
    yield from affected_lines(runs)


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
            for rollouts in ((5, 1), (1, 5)):
                yield unequal(name, kind, examples, rollouts, runs)


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


def session_lines(runs: int) -> Iterator[str]:
    yield "\nFalse alarms of a whole session: nothing has changed, any gate fails"
    yield "scores   tests  examples  rollouts  one error rate  one for each gate"
    yield "max_regression, limit 0"
    for name, kind in KINDS.items():
        for tests in (1, 10, 20, 40):
            yield session(name, Suite(kind, tests, 20, 1, {MAX_REGRESSION: 0.0}), runs)
    yield "max_regression and max_example_drop, limit 0"
    both = {MAX_REGRESSION: 0.0, MAX_EXAMPLE_DROP: 0.0}
    for name, kind in {"0/1": KINDS["0/1"], "0/1 even": EVEN, "skewed": KINDS["skewed"]}.items():
        for tests, rollouts in ((1, 5), (10, 3), (10, 5)):
            yield session(name, Suite(kind, tests, 20, rollouts, both), runs)


def affected_lines(runs: int) -> Iterator[str]:
    yield "\nDetection: the first test got worse, and fails a gate"
    yield "what                         tests  examples  rollouts  one error rate  one for each gate"
    drop, mean = {MAX_EXAMPLE_DROP: 0.5}, {MAX_REGRESSION: 0.05}
    for examples in (8, 50):
        yield affected("one example broke", Suite(KINDS["0/1"], 1, examples, 5, drop, broken=1), runs)
    for tests in (1, 20):
        for rollouts in (3, 5):
            suite = Suite(KINDS["skewed"], tests, 50, rollouts, mean, worse=0.1)
            yield affected("all examples 0.10 worse", suite, runs)
