"""Two measurements of the same examples: whether one is lower than the other, and how sure that is."""

from __future__ import annotations

import dataclasses
import functools
import math
import random
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_pitcheval.results.significance.exchange import RESAMPLES, exchanged_tails
from pytest_pitcheval.results.significance.means import (
    ROUNDING,
    difference_of_means,
    finite,
    in_range,
    rounded,
    spread,
    t_interval,
)
from pytest_pitcheval.results.significance.power import smallest_drop

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_PERMUTED = 100
"""The signs of so many differences, those of zero not counted, are permuted; of more, the t-test is as good."""


@dataclasses.dataclass(frozen=True)
class PairedDifference:
    """How two measurements of the same examples differ.

    Attributes:
        examples: how many were measured both times.
        difference: mean of second minus first; below 0 for a drop.
        ci95: its two-sided interval; None for fewer than two examples.
        p_drop: one-sided: how probable a drop this large is if nothing has changed.
        p_value: the same two-sided.
        smallest_drop: see `power.smallest_drop`.
        least_p: the lowest that ``p_drop`` could have been, whatever the signs of the differences.
    """

    examples: int
    difference: float
    ci95: tuple[float, float] | None
    p_drop: float
    p_value: float
    smallest_drop: float | None
    least_p: float = 0.0


def paired_difference(differences: Sequence[float]) -> PairedDifference | None:
    """The difference of two measurements from that of each example, second minus first; None of nothing.

    Pass the difference of an example's means over its rollouts: the example is the unit, so rollouts are clustered
    by it, and what makes examples differ in difficulty is no noise.
    """
    if not differences:
        return None
    differences = [finite(value) if abs(value) > ROUNDING else 0.0 for value in differences]
    below, above = _tails(differences)
    return PairedDifference(
        examples=len(differences),
        difference=rounded(statistics.mean(map(float, differences))),
        ci95=t_interval(differences, 0.95),
        p_drop=below,
        p_value=_two_sided(below, above),
        smallest_drop=smallest_drop(differences),
        least_p=lowest_p(sum(1 for value in differences if value)),
    )


def lowest_p(moved: int) -> float:
    """The p-value of so many differences where all of them are drops: no other can be lower."""
    if moved > MOST_PERMUTED:
        return 0.0
    return max(0.5**moved, 1 / (RESAMPLES + 1) if 2**moved > RESAMPLES else 0.0)


def paired_samples(before: Sequence[Sequence[float]], after: Sequence[Sequence[float]]) -> PairedDifference | None:
    """The difference of two measurements from the samples of each example, in the same order; None of nothing.

    This is `paired_difference` of the examples' means. Where an example has more samples in one of them, its
    difference is skewed if its scores are, and permuted signs establish too much: then a p-value is the larger of
    theirs and that of samples exchanged within each example.
    """
    pairs = list(zip(before, after, strict=True))
    found = paired_difference([difference_of_means(new, old) for old, new in pairs])
    if found is None or all(len(old) == len(new) for old, new in pairs):
        return found
    below, above = exchanged_tails(*in_range(before, after))
    return dataclasses.replace(
        found,
        p_drop=max(found.p_drop, below),
        p_value=max(found.p_value, _two_sided(below, above)),
        least_p=max(found.least_p, 1 / (RESAMPLES + 1)),
    )


def p_value(differences: Sequence[float], alternative: str = "less") -> float:
    """The p-value of a mean of paired ``differences`` below 0 (``less``), or other than 0 (``two-sided``).

    If nothing has changed, each difference is as likely to have the opposite sign: so signs are permuted (Fisher,
    "The design of experiments", 1935, section 21), which holds for any number of examples, ties, 0/1 scores and
    skewed ones, if both measurements have as many rollouts (else see `paired_samples`). All permutations up to 13
    differences other than 0, else 9,999 random ones with a fixed seed, counting the observed one (Phipson and Smyth,
    2010). Above 100 such differences it is Student's paired t-test. 1 if all are 0.
    """
    below, above = _tails(differences)
    return below if alternative == "less" else _two_sided(below, above)


def _two_sided(below: float, above: float) -> float:
    return min(1.0, 2 * min(below, above))


def _tails(differences: Sequence[float]) -> tuple[float, float]:
    """The one-sided p-values for a mean below 0 and for one above.

    To change the signs of some differences lowers the sum of all by twice the sum of these. So a permutation is as
    low as what was observed where that is 0 or more.
    """
    [[differences]] = in_range([differences])
    moved = [float(value) for value in differences if abs(value) > ROUNDING]
    if len(moved) > MOST_PERMUTED:
        return _t_tails(differences)
    sums = _subset_sums(moved)
    return float((sums >= -ROUNDING).mean()), float((sums <= ROUNDING).mean())


def _subset_sums(values: Sequence[float]) -> NDArray[np.float64]:
    """The sums of all subsets of ``values``, or of random ones and the empty one."""
    import numpy as np

    if 2 ** len(values) > RESAMPLES:
        return np.append(np.asarray(values) @ _random_subsets()[: len(values)], 0.0)
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate((sums, sums + value))
    return sums


@functools.cache
def _random_subsets() -> NDArray[np.float64]:
    """A row for each value and a column for each subset: 1 if it has the value, else 0. The same on every machine."""
    import numpy as np

    count = MOST_PERMUTED * RESAMPLES
    drawn = np.frombuffer(random.Random(0).randbytes(count // 8 + 1), dtype=np.uint8)
    return np.unpackbits(drawn, count=count).reshape(MOST_PERMUTED, RESAMPLES).astype(np.float64)


def _t_tails(differences: Sequence[float]) -> tuple[float, float]:
    from scipy.special import stdtr

    n, centre = len(differences), statistics.mean(map(float, differences))
    error = spread(differences) / math.sqrt(n)
    if not error:
        return float(centre > 0), float(centre < 0)
    return float(stdtr(n - 1, centre / error)), float(stdtr(n - 1, -centre / error))
