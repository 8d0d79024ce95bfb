"""Samples of one example exchanged between two measurements: whether it is that example that has changed."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from collections.abc import Iterator, Sequence

from pytest_pitcheval.results.significance.means import ROUNDING, difference_of_means, in_range

RESAMPLES = 9_999
"""Random exchanges where there are too many to try all."""


def exchanged_tails(before: Sequence[Sequence[float]], after: Sequence[Sequence[float]]) -> tuple[float, float]:
    """The one-sided p-values of random exchanges, if any rotation of an example's samples is as likely as another.

    Rotations, not all orders: they are a group too, so that the test is exact, and few: with 16 bits, each is drawn
    as often as another to 1 in 3,000 for up to 20 samples.
    """
    import numpy as np

    drawn, observed, sums = random.Random(0), 0.0, np.zeros(RESAMPLES)
    for old, new in zip(before, after, strict=True):
        differences = _rotated_differences([*old, *new], len(old))
        if max(differences) - min(differences) > ROUNDING:
            observed += differences[0]
            picks = np.frombuffer(drawn.randbytes(2 * RESAMPLES), dtype=np.uint16) % len(differences)
            sums += np.asarray(differences)[picks]
    counts = (np.count_nonzero(sums <= observed + ROUNDING), np.count_nonzero(sums >= observed - ROUNDING))
    return (counts[0] + 1) / (RESAMPLES + 1), (counts[1] + 1) / (RESAMPLES + 1)


def _rotated_differences(samples: Sequence[float], first: int) -> list[float]:
    """The mean of all but the ``first`` samples minus that of these, in each rotation."""
    rotations = ([*samples[start:], *samples[:start]] for start in range(len(samples)))
    return [difference_of_means(rotation[first:], rotation[:first]) for rotation in rotations]


_MOST_ENUMERATED = 50_000
"""Divisions of one example's samples that can be told apart, up to which all are tried."""


def drop_p(before: Sequence[float], after: Sequence[float]) -> float:
    """How probable a drop of one example's mean as large as this is, if its samples do not differ from those before.

    If nothing has changed, each division of all samples into the earlier and the later ones is as likely (Fisher,
    1935; Pitman, "Significance tests which may be applied to samples from any populations", 1937). For 0/1 scores
    this is Fisher's exact test. All divisions, where no more than 50,000 can be told apart (as of 15 samples that all
    differ); else 9,999 random ones with a fixed seed, and the observed one.
    """
    [[before], [after]] = in_range([before], [after])
    pooled, observed = [*before, *after], math.fsum(after)
    if _is_enumerable(pooled):
        divisions = _sums(sorted(Counter(pooled).items()), len(after))
        as_low = sum(ways for total, ways in divisions if total <= observed + ROUNDING)
        return as_low / math.comb(len(pooled), len(after))
    drawn = random.Random(0)
    sums = [math.fsum(drawn.sample(pooled, len(after))) for _ in range(RESAMPLES)]
    return (sum(total <= observed + ROUNDING for total in sums) + 1) / (RESAMPLES + 1)


def _is_enumerable(pooled: Sequence[float]) -> bool:
    return math.prod(count + 1 for count in Counter(pooled).values()) <= _MOST_ENUMERATED


def _sums(values: Sequence[tuple[float, int]], chosen: int) -> Iterator[tuple[float, int]]:
    """The sums of ``chosen`` of these values, each given with its count, and in how many ways each comes about."""
    if not values:
        yield from [(0.0, 1)] if not chosen else []
        return
    (value, count), *others = values
    for taken in range(min(count, chosen) + 1):
        for total, ways in _sums(others, chosen - taken):
            yield total + taken * value, ways * math.comb(count, taken)


def least_drop_p(before: Sequence[float], after: Sequence[float]) -> float:
    """The lowest that `drop_p` could have been with these samples, in whatever division."""
    pooled, chosen = sorted([*before, *after]), len(after)
    highest = pooled[chosen - 1]
    lower = sum(value < highest - ROUNDING for value in pooled)
    equal = sum(abs(value - highest) <= ROUNDING for value in pooled)
    least = math.comb(equal, chosen - lower) / math.comb(len(pooled), chosen)
    return least if _is_enumerable(pooled) else max(least, 1 / (RESAMPLES + 1))


def rollouts_to_establish(alpha: float) -> int:
    """The fewest rollouts, as many both times, with which a drop of every sample has a p-value below ``alpha``."""
    return next(count for count in itertools.count(2) if 1 / math.comb(2 * count, count) < alpha)
