"""The life of a baseline: how many of all later runs a lucky one makes fail, though nothing has changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from benchmarks.gate_simulation.batches import FEW, drop_p
from benchmarks.gate_simulation.kinds import KINDS, SEED, Array, Kind
from pytest_pitcheval.results.deciding.limits import DEFAULT_MAX_REGRESSION
from pytest_pitcheval.results.significance.means import ALPHA

BASELINES, LATER_RUNS = 1_000, 200
OFTEN = 0.2


@dataclasses.dataclass(frozen=True)
class Life:
    """Baselines of ``runs`` runs, and the runs that are compared with them, with as many ``rollouts`` each.

    Attributes:
        most: of so many newest samples of each example is a baseline.
    """

    kind: Kind
    examples: int
    rollouts: int
    runs: int
    most: int

    def alarms(self, baselines: int, later: int, limit: float = DEFAULT_MAX_REGRESSION) -> Array:
        """The share of ``later`` runs that fail, for each of so many baselines."""
        random = np.random.default_rng((SEED, self.examples, self.rollouts, self.runs, self.most))
        return np.array([self._share(random, later, limit) for _ in range(baselines)])

    def _share(self, random: np.random.Generator, later: int, limit: float) -> float:
        means = random.beta(*self.kind.means, self.examples)
        before = self.kind.scores(random, (self.runs * self.rollouts, self.examples), means)[-self.most :].T
        after = self.kind.scores(random, (later * self.rollouts, self.examples), means).T
        after = after.reshape(self.examples, later, self.rollouts).swapaxes(0, 1)
        dropped = after[before.mean() - after.mean(axis=(1, 2)) > limit]
        if not len(dropped):
            return 0.0
        compared = drop_p(np.broadcast_to(before, (len(dropped), *before.shape)), dropped, FEW)
        return float(np.count_nonzero(compared < ALPHA)) / later


def line(name: str, life: Life, baselines: int, later: int) -> str:
    """How many of all runs fail, of what share of baselines more than 20 % do, and how many of the worst one's."""
    found = life.alarms(baselines, later)
    often = np.count_nonzero(found > OFTEN) / baselines
    size = f"{life.examples:8} {life.rollouts:9} {life.runs:5} {min(life.most, life.runs * life.rollouts):8}"
    return f"{name:<8} {size}  {found.mean():7.1%}  {often:20.1%}  {found.max():7.0%}"


def life_lines(baselines: int = BASELINES, later: int = LATER_RUNS) -> Iterator[str]:
    yield f"\nThe life of a baseline: nothing changes in {later} runs after it; {baselines:,} baselines a line"
    yield "of so many runs, each with as many rollouts as a later one; max_regression=0.05"
    yield "scores   examples  rollouts  runs  samples  alarms  baselines above 20 %  worst"
    for name, kind in KINDS.items():
        for examples in (20, 50):
            for rollouts in (1, 3, 5):
                for runs, most in ((1, 10), (5, 10), (5, 25)):
                    if runs == 1 or runs * rollouts > most or most == 10:
                        yield line(name, Life(kind, examples, rollouts, runs, most), baselines, later)
