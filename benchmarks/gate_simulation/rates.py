"""A rate that a simulation found, and how far off it may be."""

from __future__ import annotations

import dataclasses
import math

from pytest_pitcheval.results.significance.means import ALPHA

RUNS = 2_000


@dataclasses.dataclass(frozen=True)
class Rate:
    """So many of ``runs``."""

    count: int
    runs: int

    @property
    def share(self) -> float:
        return self.count / self.runs

    @property
    def error(self) -> float:
        """The standard error of the share."""
        return math.sqrt(self.share * (1 - self.share) / self.runs)

    @property
    def excessive(self) -> bool:
        """Above 5 % by more than two standard errors of a rate of 5 %: by chance in 2 % of the cells at 5 %."""
        return self.share > ALPHA + 2 * math.sqrt(ALPHA * (1 - ALPHA) / self.runs)

    def __format__(self, spec: str) -> str:
        """``  6.2 % ±0.54``; followed by a ``!`` if that is the ``spec`` and the rate excessive."""
        mark = ("!" if self.excessive else " ") if spec else ""
        return f"{100 * self.share:5.1f} % ±{100 * self.error:4.2f}{mark}"
