"""How far two agree beyond chance: of counts by category, and of several people's labels.

Tables are counts of answers, people's category by the judge's: one of k by k, or many in an array whose last two
dimensions these are. ``grades`` are the k categories as numbers; 0 and 1 where people pass or fail. Disagreements weigh
as the square of their distance, so that of two categories nothing is weighted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_SMOOTHING = 2.0
"""Answers that are added to a table, spread over its cells, before its error is told: half a one each of four."""


class Chance(NamedTuple):
    """The agreement that chance alone would bring, and how it changes with the share of each cell."""

    expected: Floats
    gradient: Floats


@dataclasses.dataclass(frozen=True)
class Between:
    """The difference of two judges, the second minus the first, and its 95 % interval."""

    value: float
    ci95: tuple[float, float]


Model = Callable[["Floats", "Floats"], Chance]
"""What chance is taken for, given the shares of cells and the weights of agreement."""


def table_of(people: Sequence[int], judge: Sequence[int], size: int) -> Floats:
    """The counts of pairs of categories, each given by its place among ``size`` ones."""
    import numpy as np

    table = np.zeros((size, size))
    np.add.at(table, (np.asarray(people, dtype=int), np.asarray(judge, dtype=int)), 1.0)
    return table


def cohen(shares: Floats, weights: Floats) -> Chance:
    """Each goes on as they do, without a look at the answer.

    Cohen, "A coefficient of agreement for nominal scales", 1960, and "Weighted kappa", Psychological Bulletin 70, 1968.
    """
    people, judge = shares.sum(-1), shares.sum(-2)
    of_people, of_judge = judge @ weights, people @ weights
    return Chance((people * of_people).sum(-1), of_people[..., :, None] + of_judge[..., None, :])


def gwet(shares: Floats, weights: Floats) -> Chance:
    """Only hard answers are guessed: AC1, for more than two grades AC2, stays high where one category is rare.

    Gwet, "Computing inter-rater reliability and its variance in the presence of high agreement", British Journal of
    Mathematical and Statistical Psychology 61, 2008.
    """
    size = weights.shape[-1]
    factor, used = weights.sum() / (size * (size - 1)), (shares.sum(-1) + shares.sum(-2)) / 2
    slope = factor * (1 - 2 * used) / 2
    return Chance(factor * (used * (1 - used)).sum(-1), slope[..., :, None] + slope[..., None, :])


def coefficient(tables: Floats, grades: Sequence[float], model: Model = cohen) -> Floats:
    """Agreement beyond chance, 1 at most; not a number where chance alone would agree in all."""
    weights = _weights(grades)
    shares = tables / tables.sum((-2, -1), keepdims=True)
    return _beyond((shares * weights).sum((-2, -1)), model(shares, weights).expected)


def bounds(tables: Floats, grades: Sequence[float], model: Model = cohen) -> tuple[Floats, Floats]:
    """The ends of the 95 % interval of `coefficient`.

    The delta method (Fleiss, Cohen and Everitt, "Large sample standard errors of kappa and weighted kappa",
    Psychological Bulletin 72, 1969), after two answers have been spread over the cells (Agresti and Coull, 1998, of
    shares): without these it is too sure of a few dozen answers. ``python -m benchmarks judges`` shows how often the
    truth is in it.
    """
    import numpy as np
    from scipy.special import ndtri

    smoothed = tables + _SMOOTHING / len(grades) ** 2
    counts = smoothed.sum((-2, -1))
    shares, slopes = smoothed / counts[..., None, None], _slopes(smoothed, grades, model)
    variance = (shares * slopes**2).sum((-2, -1)) - (shares * slopes).sum((-2, -1)) ** 2
    half = float(ndtri(0.975)) * np.sqrt(np.maximum(variance, 0.0) / counts)
    centre, value = coefficient(smoothed, grades, model), coefficient(tables, grades, model)
    return np.fmax(np.fmin(centre - half, value), -1.0), np.fmin(np.fmax(centre + half, value), 1.0)


def _slopes(tables: Floats, grades: Sequence[float], model: Model) -> Floats:
    """How fast the coefficient changes with the share of each cell."""
    weights = _weights(grades)
    shares = tables / tables.sum((-2, -1), keepdims=True)
    observed, chance = (shares * weights).sum((-2, -1)), model(shares, weights)
    rest = 1 - chance.expected
    slopes: Floats = weights / rest[..., None, None] - chance.gradient * ((1 - observed) / rest**2)[..., None, None]
    return slopes


def difference(people: Sequence[int], first: Sequence[int], second: Sequence[int], grades: Sequence[float]) -> Between:
    """How much more the second judge agrees with people on the same answers, in Cohen's kappa.

    Each answer moves both coefficients, so what it moves their difference by is counted (the delta method as in
    `bounds`, on pairs). ``python -m benchmarks judges`` shows how often the truth is in the interval.
    """
    import numpy as np
    from scipy.special import stdtrit

    size, count = len(grades), len(people)
    tables = [table_of(people, said, size) for said in (first, second)]
    smoothed = [table + _SMOOTHING / size**2 for table in tables]
    slopes = [_slopes(table, grades, cohen) for table in smoothed]
    places = np.asarray(people, dtype=int)
    moved = slopes[1][places, np.asarray(second, dtype=int)] - slopes[0][places, np.asarray(first, dtype=int)]
    half = float(stdtrit(count - 1, 0.975)) * float(moved.std(ddof=1)) / np.sqrt(count)
    low, high = (float(coefficient(table, grades)) for table in tables)
    return Between(high - low, (high - low - half, high - low + half))


def _beyond(observed: Floats, expected: Floats) -> Floats:
    import numpy as np

    rest = 1 - expected
    found: Floats = np.divide(observed - expected, rest, out=np.full_like(rest, np.nan), where=rest > 1e-12)
    return found


def _weights(grades: Sequence[float]) -> Floats:
    """How far two categories agree: 1 for the same, 0 for the two that are farthest apart."""
    import numpy as np

    values = np.asarray(grades, dtype=float)
    distances = (values[:, None] - values[None, :]) ** 2
    weights: Floats = 1 - distances / distances.max()
    return weights


def alpha(labels: Sequence[Sequence[float]]) -> float | None:
    """Krippendorff's alpha of people among themselves, on an interval scale: the labels of each answer.

    Answers with fewer than two labels say nothing. None where no answer has two, or all labels are the same.
    Krippendorff, "Content analysis", 2004, chapter 11.
    """
    units = [unit for unit in labels if len(unit) > 1]
    values = [value for unit in units for value in unit]
    expected = _pairs(values) / (len(values) - 1) if values else 0.0
    if expected <= 0:
        return None
    return 1 - sum(_pairs(unit) / (len(unit) - 1) for unit in units) / expected


def alpha_bounds(labels: Sequence[Sequence[float]], draws: int = 1000) -> tuple[float, float] | None:
    """The ends of a 95 % interval of `alpha`: answers drawn again, with a fixed seed (a percentile bootstrap)."""
    import numpy as np

    units = [unit for unit in labels if len(unit) > 1]
    if alpha(units) is None:
        return None
    within = np.array([_pairs(unit) / (len(unit) - 1) for unit in units])
    sums = np.array([(len(unit), sum(unit), sum(value**2 for value in unit)) for unit in units])
    drawn = np.random.default_rng(0).multinomial(len(units), np.full(len(units), 1 / len(units)), size=draws)
    size, total, squares = (drawn @ sums).T
    expected = 2 * (size * squares - total**2) / (size - 1)
    known = expected > 1e-9
    low, high = np.quantile(1 - (drawn @ within)[known] / expected[known], [0.025, 0.975])
    return float(low), float(high)


def _pairs(values: Sequence[float]) -> float:
    """The squared differences of all ordered pairs, summed up."""
    centre = sum(values) / len(values)
    return 2 * len(values) * sum((value - centre) ** 2 for value in values)
