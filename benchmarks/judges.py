"""Judges with a known sensitivity and specificity: how often intervals cover the truth, how often a poor one passes.

A seeded simulation of exams, of people's labels that are 0 or 1.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from benchmarks import corrected
from pytest_pitcheval.results.deciding.judges import MARGIN
from pytest_pitcheval.results.exams.agreement import bounds, coefficient, cohen, difference, gwet
from pytest_pitcheval.results.significance.means import rate_interval

EXAMS = 10_000
PAIRS = 1_000
"""Exams of two judges."""
SIZES = (50, 100, 200)
PREVALENCES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
JUDGES = ((0.9, 0.9), (0.8, 0.7), (0.95, 0.8), (0.7, 0.95), (0.8, 0.8), (0.95, 0.95))
"""Sensitivity and specificity: how often what people pass, or fail, passes, or fails."""

GRADES = (0.0, 1.0)
Floats = NDArray[np.float64]


def main() -> None:
    """Print the coverage by figure, then the share of poor judges that qualify, then what corrected means are like."""
    print(
        f"coverage of 95 % intervals, {EXAMS} exams each; answers {SIZES}, prevalence 0.1 to 0.9, {len(JUDGES)} judges"
    )
    found = list(coverages())
    for name in dict.fromkeys(name for name, _, _ in found):
        shares = [share for known, share, _ in found if known == name]
        within = sum(0.93 <= share <= 0.97 for share in shares)
        worst = min((share, about) for known, share, about in found if known == name)
        print(
            f"{name:10} {min(shares):.3f} to {max(shares):.3f}, {within}/{len(shares)} in 0.93-0.97; least: {worst[1]}"
        )
    shares = [share for share, _ in differences()]
    within = sum(0.93 <= share <= 0.97 for share in shares)
    print(
        f"difference {min(shares):.3f} to {max(shares):.3f}, {within}/{len(shares)} in 0.93-0.97 (two judges' kappas)"
    )
    print("judges with a kappa of 0.4 that qualify at min_kappa=0.6, the most of all prevalences")
    for size in (20, 30, *SIZES):
        print(f"{size:4} answers: {max(qualifying(0.4, 0.6, size)):.3f}")
    corrected.main()


def cells(prevalence: float, sensitivity: float, specificity: float) -> Floats:
    """The shares of answers by people's label and the judge's."""
    failed = [(1 - prevalence) * specificity, (1 - prevalence) * (1 - specificity)]
    return np.array([failed, [prevalence * (1 - sensitivity), prevalence * sensitivity]])


def coverages() -> Iterator[tuple[str, float, str]]:
    """Figure, share of exams whose interval has the truth, and what was simulated."""
    for size in SIZES:
        for prevalence in PREVALENCES:
            for judge in JUDGES:
                truth, about = cells(prevalence, *judge), f"{size} answers, prevalence {prevalence}, judge {judge}"
                tables = exams(truth, size, EXAMS)
                for name, model in (("kappa", cohen), ("AC1", gwet)):
                    yield name, _within(coefficient(truth, GRADES, model), *bounds(tables, GRADES, model)), about
                wrong, of = tables[:, 0, 1], tables[:, 0].sum(-1)
                yield "false pass", _within(np.array(1 - judge[1]), *_of_shares(wrong, of)), about


def differences() -> Iterator[tuple[float, str]]:
    """Share of exams whose interval has the true difference of two judges' kappas, and what was simulated.

    Given what people say, the two err independently of each other.
    """
    rng = np.random.default_rng(0)
    for size in SIZES:
        for prevalence in (0.2, 0.5, 0.8):
            for first, second in itertools.combinations(JUDGES[:4], 2):
                truth = [float(coefficient(cells(prevalence, *judge), GRADES)) for judge in (first, second)]
                held = [
                    low <= truth[1] - truth[0] <= high
                    for low, high in (_interval(rng, size, prevalence, first, second) for _ in range(PAIRS))
                ]
                yield sum(held) / PAIRS, f"{size} answers, prevalence {prevalence}, judges {first} and {second}"


def _interval(
    rng: np.random.Generator, size: int, prevalence: float, *judges: tuple[float, float]
) -> tuple[float, float]:
    people = (rng.random(size) < prevalence).astype(int)
    if people.min() == people.max():  # undefined: another exam
        return _interval(rng, size, prevalence, *judges)
    said = [
        np.where(people == 1, rng.random(size) < sensitivity, rng.random(size) >= specificity).astype(int).tolist()
        for sensitivity, specificity in judges
    ]
    return difference(people.tolist(), said[0], said[1], GRADES).ci95


def exams(truth: Floats, size: int, count: int) -> Floats:
    """The tables of so many exams; those in which people pass or fail all are undefined, and left out."""
    drawn = np.random.default_rng(0).multinomial(size, truth.ravel(), size=count).reshape(-1, 2, 2).astype(float)
    defined: Floats = drawn[(drawn.sum(-1) > 0).all(-1)]
    return defined


def _within(truth: Floats, low: Floats, high: Floats) -> float:
    return float(((low <= truth) & (truth <= high)).mean())


def _of_shares(count: Floats, of: Floats) -> tuple[Floats, Floats]:
    pairs, place = np.unique(np.stack([count, of]), axis=1, return_inverse=True)
    found = np.array([rate_interval(int(part), int(whole)) or (0.0, 1.0) for part, whole in pairs.T])
    return found[place.ravel(), 0], found[place.ravel(), 1]


def qualifying(kappa: float, min_kappa: float, size: int) -> Iterator[float]:
    """The share of exams in which judges with that kappa qualify, by prevalence and kind of judge."""
    for prevalence in PREVALENCES:
        for judge in _judges(kappa, prevalence):
            tables = exams(cells(prevalence, *judge), size, EXAMS)
            reaches = coefficient(tables, GRADES) >= min_kappa
            yield float((reaches & (bounds(tables, GRADES)[0] >= min_kappa - MARGIN)).mean())


def _judges(kappa: float, prevalence: float) -> Iterator[tuple[float, float]]:
    """As sensitive as specific; or one of the two is 0.98. Not all of them can have that kappa."""
    for judge in (lambda x: (x, x), lambda x: (x, 0.98), lambda x: (0.98, x)):

        def beyond(x: float, judge: object = judge) -> float:
            return float(coefficient(cells(prevalence, *judge(x)), GRADES)) - kappa  # type: ignore[operator]

        if beyond(0.02) < 0 < beyond(0.9999):
            yield judge(brentq(beyond, 0.02, 0.9999))
