"""What a run of some size can show, and how large it must be to show a drop."""

from __future__ import annotations

import bisect
import math
import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pytest_pitcheval.results.significance.means import (
    ALPHA,
    FEWEST,
    LARGEST,
    ROUNDING,
    difference_of_means,
    spread,
    t_quantile,
)

POWER = 0.8
"""The probability with which `smallest_drop` would have been established."""


def smallest_drop(differences: Sequence[float], alpha: float = ALPHA) -> float | None:
    """The smallest true drop that as many examples, differing as much, establish with a probability of 80 %.

    ``(t(0.95) + t(0.80)) * s / sqrt(n)``, with n - 1 degrees of freedom (the minimum detectable effect of Bloom,
    "Minimum detectable effects", Evaluation Review 19, 1995). The p-values of n permuted differences are multiples
    of 1/2**n: 0.95 stands for 1 less the largest that is below ``alpha``. None for fewer than five examples or too few
    for ``alpha``, and where all differences are equal, which says nothing of their noise.
    """
    if len(differences) < FEWEST:
        return None
    noise = spread(differences)
    return _detectable(len(differences), noise, alpha) if noise > ROUNDING else None


def _detectable(n: int, noise: float, alpha: float) -> float | None:
    """For n differences with the standard deviation ``noise``; None where so few can establish nothing."""
    permutations = 2 ** min(n, 30)
    level = (math.ceil(alpha * permutations) - 1) / permutations
    if level <= 0:
        return None
    smallest = (t_quantile(n - 1, 1 - level) + t_quantile(n - 1, POWER)) * noise / math.sqrt(n)
    return smallest if math.isfinite(smallest) else None


def smallest_drop_with_rollouts(
    before: Sequence[Sequence[float]], after: Sequence[Sequence[float]], rollouts: int, alpha: float = ALPHA
) -> float | None:
    """`smallest_drop` if each example had ``rollouts`` samples both times.

    ``before`` and ``after`` are the samples by example, in the same order.
    """
    parts = _variance_parts(before, after)
    if parts is None:
        return None
    between, noise = parts
    return _detectable(len(before), math.sqrt(between + noise * 2 / rollouts), alpha)


def _variance_parts(before: Sequence[Sequence[float]], after: Sequence[Sequence[float]]) -> tuple[float, float] | None:
    """The variance of the differences between examples, and that of one sample; None where nothing can be told.

    The variance of the differences is that between examples plus that of the samples of one example over their
    number; the latter is pooled over all examples with several samples. Where none has, all variance is taken for
    that of the samples: what more rollouts would do is then the best that can be hoped for.
    """
    pairs = list(zip(before, after, strict=True))
    differences = [difference_of_means(new, old) for old, new in pairs]
    if len(differences) < FEWEST or not ROUNDING < (deviation := spread(differences)) <= LARGEST:
        return None
    total = deviation**2
    shares = statistics.fmean(1 / len(old) + 1 / len(new) for old, new in pairs)
    noise = sample_variance([*before, *after])
    if noise is None or noise * shares > total:
        noise = total / shares
    return total - noise * shares, noise


class Needed(NamedTuple):
    """How many rollouts, or how many examples, establish a drop with a probability of 80 %; None where none do."""

    rollouts: int | None
    examples: int | None


def needed(
    before: Sequence[Sequence[float]], after: Sequence[Sequence[float]], drop: float, alpha: float = ALPHA
) -> Needed | None:
    """What it takes to establish a true ``drop``; None where the samples do not tell their noise.

    Rollouts are those of each example, both times, with as many examples; examples are more of the same kind, with
    as many rollouts. Up to 1,000 rollouts and 100,000 examples are looked at.
    """
    differences = [difference_of_means(new, old) for old, new in zip(before, after, strict=True)]
    if smallest_drop(differences) is None or drop <= 0:
        return None

    def with_rollouts(count: int) -> float | None:
        return smallest_drop_with_rollouts(before, after, count, alpha)

    def with_examples(count: int) -> float | None:
        return _detectable(count, spread(differences), alpha)

    return Needed(_first(with_rollouts, 1, 1_000, drop), _first(with_examples, len(before), 100_000, drop))


def _first(smallest: Callable[[int], float | None], low: int, high: int, drop: float) -> int | None:
    """The first count from ``low`` to ``high`` whose ``smallest`` drop is at most ``drop``; it falls with the count."""

    def is_enough(count: int) -> bool:
        found = smallest(count)
        return found is not None and found <= drop

    if not is_enough(high):
        return None
    return bisect.bisect_left(range(low, high), True, key=is_enough) + low


def sample_variance(samples: Sequence[Sequence[float]]) -> float | None:
    """The variance of one sample around its example's mean, pooled over examples; None where all have one sample."""
    degrees = sum(len(values) - 1 for values in samples)
    if not degrees:
        return None
    centres = [statistics.mean(map(float, values)) for values in samples]
    centred = [value - centre for values, centre in zip(samples, centres, strict=True) for value in values]
    return math.hypot(*centred) ** 2 / degrees if max(map(abs, centred)) < LARGEST else math.inf
