"""Means, and how far off they may be."""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Sequence

ALPHA = 0.05
"""An effect is established when its p-value is below this."""

FEWEST = 5
"""Fewer differences cannot be significant, whatever they are: 1/2**4 is above 0.05."""

LARGEST = 1e150
"""Numbers below have squares, and sums of thousands, that are floats too."""

ROUNDING = 1e-9
"""Numbers closer than this are equal: the means of 3 and of 5 rollouts that all scored 0.1 differ in the last bit."""


def mean(values: Sequence[float]) -> float | None:
    """The arithmetic mean; None of nothing.

    Rounded once: a sum divided by n can end below the n equal values it is of, and so fail a gate that all reach.
    """
    return statistics.mean(map(float, values)) if values else None


def finite(value: float) -> float:
    """``value``, or the float next to it where the difference of two floats has gone beyond all."""
    return min(max(value, -sys.float_info.max), sys.float_info.max)


def difference_of_means(new: Sequence[float], old: Sequence[float]) -> float:
    """The mean of ``new`` minus that of ``old``, a finite number."""
    return finite(statistics.mean(map(float, new)) - statistics.mean(map(float, old)))


def in_range(*groups: Sequence[Sequence[float]]) -> Sequence[Sequence[Sequence[float]]]:
    """The same groups of numbers, all divided by one number where sums or squares would leave the range of floats.

    No p-value depends on the unit.
    """
    largest = max((abs(value) for group in groups for values in group for value in values), default=0.0)
    if largest < LARGEST:
        return groups
    return [[[value / largest for value in values] for values in group] for group in groups]


def rounded(difference: float) -> float:
    """To 12 digits after the point: what is left of 0.4 - 0.3 - 0.1 is no difference, and 0.4 - 0.3 not above 0.1."""
    return round(difference, 12) + 0.0  # no -0.0


def interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float] | None:
    """A two-sided confidence interval for the mean of ``values``, one per example.

    Student's t with n - 1 degrees of freedom (Student, "The probable error of a mean", Biometrika 6, 1908),
    cut to 0-1 where all values lie there. Rollouts of one example are not independent: pass their mean, so that
    the example is the unit (clustered errors: Miller, "Adding error bars to evals", arXiv:2411.00640, 2024). None
    for fewer than two values, and where its ends are beyond all floats.
    """
    found = t_interval(values, confidence)
    if found is not None and min(values) >= 0 and max(values) <= 1:
        return max(found[0], 0.0), min(found[1], 1.0)
    return found


def t_interval(values: Sequence[float], confidence: float) -> tuple[float, float] | None:
    n = len(values)
    if n < 2:
        return None
    centre = statistics.mean(map(float, values))
    half = t_quantile(n - 1, (1 + confidence) / 2) * (spread(values) / math.sqrt(n))
    ends = centre - half, centre + half
    return ends if all(map(math.isfinite, ends)) else None


def t_quantile(degrees: int, probability: float) -> float:
    from scipy.special import stdtrit  # scipy.stats takes a second longer to import

    return float(stdtrit(degrees, probability))


def spread(values: Sequence[float]) -> float:
    """The sample standard deviation; two values at least."""
    centre = statistics.mean(map(float, values))
    return math.hypot(*(value - centre for value in values)) / math.sqrt(len(values) - 1)  # no overflow


def rate_interval(count: int, of: int, confidence: float = 0.95) -> tuple[float, float] | None:
    """A two-sided confidence interval for a share, ``count`` of ``of``; None of nothing.

    Wilson's score interval (Wilson, "Probable inference", Journal of the American Statistical Association 22, 1927):
    it holds for few examples, and where all or none count.
    """
    if not of:
        return None
    from scipy.special import ndtri

    z, share = float(ndtri((1 + confidence) / 2)), count / of
    centre = share + z * z / (2 * of)
    half = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    low, high = (centre - half) / (1 + z * z / of), (centre + half) / (1 + z * z / of)
    return (low if count else 0.0), (high if count < of else 1.0)
