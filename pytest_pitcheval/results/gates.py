"""Gates: what all examples of a test must reach together. Pure decisions on summaries and comparisons."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pytest_pitcheval.names import GATES, MAX_ERROR_RATE, MAX_REGRESSION, MIN_MEAN, MIN_PASS_RATE
from pytest_pitcheval.results import formats
from pytest_pitcheval.results.significance.means import ALPHA, FEWEST

if TYPE_CHECKING:
    from pytest_pitcheval.results.comparison import Comparison
    from pytest_pitcheval.results.records import Key
    from pytest_pitcheval.results.significance.paired import PairedDifference
    from pytest_pitcheval.results.summaries import Summary

DEFAULT_MAX_REGRESSION = 0.05
"""Where there is a baseline and nothing else is asked for."""

GateStatus = Literal["passed", "failed", "inconclusive"]
Reason = tuple[GateStatus, float | None, str]

_NAMED = 5


@dataclasses.dataclass(frozen=True)
class GateResult:
    """One gate of one test function and method."""

    test: str
    optimization: str
    gate: str
    status: GateStatus
    value: float | None
    limit: float
    reason: str

    @property
    def key(self) -> Key:
        """Its group: test function and method."""
        return self.test, self.optimization

    @property
    def text(self) -> str:
        """One line: the gate with its limit, whose it is, and why it is decided as it is."""
        return f"{self.gate}={self.limit:g} {self.test} [{self.optimization}]: {self.reason}"

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def decide(
    summaries: Iterable[Summary],
    limits: Callable[[Summary], Mapping[str, float]] = lambda summary: summary.gates,
    comparisons: Mapping[Key, Comparison] | None = None,
    strict: bool = False,
) -> list[GateResult]:
    """Every gate that is set, decided.

    ``limits`` are the gates of a summary; ``comparisons`` is None where there is no baseline at all. ``strict``
    makes what is inconclusive fail.
    """
    results = []
    for summary in summaries:
        for gate, limit in sorted(limits(summary).items(), key=lambda item: GATES.index(item[0])):
            status, value, reason = _decide(summary, gate, limit, comparisons)
            if strict and status == "inconclusive":
                status = "failed"
            results.append(GateResult(summary.test, summary.optimization, gate, status, value, limit, reason))
    return results


def _decide(summary: Summary, gate: str, limit: float, comparisons: Mapping[Key, Comparison] | None) -> Reason:
    if 0 < summary.skipped == summary.examples and not (summary.xfailed or summary.scored):
        return "inconclusive", None, "all examples were skipped"
    if gate == MIN_MEAN:
        return _mean(summary, limit)
    if gate == MIN_PASS_RATE:
        return _at_least("pass rate", summary.pass_rate, limit)
    if gate == MAX_ERROR_RATE:
        return _error_rate(summary, limit)
    if comparisons is None:
        return "failed", None, "there is no baseline; --eval-update-baseline writes one"
    comparison = comparisons.get(summary.key)
    if comparison is None:
        return "inconclusive", None, "not in the baseline"
    return _regression(comparison, limit) if gate == MAX_REGRESSION else _example_drop(comparison, limit)


def _mean(summary: Summary, limit: float) -> Reason:
    """A mean is never that of the survivors: one example without a score fails the gate."""
    unscored = summary.examples - summary.scored
    if unscored:
        return "failed", summary.mean, f"{unscored} of {summary.examples} examples have no score"
    return _at_least("mean", summary.mean, limit)


def _at_least(name: str, value: float | None, limit: float) -> Reason:
    if value is None:
        return "failed", None, "nothing was scored"
    if value < limit:
        return "failed", value, f"{name} {value:.6g} is below {limit:g}"
    return "passed", value, f"{name} {value:.6g} reaches {limit:g}"


def _error_rate(summary: Summary, limit: float) -> Reason:
    unscored = summary.examples - summary.scored
    rate = unscored / summary.examples if summary.examples else 0.0
    reason = f"{unscored} of {summary.examples} examples have no score"
    return ("failed" if rate > limit else "passed"), rate, reason


def _incomparable(comparison: Comparison) -> Reason | None:
    """Why a comparison cannot pass a gate, whatever its numbers: the mean of survivors must not."""
    if comparison.refused:
        return "failed", None, comparison.refused
    if comparison.unscored:
        return "failed", None, f"no score now, but in the baseline: {_names(comparison.unscored)}"
    if not comparison.pairs:
        return "inconclusive", None, "no example is the same as in the baseline"
    return None


def _names(names: tuple[str, ...] | list[str]) -> str:
    return formats.some([name or "the test itself" for name in names], _NAMED)


def _regression(comparison: Comparison, limit: float) -> Reason:
    result = comparison.result
    if (reason := _incomparable(comparison)) or result is None:
        return reason or ("inconclusive", None, "nothing was compared")
    drop = -result.difference
    text = describe_change(result)
    if comparison.against != comparison.optimization:
        text += f" against {comparison.against!r}"
    if drop <= limit:
        return "passed", drop, text
    if result.p_drop < ALPHA:
        return "failed", drop, text
    return "inconclusive", drop, f"{text}: not established; {describe_power(comparison)}"


def describe_change(result: PairedDifference) -> str:
    """``dropped by 0.442 (95 % 0.354 to 0.530), p < 0.001, 18 examples``."""
    drop = -result.difference
    verb, sign = ("dropped", -1) if drop > 0 else ("rose", 1)
    if not result.difference:
        return f"no difference, {formats.count(result.examples)}"
    text = f"{verb} by {abs(drop):.3g}"
    if result.ci95:
        low, high = sorted(sign * bound for bound in result.ci95)
        text += f" (95 % {low:.3g} to {high:.3g})"
    if drop > 0:
        p = formats.p_value(result.p_drop)
        text += f", p {p}" if p.startswith("<") else f", p = {p}"
    return f"{text}, {formats.count(result.examples)}"


def describe_power(comparison: Comparison) -> str:
    """What a run of this size could have shown, and what more rollouts would; empty where nothing varies."""
    if comparison.result is None or comparison.result.examples < FEWEST:
        return f"fewer than {FEWEST} examples show nothing"
    smallest = comparison.result.smallest_drop
    if smallest is None:
        return ""
    text = f"with 80 % power this shows a drop of {smallest:.2g}"
    if comparison.smallest_with_more is not None:
        text += f", with {4 * comparison.rollouts} rollouts of {comparison.smallest_with_more:.2g}"
    return text


def _example_drop(comparison: Comparison, limit: float) -> Reason:
    if reason := _incomparable(comparison):
        return reason
    broken = comparison.broken(limit)
    worst = max(pair.drop for pair in comparison.pairs)
    if broken:
        return (
            "failed",
            worst,
            f"{formats.count(len(broken))} fell by more than that in every rollout: {_names(broken)}",
        )
    return "passed", worst, f"none of {formats.count(len(comparison.pairs))} fell by more than that in every rollout"
