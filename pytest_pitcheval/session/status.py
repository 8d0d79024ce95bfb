"""How far a session has come, in a line. Pure: numbers in, text out."""

from __future__ import annotations

import dataclasses

from pytest_pitcheval.results import formats
from pytest_pitcheval.results.records import Usage


@dataclasses.dataclass(frozen=True)
class SessionStatus:
    """A moment of a session.

    Attributes:
        done: evaluation tests that have left their record, of ``total``.
        in_flight: rollouts, in all processes.
        waiting: LM calls that wait for the rate limit.
        usage: what the records' LM calls took, within ``seconds``.
        spent: what all LM calls have taken of what they may (``$3.20 of $5.00``); empty without a cap.
    """

    done: int
    total: int
    in_flight: int
    waiting: int
    usage: Usage
    seconds: float
    spent: str = ""

    def text(self, width: int) -> str:
        """The line, with at most ``width`` characters: what comes last is left out first."""
        parts = [part for part in self._parts() if part]
        while len(parts) > 1 and len(", ".join(parts)) > width:
            parts.pop()
        return ", ".join(parts)[:width]

    def _parts(self) -> list[str]:
        calls, cost = self.usage.fresh, formats.cost(self.usage)
        return [
            f"{self.done}/{self.total} done",
            f"{self.in_flight} in flight",
            f"{max(0, self.total - self.done - self.in_flight)} queued",
            f"{self.waiting} waiting for the rate limit" if self.waiting else "",
            f"{calls / self.seconds:.1f} calls/s" if calls and self.seconds > 0 else "",
            self.spent or ("" if cost == "-" else cost),
            self._left(),
        ]

    def _left(self) -> str:
        if not self.done or self.done >= self.total:
            return ""
        return f"{formats.duration(self.seconds / self.done * (self.total - self.done))} left"
