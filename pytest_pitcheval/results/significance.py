"""Numbers of a run: pure functions of scores."""

from __future__ import annotations

import dataclasses
import functools
import math
import random
import statistics
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ALPHA = 0.05
"""An effect is established when its p-value is below this."""

POWER = 0.8
"""The probability with which `smallest_drop` would have been established."""

MOST_PERMUTED = 100
"""Differences other than zero, up to which signs are permuted; the t-test is as good beyond."""

_RESAMPLES = 9_999

_LARGEST = 1e150
"""Numbers below have squares, and sums of thousands, that are floats too."""

_ROUNDING = 1e-9
"""Numbers closer than this are equal: the means of 3 and of 5 rollouts that all scored 0.1 differ in the last bit."""

FEWEST = 5
"""Fewer differences cannot be significant, whatever they are: 1/2**4 is above 0.05."""


def mean(values: Sequence[float]) -> float | None:
    """The arithmetic mean; None of nothing.

    Rounded once: a sum divided by n can end below the n equal values it is of, and so fail a gate that all reach.
    """
    return statistics.mean(map(float, values)) if values else None


def _finite(value: float) -> float:
    """``value``, or the float next to it where the difference of two floats has gone beyond all."""
    return min(max(value, -sys.float_info.max), sys.float_info.max)


def difference_of_means(new: Sequence[float], old: Sequence[float]) -> float:
    """The mean of ``new`` minus that of ``old``, a finite number."""
    return _finite(statistics.mean(map(float, new)) - statistics.mean(map(float, old)))


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
    found = _t_interval(values, confidence)
    if found is not None and min(values) >= 0 and max(values) <= 1:
        return max(found[0], 0.0), min(found[1], 1.0)
    return found


def _t_interval(values: Sequence[float], confidence: float) -> tuple[float, float] | None:
    n = len(values)
    if n < 2:
        return None
    centre = statistics.mean(map(float, values))
    half = _t_quantile(n - 1, (1 + confidence) / 2) * (_spread(values) / math.sqrt(n))
    ends = centre - half, centre + half
    return ends if all(map(math.isfinite, ends)) else None


def _if_finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _in_range(*groups: Sequence[Sequence[float]]) -> Sequence[Sequence[Sequence[float]]]:
    """The same groups of numbers, all divided by one number where sums or squares would leave the range of floats.

    No p-value depends on the unit.
    """
    largest = max((abs(value) for group in groups for values in group for value in values), default=0.0)
    if largest < _LARGEST:
        return groups
    return [[[value / largest for value in values] for values in group] for group in groups]


def _t_quantile(degrees: int, probability: float) -> float:
    from scipy.special import stdtrit  # scipy.stats takes a second longer to import

    return float(stdtrit(degrees, probability))


def _spread(values: Sequence[float]) -> float:
    """The sample standard deviation; two values at least."""
    centre = statistics.mean(map(float, values))
    return math.hypot(*(value - centre for value in values)) / math.sqrt(len(values) - 1)  # no overflow


@dataclasses.dataclass(frozen=True)
class PairedDifference:
    """How two measurements of the same examples differ.

    Attributes:
        examples: how many were measured both times.
        difference: mean of second minus first; below 0 for a drop.
        ci95: its two-sided interval; None for fewer than two examples.
        p_drop: one-sided: how probable a drop this large is if nothing has changed.
        p_value: the same two-sided.
        smallest_drop: see `smallest_drop`.
    """

    examples: int
    difference: float
    ci95: tuple[float, float] | None
    p_drop: float
    p_value: float
    smallest_drop: float | None


