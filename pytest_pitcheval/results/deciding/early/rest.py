"""What examples that have not run can still make of a mean or a share, if each scores 0 to 1. Pure."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

from pytest_pitcheval.names import GateMode
from pytest_pitcheval.results.deciding.reasons import GateStatus
from pytest_pitcheval.results.records import Record

_ROUNDING = 1e-9


class Range(NamedTuple):
    """The least and the most that all examples can come to together."""

    low: float
    high: float

    @classmethod
    def of(cls, total: float, rest: int, examples: int) -> Range:
        """Of the mean of ``examples``, of which ``rest`` have not run, and the others sum up to ``total``."""
        return cls(total / examples, (total + rest) / examples)

    def at_least(self, limit: float, mode: GateMode) -> GateStatus | None:
        """What a gate with this lowest value says, whatever comes; None where that depends on what comes.

        Where an interval must agree, nobody knows before the end what it will be.
        """
        if self.low >= limit + _ROUNDING:
            return None if mode == "strict" else "passed"
        if self.high < limit - _ROUNDING:
            return None if mode == "established" else "failed"
        return None

    def at_most(self, limit: float, mode: GateMode) -> GateStatus | None:
        """The same of a gate with this highest value."""
        return Range(-self.high, -self.low).at_least(-limit, mode)


@dataclasses.dataclass
class Tally:
    """Examples that belong together, as far as they have run.

    Attributes:
        examples: how many there are.
        ended: how many of them have a record; ``passed`` and ``failed``, or ended in an error, says their status.
        total: the sum of the scores of those that have one.
        is_unit: whether all of these are 0 to 1.
    """

    examples: int
    ended: int = 0
    scored: int = 0
    passed: int = 0
    failed: int = 0
    total: float = 0.0
    is_unit: bool = True

    def add(self, record: Record) -> None:
        """One of them has ended."""
        self.ended += 1
        self.passed += record.holds
        self.failed += record.status in ("failed", "error")
        if (score := record.known_score) is not None:
            self.scored += 1
            self.total += score
            self.is_unit = self.is_unit and 0 <= score <= 1

    @property
    def unscored(self) -> int:
        """How many have ended without a score."""
        return self.ended - self.scored

    @property
    def mean(self) -> Range | None:
        """That of the scores; None where it cannot be told: nobody knows what the rest scores."""
        if not self.is_unit or not self.examples:
            return None
        return Range.of(self.total, self.examples - self.ended, self.examples)

    @property
    def pass_rate(self) -> Range:
        """The share of tests that pass."""
        return Range.of(self.passed, self.examples - self.ended, self.examples)
