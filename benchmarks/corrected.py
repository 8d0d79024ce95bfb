"""Means without a judge's errors: how far off they are where its own mean is, and how often intervals have the truth.

A seeded simulation, of people's labels that are 0 or 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pytest_pitcheval.results.exams.correcting import (
    Estimate,
    Pairs,
    Scores,
    least_able,
    prediction_powered,
    rogan_gladen,
)

RUNS = 2_000
ANSWERS = 500
"""Of a run."""
SIZES = (50, 100, 200)
PREVALENCES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
JUDGES = ((0.9, 0.9), (0.8, 0.7), (0.95, 0.8), (0.7, 0.95), (0.8, 0.8), (0.95, 0.95))
"""Sensitivity and specificity."""

Floats = NDArray[np.float64]
Kind = Callable[[float, tuple[float, float], int, np.random.Generator], tuple[Floats, Floats]]


class Simulated(NamedTuple):
    """One kind of run: how far judge and corrected mean are off, how often the interval has the truth."""

    about: str
    raw: float
    bias: float
    covered: float


def main() -> None:
    """Print a line for each way to correct a mean."""
    print(f"corrected means, {RUNS} runs of {ANSWERS} answers each; {SIZES} labels, prevalence 0.1 to 0.9")
    ways = {
        "prediction-powered, 0 or 1": [*powered(passing)],
        "prediction-powered, scores": [*powered(scoring)],
        "Rogan-Gladen": [*by_rates()],
        "Rogan-Gladen, half good": [*by_rates(0.5)],
    }
    for name, found in ways.items():
        print(f"{name:27} {summary(found)}")


def summary(found: Sequence[Simulated]) -> str:
    """One line."""
    off = [one for one in found if abs(one.raw) >= 0.1]
    within = sum(0.93 <= one.covered <= 0.97 for one in found)
    covered = [one.covered for one in found]
    worst = min(found, key=lambda one: one.covered)
    return (
        f"off by {max(abs(one.bias) for one in off):.3f} at most where the judge is by 0.1 to "
        f"{max(abs(one.raw) for one in off):.2f}; intervals {min(covered):.3f} to {max(covered):.3f}, "
        f"{within}/{len(found)} in 0.93-0.97; least: {worst.about}"
    )


def passing(
    prevalence: float, judge: tuple[float, float], count: int, draw: np.random.Generator
) -> tuple[Floats, Floats]:
    """Labels and verdicts, both 0 or 1."""
    people = (draw.random((RUNS, count)) < prevalence).astype(float)
    passes = np.where(people == 1, judge[0], 1 - judge[1])
    return people, (draw.random((RUNS, count)) < passes).astype(float)


def scoring(
    prevalence: float, judge: tuple[float, float], count: int, draw: np.random.Generator
) -> tuple[Floats, Floats]:
    """Labels of 0 or 1, and scores around where the judge's verdict lies."""
    people, verdicts = passing(prevalence, judge, count, draw)
    return people, np.clip(0.2 + 0.6 * verdicts + draw.normal(0, 0.15, verdicts.shape), 0, 1)


def powered(kind: Kind) -> Iterator[Simulated]:
    """A random part of a run's answers is labelled."""
    draw = np.random.default_rng(0)
    for size in SIZES:
        for prevalence in PREVALENCES:
            for judge in JUDGES:
                people, scores = kind(prevalence, judge, ANSWERS, draw)
                labels, known, others = people[:, :size], scores[:, :size], scores[:, size:]
                sums = ((labels**0).sum(1), labels.sum(1), known.sum(1), labels.sum(1), (known**2).sum(1))
                pairs = Pairs(*sums, (labels * known).sum(1))
                found = prediction_powered(pairs, _scores(others))
                yield _simulated(f"{size} labels, prevalence {prevalence}, judge {judge}", prevalence, scores, found)


def by_rates(of_exam: float | None = None) -> Iterator[Simulated]:
    """The exam has other answers than the run, as many of them good, or a share ``of_exam``."""
    draw = np.random.default_rng(0)
    for size in SIZES:
        for prevalence in PREVALENCES:
            for judge in JUDGES:
                people, verdicts = passing(of_exam or prevalence, judge, size, draw)
                _, scores = passing(prevalence, judge, ANSWERS, draw)
                good = (people * verdicts).sum(1), people.sum(1)
                bad = ((1 - people) * (1 - verdicts)).sum(1), (1 - people).sum(1)
                defined = (good[1] > 0) & (bad[1] > 0)
                defined &= np.asarray(least_able(good, bad)) > 0
                right, wrong = ((part[0][defined], part[1][defined]) for part in (good, bad))
                found = rogan_gladen(_scores(scores[defined]), right, wrong)
                about = f"{size} labels, prevalence {prevalence}, judge {judge}, {defined.mean():.2f} defined"
                yield _simulated(about, prevalence, scores[defined], found)


def _scores(of: Floats) -> Scores:
    return Scores(float(of.shape[1]), of.mean(1), of.var(1, ddof=1))


def _simulated(about: str, truth: float, scores: Floats, found: Estimate) -> Simulated:
    covered = (found.low <= truth) & (truth <= found.high)
    return Simulated(about, float(scores.mean() - truth), float(np.mean(found.value) - truth), float(np.mean(covered)))
