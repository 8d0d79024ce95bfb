"""Gates: what all examples of a test must reach together. Pure decisions on summaries and comparisons."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pytest_pitcheval.names import GATES, MAX_ERROR_RATE, MAX_REGRESSION, MIN_MEAN, MIN_PASS_RATE, Family, GateMode
from pytest_pitcheval.results import formats
from pytest_pitcheval.results.evidence import Evidence, gather
from pytest_pitcheval.results.records import FINITE, Keyed
from pytest_pitcheval.results.significance.exchange import rollouts_to_establish
from pytest_pitcheval.results.significance.families import Adjusted
from pytest_pitcheval.results.significance.means import ALPHA, FEWEST, rate_interval
from pytest_pitcheval.results.significance.power import needed, smallest_drop

if TYPE_CHECKING:
    from pytest_pitcheval.results.comparison import Comparison
    from pytest_pitcheval.results.records import Key
    from pytest_pitcheval.results.significance.paired import PairedDifference
    from pytest_pitcheval.results.summaries import Summary

DEFAULT_MAX_REGRESSION = 0.05
"""Where there is a baseline and nothing else is asked for."""

GateStatus = Literal["passed", "failed", "inconclusive"]
_NAMED = 5


class Reason(NamedTuple):
    """A gate's status, the value it was decided on, why, and of a drop its p-value, alone and among others."""

    status: GateStatus
    value: float | None
    text: str
    p: float | None = None
    adjusted: Adjusted | None = None


@dataclasses.dataclass(frozen=True)
class GateResult(Keyed):
    """One gate of one test function and method.

    Attributes:
        value: what was held to ``limit``: a mean, a share, or how far a mean fell; None where there is none.
        p: one-sided, of the drop that decides; None for gates without a baseline.
        p_adjusted: the same among all ``among`` claims of the session; below 0.05 the drop is established.
    """

    __pydantic_config__ = FINITE

    test: str
    optimization: str
    gate: str
    status: GateStatus
    value: float | None
    limit: float
    reason: str
    p: float | None = None
    p_adjusted: float | None = None
    among: int | None = None

    @property
    def text(self) -> str:
        """One line: the gate with its limit, whose it is, and why it is decided as it is."""
        return f"{self.gate}={self.limit:g} {self.test} [{self.optimization}]: {self.reason}"

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def decide(
    summaries: Sequence[Summary],
    limits: Callable[[Summary], Mapping[str, float]] = lambda summary: summary.gates,
    comparisons: Mapping[Key, Comparison] | None = None,
    mode: GateMode = "normal",
    family: Family = "holm",
) -> list[GateResult]:
    """Every gate that is set, decided.

    ``limits`` are the gates of a summary; ``comparisons`` is None where there is no baseline at all.
    """
    held_to = [(summary, limits(summary)) for summary in summaries]
    evidence = gather([(one.key, gates) for one, gates in held_to], comparisons or {}, family)
    results = []
    for summary, gates in held_to:
        for gate, limit in sorted(gates.items(), key=lambda item: GATES.index(item[0])):
            decided = _decide(summary, gate, limit, mode, comparisons, evidence)
            results.append(_result(summary, gate, limit, decided, mode))
    return results


def _result(summary: Summary, gate: str, limit: float, decided: Reason, mode: GateMode) -> GateResult:
    status = "failed" if mode == "strict" and decided.status == "inconclusive" else decided.status
    adjusted, among = decided.adjusted or (None, None)
    whose = (summary.test, summary.optimization, gate)
    return GateResult(*whose, status, decided.value, limit, decided.text, decided.p, adjusted, among)


def _decide(
    summary: Summary,
    gate: str,
    limit: float,
    mode: GateMode,
    comparisons: Mapping[Key, Comparison] | None,
    evidence: Evidence,
) -> Reason:
    if 0 < summary.skipped == summary.examples and not (summary.xfailed or summary.scored):
        return Reason("inconclusive", None, "all examples were skipped")
    if gate == MIN_MEAN:
        return _mean(summary, limit, mode)
    if gate == MIN_PASS_RATE:
        bounds = rate_interval(summary.passed, summary.examples) if summary.examples >= FEWEST else None
        return _at_least("pass rate", summary.pass_rate, bounds, limit, mode)
    if gate == MAX_ERROR_RATE:
        return _error_rate(summary, limit)
    if comparisons is None:
        return Reason("failed", None, "there is no baseline; --eval-update-baseline writes one")
    comparison = comparisons.get(summary.key)
    if comparison is None:
        return Reason("inconclusive", None, "not in the baseline")
    if reason := _incomparable(comparison):
        return reason
    return (_regression if gate == MAX_REGRESSION else _example_drop)(comparison, limit, evidence)


def _mean(summary: Summary, limit: float, mode: GateMode) -> Reason:
    """A mean is never that of the survivors: one example without a score fails the gate."""
    unscored = summary.examples - summary.scored
    if unscored:
        return Reason("failed", summary.mean, f"{unscored} of {summary.examples} examples have no score")
    bounds = summary.ci95 if summary.scored >= FEWEST else None
    return _at_least("mean", summary.mean, bounds, limit, mode)