def paired_difference(differences: Sequence[float]) -> PairedDifference | None:
    """The difference of two measurements from that of each example, second minus first; None of nothing.

    Pass the difference of an example's means over its rollouts: the example is the unit, so rollouts are clustered
    by it, and what makes examples differ in difficulty is no noise.
    """
    if not differences:
        return None
    differences = [_finite(value) if abs(value) > _ROUNDING else 0.0 for value in differences]
    below, above = _tails(differences)
    return PairedDifference(
        examples=len(differences),
        difference=rounded(statistics.mean(map(float, differences))),
        ci95=_t_interval(differences, 0.95),
        p_drop=below,
        p_value=_two_sided(below, above),
        smallest_drop=smallest_drop(differences),
    )


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
    below, above = _exchanged_tails(*_in_range(before, after))
    return dataclasses.replace(
        found, p_drop=max(found.p_drop, below), p_value=max(found.p_value, _two_sided(below, above))
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
    [[differences]] = _in_range([differences])
    moved = [float(value) for value in differences if abs(value) > _ROUNDING]
    if len(moved) > MOST_PERMUTED:
        return _t_tails(differences)
    sums = _subset_sums(moved)
    return float((sums >= -_ROUNDING).mean()), float((sums <= _ROUNDING).mean())


def _subset_sums(values: Sequence[float]) -> NDArray[np.float64]:
    """The sums of all subsets of ``values``, or of random ones and the empty one."""
    import numpy as np

    if 2 ** len(values) > _RESAMPLES:
        return np.append(np.asarray(values) @ _random_subsets()[: len(values)], 0.0)
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate((sums, sums + value))
    return sums


@functools.cache
def _random_subsets() -> NDArray[np.float64]:
    """A row for each value and a column for each subset: 1 if it has the value, else 0. The same on every machine."""
    import numpy as np

    count = MOST_PERMUTED * _RESAMPLES
    drawn = np.frombuffer(random.Random(0).randbytes(count // 8 + 1), dtype=np.uint8)
    return np.unpackbits(drawn, count=count).reshape(MOST_PERMUTED, _RESAMPLES).astype(np.float64)


def _exchanged_tails(before: Sequence[Sequence[float]], after: Sequence[Sequence[float]]) -> tuple[float, float]:
    """The one-sided p-values of random exchanges, if any rotation of an example's samples is as likely as another.

    Rotations, not all orders: they are a group too, so that the test is exact, and few: with 16 bits, each is drawn
    as often as another to 1 in 3,000 for up to 20 samples.
    """
    import numpy as np

    drawn, observed, sums = random.Random(0), 0.0, np.zeros(_RESAMPLES)
    for old, new in zip(before, after, strict=True):
        differences = _rotated_differences([*old, *new], len(old))
        if max(differences) - min(differences) > _ROUNDING:
            observed += differences[0]
            picks = np.frombuffer(drawn.randbytes(2 * _RESAMPLES), dtype=np.uint16) % len(differences)
            sums += np.asarray(differences)[picks]
    counts = (np.count_nonzero(sums <= observed + _ROUNDING), np.count_nonzero(sums >= observed - _ROUNDING))
    return (counts[0] + 1) / (_RESAMPLES + 1), (counts[1] + 1) / (_RESAMPLES + 1)


def _rotated_differences(samples: Sequence[float], first: int) -> list[float]:
    """The mean of all but the ``first`` samples minus that of these, in each rotation."""
    rotations = ([*samples[start:], *samples[:start]] for start in range(len(samples)))
    return [difference_of_means(one[first:], one[:first]) for one in rotations]


def _t_tails(differences: Sequence[float]) -> tuple[float, float]:
    from scipy.special import stdtr

    n, centre = len(differences), statistics.mean(map(float, differences))
    error = _spread(differences) / math.sqrt(n)
    if not error:
        return float(centre > 0), float(centre < 0)
    return float(stdtr(n - 1, centre / error)), float(stdtr(n - 1, -centre / error))


def smallest_drop(differences: Sequence[float]) -> float | None:
    """The smallest true drop that as many examples, differing as much, establish with a probability of 80 %.

    ``(t(0.95) + t(0.80)) * s / sqrt(n)``, with n - 1 degrees of freedom (the minimum detectable effect of Bloom,
    "Minimum detectable effects", Evaluation Review 19, 1995). The p-values of n permuted differences are multiples
    of 1/2**n: 0.95 stands for 1 less the largest that is below `ALPHA`. None for fewer than five examples, and where
    all differences are equal, which says nothing of their noise.
    """
    if len(differences) < FEWEST:
        return None
    spread = _spread(differences)
    return _if_finite(_detectable(len(differences), spread)) if spread > _ROUNDING else None


def _detectable(n: int, spread: float) -> float:
    permutations = 2 ** min(n, 30)
    level = (math.ceil(ALPHA * permutations) - 1) / permutations
    return (_t_quantile(n - 1, 1 - level) + _t_quantile(n - 1, POWER)) * spread / math.sqrt(n)


def smallest_drop_with_rollouts(
    before: Sequence[Sequence[float]], after: Sequence[Sequence[float]], rollouts: int
) -> float | None:
    """`smallest_drop` if each example had ``rollouts`` samples both times.

    The variance of the differences is that between examples plus that of the samples of one example over their
    number; the latter is pooled over all examples with several samples. Where none has, all variance is taken for
    that of the samples: the result is then the best that can be hoped for. ``before`` and ``after`` are the
    samples by example, in the same order.
    """
    pairs = list(zip(before, after, strict=True))
    differences = [difference_of_means(new, old) for old, new in pairs]
    if smallest_drop(differences) is None or _spread(differences) > _LARGEST:
        return None
    total = _spread(differences) ** 2
    shares = statistics.fmean(1 / len(old) + 1 / len(new) for old, new in pairs)
    noise = sample_variance([*before, *after])
    if noise is None or noise * shares > total:
        noise = total / shares
    return _detectable(len(pairs), math.sqrt(total - noise * shares + noise * 2 / rollouts))


def sample_variance(samples: Sequence[Sequence[float]]) -> float | None:
    """The variance of one sample around its example's mean, pooled over examples; None where all have one sample."""
    degrees = sum(len(values) - 1 for values in samples)
    if not degrees:
        return None
    centres = [statistics.mean(map(float, values)) for values in samples]
    centred = [value - centre for values, centre in zip(samples, centres, strict=True) for value in values]
    return math.hypot(*centred) ** 2 / degrees if max(map(abs, centred)) < _LARGEST else math.inf
