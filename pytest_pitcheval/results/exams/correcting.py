"""What a mean would be if people had judged, from a judge's scores and people's labels of some answers.

Numbers, or arrays of as many simulations: all is done element by element.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = float | NDArray[np.float64]

_SMOOTHING = 2.0
"""Answers that are added to the labelled ones before an error is told, half a one with each label and each verdict."""

_PROBABILITY = 0.975
"""Of a quantile: 95 % lie between it and its opposite."""


class Estimate(NamedTuple):
    """A mean and the ends of its 95 % interval."""

    value: Floats
    low: Floats
    high: Floats


class Pairs(NamedTuple):
    """Sums over answers that have a person's label and a judge's score, both 0 to 1."""

    size: Floats
    people: Floats
    judge: Floats
    people_squared: Floats
    judge_squared: Floats
    product: Floats

    @classmethod
    def of(cls, pairs: Iterable[tuple[float, float]]) -> Pairs:
        """Of labels and scores."""
        rows = [(1.0, people, judge, people**2, judge**2, people * judge) for people, judge in pairs]
        return cls(*(sum(column) for column in zip((0.0,) * 6, *rows, strict=True)))

    def smoothed(self) -> Pairs:
        """With `_SMOOTHING` answers more."""
        half, quarter = _SMOOTHING / 2, _SMOOTHING / 4
        added = (_SMOOTHING, half, half, half, half, quarter)
        return Pairs(*(one + more for one, more in zip(self, added, strict=True)))

    @property
    def spread(self) -> tuple[Floats, Floats, Floats]:
        """The variances of labels and scores, and their covariance."""
        rest = self.size - 1
        return (
            (self.people_squared - self.people**2 / self.size) / rest,
            (self.judge_squared - self.judge**2 / self.size) / rest,
            (self.product - self.people * self.judge / self.size) / rest,
        )


class Scores(NamedTuple):
    """The judge's scores of examples without labels: how many there are, their mean and their variance."""

    size: Floats
    mean: Floats
    variance: Floats

    @classmethod
    def of(cls, scores: Sequence[float]) -> Scores:
        """Of one alone the variance is not known, and taken for the largest that there is."""
        import statistics

        spread = statistics.variance(scores) if len(scores) > 1 else 0.25
        return cls(float(len(scores)), statistics.fmean(scores), spread)


def prediction_powered(labelled: Pairs, others: Scores | None) -> Estimate:
    """The mean label of all answers, of which a random part is ``labelled``, and perhaps there are ``others``.

    The labels' own mean, moved by how much better the judge finds the others than the labelled ones, as far as it can
    be relied on (Angelopoulos, Bates, Fannjiang, Jordan and Zrnic, "Prediction-powered inference", Science 382,
    2023; as far as: Angelopoulos, Duchi and Zrnic, "PPI++", arXiv:2311.01453, 2023). The error is that of smoothed
    pairs, as in `agreement.bounds`: without these it is too sure of a few dozen.
    """
    import numpy as np
    from scipy.special import stdtrit

    value, _ = _powered(labelled, others)
    centre, error = _powered(labelled.smoothed(), others)
    return _bounded(value, centre, stdtrit(np.asarray(labelled.size) - 1, _PROBABILITY) * error)


def _powered(labelled: Pairs, others: Scores | None) -> tuple[Floats, Floats]:
    """The mean and its standard error."""
    import numpy as np

    size, (of_people, of_judge, both) = labelled.size, labelled.spread
    if others is None:
        return labelled.people / size, np.sqrt(of_people / size)
    moved = of_judge / size + others.variance / others.size
    reliance = np.clip(both / size / np.maximum(moved, 1e-12), 0.0, 1.0)
    rest = of_people - 2 * reliance * both + reliance**2 * of_judge
    variance = rest / size + reliance**2 * others.variance / others.size
    return (labelled.people + reliance * (others.mean * size - labelled.judge)) / size, np.sqrt(variance)


def rogan_gladen(passed: Scores, good: tuple[Floats, Floats], bad: tuple[Floats, Floats]) -> Estimate:
    """The share of good answers, where a judge passes a share of all: ``passed`` has 0 and 1, or shares of rollouts.

    Of what people pass in the judge's exam (``good``) and of what they fail (``bad``), how many the judge passes and
    fails, of how many: its sensitivity and specificity (Rogan and Gladen, "Estimating prevalence from the results of a
    screening test", American Journal of Epidemiology 107, 1978). The interval: Lang and Reiczigel, "Confidence limits
    for prevalence of disease adjusted for estimated sensitivity and specificity", Preventive Veterinary Medicine 113,
    2014.
    """
    import numpy as np
    from scipy.special import ndtri

    z, size = float(ndtri(_PROBABILITY)), passed.size
    of_passed, of_good, of_bad = (size + z**2, good[1] + 2, bad[1] + 2)
    share, right, wrong = (passed.mean * size + z**2 / 2) / of_passed, (good[0] + 1) / of_good, (bad[0] + 1) / of_bad
    value = _corrected(passed.mean, good[0] / good[1], bad[0] / bad[1])
    centre, able = _corrected(share, right, wrong), right + wrong - 1
    errors = right * (1 - right) / of_good, wrong * (1 - wrong) / of_bad
    spread = np.minimum(passed.variance + z**2 / 4 / of_passed, share * (1 - share)) / of_passed
    error = np.sqrt(spread + centre**2 * errors[0] + (1 - centre) ** 2 * errors[1]) / able
    shift = 2 * z**2 * (centre * errors[0] - (1 - centre) * errors[1])
    return _bounded(value, centre + shift, z * error)


def least_able(good: tuple[Floats, Floats], bad: tuple[Floats, Floats]) -> Floats:
    """How much more often it may pass what people pass than what they fail, at the least (95 %)."""
    import numpy as np
    from scipy.special import ndtri

    of_good, of_bad = good[1] + 2, bad[1] + 2
    right, wrong = (good[0] + 1) / of_good, (bad[0] + 1) / of_bad
    error = np.sqrt(right * (1 - right) / of_good + wrong * (1 - wrong) / of_bad)
    least: Floats = right + wrong - 1 - float(ndtri(_PROBABILITY)) * error
    return least


def _corrected(share: Floats, sensitivity: Floats, specificity: Floats) -> Floats:
    import numpy as np

    return np.clip((share + specificity - 1) / (sensitivity + specificity - 1), 0.0, 1.0)


def _bounded(value: Floats, centre: Floats, half: Floats) -> Estimate:
    """An interval that has its value, from 0 to 1."""
    import numpy as np

    low, high = np.clip(centre - half, 0.0, 1.0), np.clip(centre + half, 0.0, 1.0)
    return Estimate(value, np.minimum(low, value), np.maximum(high, value))