def _at_least(
    name: str, value: float | None, bounds: tuple[float, float] | None, limit: float, mode: GateMode
) -> Reason:
    """``bounds`` are the ends of the value's 95 % interval: where the limit lies in it, nothing is established.

    They are None where there are fewer than five examples.
    """
    if value is None:
        return Reason("failed", None, "nothing was scored")
    reached = value >= limit
    established = bounds is not None and (bounds[0] >= limit if reached else bounds[1] < limit)
    text = f"{name} {value:.6g} {'reaches' if reached else 'is below'} {limit:g}"
    if bounds is not None and not established:
        text += f", not established (95 % {bounds[0]:.3g} to {bounds[1]:.3g})"
    if mode == "strict":
        return Reason("passed" if reached and established else "failed", value, text)
    unsure = mode == "established" and not established
    return Reason("passed" if reached else "inconclusive" if unsure else "failed", value, text)


def _error_rate(summary: Summary, limit: float) -> Reason:
    """What happened, not a sample of what might: its value decides in each mode."""
    unscored = summary.examples - summary.scored
    rate = unscored / summary.examples if summary.examples else 0.0
    reason = f"{unscored} of {summary.examples} examples have no score"
    return Reason("failed" if rate > limit else "passed", rate, reason)


def _incomparable(comparison: Comparison) -> Reason | None:
    """Why a comparison cannot pass a gate, whatever its numbers: the mean of survivors must not."""
    if comparison.refused:
        return Reason("failed", None, comparison.refused)
    if comparison.unscored:
        return Reason("failed", None, f"no score now, but in the baseline: {_names(comparison.unscored)}")
    if not comparison.pairs or comparison.result is None:
        return Reason("inconclusive", None, "no example is the same as in the baseline")
    return None


def _names(names: tuple[str, ...] | list[str]) -> str:
    return formats.some([name or "the test itself" for name in names], _NAMED)


def _regression(comparison: Comparison, limit: float, evidence: Evidence) -> Reason:
    result = comparison.result
    assert result is not None  # else it is incomparable
    drop, adjusted = -result.difference, evidence.of_test(comparison.key)
    text = describe_change(result, adjusted)
    if comparison.against != comparison.optimization:
        text += f" against {comparison.against!r}"
    if drop <= limit:
        return Reason("passed", drop, text, result.p_drop, adjusted)
    if adjusted.p < ALPHA:
        return Reason("failed", drop, text, result.p_drop, adjusted)
    text += f": not established; {describe_power(comparison, adjusted.among)}"
    return Reason("inconclusive", drop, text, result.p_drop, adjusted)


def describe_change(result: PairedDifference, adjusted: Adjusted | None = None) -> str:
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
        text += f", {_p(result.p_drop, adjusted)}"
    return f"{text}, {formats.count(result.examples)}"


def _p(alone: float, adjusted: Adjusted | None) -> str:
    """``p = 0.004``, and where there are other claims ``p = 0.004, 0.080 among 20``."""
    p = formats.p_value(alone)
    text = f"p {p}" if p.startswith("<") else f"p = {p}"
    return (
        text
        if adjusted is None or adjusted.among < 2
        else f"{text}, {formats.p_value(adjusted.p)} among {adjusted.among}"
    )


def describe_power(comparison: Comparison, among: int = 1) -> str:
    """What a run of this size could have shown, and what it takes to establish this drop; empty where nothing varies.

    ``among`` so many claims, the first of which must have a p-value below 0.05 / ``among``.
    """
    if comparison.result is None or comparison.result.examples < FEWEST:
        return f"fewer than {FEWEST} examples show nothing"
    alpha, drop = ALPHA / among, -comparison.result.difference
    before, after = [pair.before for pair in comparison.pairs], [pair.after for pair in comparison.pairs]
    smallest = smallest_drop([pair.change for pair in comparison.pairs], alpha)
    text = "" if smallest is None else f"with 80 % power this shows a drop of {smallest:.2g}"
    takes = needed(before, after, drop, alpha) if drop > 0 else None
    if takes is None or not any(takes) or takes.examples == len(before):  # that many could have shown it
        return text
    ways = [f"{takes.rollouts} rollouts both times"] if takes.rollouts else []
    ways += [f"{takes.examples} examples"] if takes.examples else []
    return f"{text}{'; ' if text else ''}this drop takes {' or '.join(ways)}"


def _example_drop(comparison: Comparison, limit: float, evidence: Evidence) -> Reason:
    fallen = comparison.fallen(limit)
    worst = max(pair.drop for pair in comparison.pairs)
    if not fallen:
        return Reason("passed", worst, f"none of {formats.count(len(comparison.pairs))} fell by more than that")
    found = {pair.example_id: evidence.of_example(comparison.key, pair) for pair in fallen}
    broken = [pair for pair in fallen if found[pair.example_id].p < ALPHA]
    shown = max(broken or fallen, key=lambda pair: found[pair.example_id].p if broken else -found[pair.example_id].p)
    alone, adjusted = evidence.p(comparison.key, shown), found[shown.example_id]
    text = f"{formats.count(len(broken or fallen))} fell by more than that"
    names = _names([pair.example_id for pair in broken or fallen])
    if broken:
        most = " at most" if len(broken) > 1 else ""
        text += f": {names}, {_p(alone, adjusted).replace('p ', f'p{most} ', 1)}"
        return Reason("failed", max(pair.drop for pair in broken), text, alone, adjusted)
    rollouts = rollouts_to_establish(ALPHA / len(evidence))
    text += f", not established: {names}; {rollouts} rollouts both times would do"
    return Reason("inconclusive", worst, text, alone, adjusted)
