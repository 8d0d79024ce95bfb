"""Gates: what all examples of a test must reach together. Pure decisions on summaries."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from pytest_pitcheval.summaries import Summary


@dataclasses.dataclass(frozen=True)
class GateResult:
    """One gate of one test function and method; ``status`` is ``passed`` or ``failed``."""

    test: str
    optimization: str
    gate: str
    status: str
    value: float | None
    limit: float
    reason: str

    @property
    def text(self) -> str:
        """One line: the gate with its limit, whose it is, and why it is decided as it is."""
        return f"{self.gate}={self.limit:g} {self.test} [{self.optimization}]: {self.reason}"

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def decide(summaries: Iterable[Summary]) -> list[GateResult]:
    """Every gate that is set, decided."""
    return [_decide(summary, gate, limit) for summary in summaries for gate, limit in summary.gates.items()]


def _decide(summary: Summary, gate: str, limit: float) -> GateResult:
    value = summary.mean if gate == "min_mean" else summary.pass_rate
    status, reason = _reason(summary, gate, value, limit)
    return GateResult(summary.test, summary.optimization, gate, status, value, limit, reason)


def _reason(summary: Summary, gate: str, value: float | None, limit: float) -> tuple[str, str]:
    """A mean is never that of the survivors: one example without a score fails ``min_mean``."""
    unscored = summary.examples - summary.scored
    if gate == "min_mean" and unscored:
        return "failed", f"{unscored} of {summary.examples} examples have no score"
    if value is None:
        return "failed", "nothing was scored"
    name = "mean" if gate == "min_mean" else "pass rate"
    if value < limit:
        return "failed", f"{name} {value:.6g} is below {limit:g}"
    return "passed", f"{name} {value:.6g} reaches {limit:g}"
