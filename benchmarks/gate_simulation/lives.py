"""The life of a baseline: how many of all later runs a lucky one makes fail, though nothing has changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.gate_simulation.batches import FEW, MANY, drop_p
from benchmarks.gate_simulation.kinds import KINDS, SEED, Array, Kind
from pytest_pitcheval.results.deciding.limits import DEFAULT_MAX_REGRESSION
from pytest_pitcheval.results.significance.means import ALPHA, ROUNDING

BASELINES, LATER_RUNS = 1_000, 200
OFTEN = 0.2


@dataclasses.dataclass(frozen=True)
class Life:
    """Baselines of ``runs`` runs, and the runs that are compared with them, with as many ``rollouts`` each.

    Attributes:
        most: of so many newest samples of each example is a baseline.
        limit: of the regression gate.
        tests: so many tests have a gate each.
    """

    kind: Kind
    examples: int
    rollouts: int
    runs: int
    most: int
    limit: float = DEFAULT_MAX_REGRESSION
    tests: int = 1

    def alarms(self, baselines: int, later: int) -> Array:
        """The share of ``later`` runs in which any gate fails, for each of so many baselines."""
        random = np.random.default_rng((SEED, self.examples, self.rollouts, self.runs, self.most))
        return np.array([self._share(random, later) for _ in range(baselines)])

    def _share(self, random: np.random.Generator, later: int) -> float:
        failed = np.zeros(later, np.bool_)
        for _ in range(self.tests):
            failed |= self._fails(random, later)
        return float(failed.mean())

    def _fails(self, random: np.random.Generator, later: int) -> NDArray[np.bool_]:
        """Whether the gate of one test fails, by later run; that of several is as strict as Holm's first one."""
        means = random.beta(*self.kind.means, self.examples)
        before = self.kind.scores(random, (self.runs * self.rollouts, self.examples), means)[-self.most :].T
        after = self.kind.scores(random, (later * self.rollouts, self.examples), means).T
        after = after.reshape(self.examples, later, self.rollouts).swapaxes(0, 1)
        failed: NDArray[np.bool_] = before.mean() - after.mean(axis=(1, 2)) > self.limit + ROUNDING
        dropped = after[failed]
        if len(dropped):
            same = np.broadcast_to(before, (len(dropped), *before.shape))
            failed[failed] = drop_p(same, dropped, MANY if self.tests > 1 else FEW) < ALPHA / self.tests
        return failed


def line(name: str, life: Life, baselines: int, later: int) -> str:
    """How many of all runs fail, of what share of baselines more than 20 % do, and how many of the worst one's."""
    found = life.alarms(baselines, later)
    often = np.count_nonzero(found > OFTEN) / baselines
    samples = min(life.most, life.runs * life.rollouts)
    size = f"{life.tests:5} {life.examples:9} {life.rollouts:9} {life.runs:5} {samples:8} {life.limit:6.2f}"
    return f"{name:<8} {size}  {100 * found.mean():6.1f} % {100 * often:12.1f} % {100 * found.max():6.0f} %"


def life_lines(baselines: int = BASELINES, later: int = LATER_RUNS) -> Iterator[str]:
    yield f"\nThe life of a baseline: nothing changes in {later} runs after it; {baselines:,} baselines a line"
    yield "of so many runs, each with as many rollouts as a later one; how many runs fail max_regression,"
    yield "how many baselines make more than 20 % of the later runs fail, and how many the worst one does"
    yield "scores   tests  examples  rollouts  runs  samples  limit     fail  above 20 %    worst"
    for name, kind in KINDS.items():
        for examples in (20, 50):
            for rollouts, runs, most in ((1, 1, 10), (1, 5, 10), (3, 1, 10), (3, 5, 10), (5, 1, 10), (5, 5, 10)):
                yield line(name, Life(kind, examples, rollouts, runs, most), baselines, later)
    for name, kind in KINDS.items():
        for rollouts, runs, most in ((1, 1, 10), (1, 5, 10), (3, 5, 10), (3, 5, 15), (5, 5, 10), (5, 5, 25)):
            yield line(name, Life(kind, 50, rollouts, runs, most, limit=0.0), baselines, later)
    for name, kind in KINDS.items():
        for runs in (1, 5):
            yield line(name, Life(kind, 50, 1, runs, 10, tests=20), baselines // 5, later)
