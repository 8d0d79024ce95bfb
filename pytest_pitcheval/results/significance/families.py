"""One error rate for many decisions."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from typing import NamedTuple

from pytest_pitcheval.results.significance.means import ALPHA


class Claim(NamedTuple):
    """That something got worse: its p-value, and the lowest that it could have had whatever had come out."""

    p: float
    least: float


class Adjusted(NamedTuple):
    """A claim's p-value among ``among`` claims: below `ALPHA`, it is established.

    ``level`` is what all of them may err in: less than `ALPHA` where some of that was spent at earlier looks.
    """

    p: float
    among: int
    level: float = ALPHA

    @property
    def alpha(self) -> float:
        """What the first of the claims must have its own p-value below."""
        return self.level / self.among


def each_its_own(claims: Sequence[Claim]) -> list[Adjusted]:
    """Every claim has an error rate of its own."""
    return [Adjusted(claim.p, 1) for claim in claims]


def holm(claims: Sequence[Claim]) -> list[Adjusted]:
    """All claims together have one: if nothing got worse, the chance that any is established is at most `ALPHA`.

    Holm's procedure ("A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6,
    1979), which holds whatever depends on what. Claims that could not be established among the others whatever had
    come out are not counted and never are: samples that are all equal, say (Tarone, "A modified Bonferroni method for
    discrete data", Biometrics 46, 1990). Which these are does not depend on what came out.
    """
    counted = _counted([claim.least for claim in claims])
    among_all = max(1, sum(claim.least < ALPHA for claim in claims))
    adjusted = [Adjusted(min(1.0, among_all * claim.p), among_all) for claim in claims]  # of those not counted
    highest = 0.0
    for place, position in enumerate(sorted(counted, key=lambda position: claims[position].p)):
        highest = max(highest, min(1.0, (len(counted) - place) * claims[position].p))
        adjusted[position] = Adjusted(highest, len(counted))
    return adjusted


def _counted(least: Sequence[float]) -> list[int]:
    """The positions of the claims that could be established among each other."""
    ordered = sorted(least)

    def are_few(count: int) -> bool:
        return bisect.bisect_left(ordered, ALPHA, key=lambda p: p * count) <= count

    count = next(count for count in itertools.count(1) if are_few(count))
    return [position for position, p in enumerate(least) if p * count < ALPHA]
