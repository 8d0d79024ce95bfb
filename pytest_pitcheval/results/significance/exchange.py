"""Samples of one example exchanged between two measurements: whether it is that example that has changed."""

from __future__ import annotations

import functools
import itertools
import math
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pytest_pitcheval.results.significance.means import ROUNDING, difference_of_means, in_range

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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
"""Divisions of one example's samples, up to which all are tried."""

_MOST_COUNTED = 1_000
"""Divisions that can be told apart, up to which they are counted rather than gone through one by one."""


def drop_p(before: Sequence[float], after: Sequence[float]) -> float:
    """How probable a drop of one example's mean as large as this is, if its samples do not differ from those before.

    If nothing has changed, each division of all samples into the earlier and the later ones is as likely (Fisher,
    1935; Pitman, "Significance tests which may be applied to samples from any populations", 1937), however many there
    are of each. For 0/1 scores this is Fisher's exact test. All divisions up to 50,000 (as of 18 samples), or where
    few can be told apart; else 9,999 random ones with a fixed seed, and the observed one.
    """
    [[before], [after]] = in_range([before], [after])
    pooled, observed = [*before, *after], math.fsum(after) + ROUNDING
    if _is_countable(pooled):
        divisions = _sums(sorted(Counter(pooled).items()), len(after))
        as_low = sum(ways for total, ways in divisions if total <= observed)
        return as_low / math.comb(len(pooled), len(after))
    divided = _all_divisions if _is_enumerable(pooled, len(after)) else _random_divisions
    as_low = _as_low(pooled, divided(len(pooled), len(after)), observed)
    if divided is _all_divisions:
        return as_low / math.comb(len(pooled), len(after))
    return (as_low + 1) / (RESAMPLES + 1)


def _is_countable(pooled: Sequence[float]) -> bool:
    return math.prod(count + 1 for count in Counter(pooled).values()) <= _MOST_COUNTED


def _is_enumerable(pooled: Sequence[float], chosen: int) -> bool:
    return _is_countable(pooled) or math.comb(len(pooled), chosen) <= _MOST_ENUMERATED


def _as_low(pooled: Sequence[float], divisions: NDArray[np.uint16], observed: float) -> int:
    """Of how many ``divisions`` the later samples have a sum of at most ``observed``."""
    import numpy as np

    return int(np.count_nonzero(np.asarray(pooled)[divisions].sum(axis=1) <= observed))


@functools.lru_cache(maxsize=8)
def _all_divisions(samples: int, chosen: int) -> NDArray[np.uint16]:
    """The positions of the ``chosen`` later ones of all ``samples``, a row for each division."""
    import numpy as np

    return np.array(list(itertools.combinations(range(samples), chosen)), dtype=np.uint16)


@functools.lru_cache(maxsize=8)
def _random_divisions(samples: int, chosen: int) -> NDArray[np.uint16]:
    """`RESAMPLES` random ones of them, the same on every machine."""
    import numpy as np

    drawn = random.Random(0)
    return np.array([drawn.sample(range(samples), chosen) for _ in range(RESAMPLES)], dtype=np.uint16)


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
    return least if _is_enumerable(pooled, chosen) else max(least, 1 / (RESAMPLES + 1))


def rollouts_to_establish(alpha: float, before: int | None = None) -> int:
    """The fewest rollouts with which a drop of every sample has a p-value below ``alpha``.

    As many both times, or now, where there are ``before`` already.
    """
    return next(count for count in itertools.count(1) if 1 / math.comb((before or count) + count, count) < alpha)
