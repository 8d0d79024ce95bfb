"""Numbers of a run: pure functions of scores."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence


def mean(values: Sequence[float]) -> float | None:
    """The arithmetic mean; None of nothing.

    Rounded once: a sum divided by n can end below the n equal values it is of, and so fail a gate that all reach.
    """
    return statistics.mean(map(float, values)) if values else None


def interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float] | None:
    """A two-sided confidence interval for the mean of ``values``, one per example.

    Student's t with n - 1 degrees of freedom (Student, "The probable error of a mean", Biometrika 6, 1908),
    cut to 0-1 where all values lie there. Rollouts of one example are not independent: pass their mean, so that
    the example is the unit. None for fewer than two values.
    """
    n = len(values)
    if n < 2:
        return None
    from scipy.special import stdtrit  # scipy.stats takes a second longer to import

    centre = statistics.mean(map(float, values))
    spread = math.sqrt(math.fsum((value - centre) ** 2 for value in values) / (n - 1))
    half = float(stdtrit(n - 1, (1 + confidence) / 2)) * spread / math.sqrt(n)
    low, high = centre - half, centre + half
    if min(values) >= 0 and max(values) <= 1:
        low, high = max(low, 0.0), min(high, 1.0)
    return low, high
