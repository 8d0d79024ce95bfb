"""Simulated scores: what kinds there are, and how a baseline and a run are drawn."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

SEED = 20_250_101

Array = NDArray[np.float64]

Random = np.random.Generator


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of scores: each example has its own mean, drawn from a beta distribution.

    Attributes:
        means: the two parameters of that distribution.
        scores: scores of the shape (rollouts, ..., examples), given the shape and the examples' means.
    """

    means: tuple[float, float]
    scores: Callable[[Random, tuple[int, ...], Array], Array]

    @property
    def mean(self) -> float:
        """The mean score of all examples there could be."""
        return self.means[0] / sum(self.means)


def beta_scores(random: Random, shape: tuple[int, ...], means: Array) -> Array:
    """Skewed scores; their standard deviation is a third of that of 0/1 scores."""
    return random.beta(np.maximum(8 * means, 1e-9), np.maximum(8 * (1 - means), 1e-9), shape)


def grid_scores(steps: int) -> Callable[[Random, tuple[int, ...], Array], Array]:
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

REPEATS = 0.7
"""So many of an example's rollouts score what another one of the same run did, where they are not independent."""
