"""Gates: what all examples of a test must reach together. Pure decisions on summaries and comparisons."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pytest_pitcheval.names import MAX_ERROR_RATE, MAX_REGRESSION, MIN_MEAN, MIN_PASS_RATE, SCORE, Family, GateMode
from pytest_pitcheval.results import formats
from pytest_pitcheval.results.deciding.evidence import Evidence, gather
from pytest_pitcheval.results.deciding.limits import Limit
from pytest_pitcheval.results.records import FINITE, Keyed
from pytest_pitcheval.results.significance.exchange import rollouts_to_establish
from pytest_pitcheval.results.significance.families import Adjusted
from pytest_pitcheval.results.significance.means import ALPHA, FEWEST, rate_interval
from pytest_pitcheval.results.significance.power import needed, smallest_drop

if TYPE_CHECKING:
    from pytest_pitcheval.results.comparison import Comparison
    from pytest_pitcheval.results.subjects import Subject
    from pytest_pitcheval.results.summaries import Summary

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
        metric, slice: what it is about, as `Subject` has it.
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
    metric: str = SCORE
    slice: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it is about the scores of all examples."""
        return self.metric == SCORE and self.slice is None

    @property
    def name(self) -> str:
        """The gate with its limit, and what it is about: ``min_mean=0.6 relevancy, topic=refunds``."""
        about = [] if self.metric == SCORE else [self.metric]
        about += [] if self.slice is None else [self.slice]
        return f"{self.gate}={self.limit:g}{' ' if about else ''}{', '.join(about)}"

    @property
    def text(self) -> str:
        """One line: the gate, whose it is, and why it is decided as it is."""
        return f"{self.name} {self.test} [{self.optimization}]: {self.reason}"

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def decide(
    limits: Sequence[Limit],
    summaries: Mapping[Subject, Summary],
    comparisons: Mapping[Subject, Comparison] | None = None,
    mode: GateMode = "normal",
    family: Family = "holm",
) -> list[GateResult]:
    """Every gate that is set, decided.

    ``summaries`` are by `Subject.part`; ``comparisons`` is None where there is no baseline at all.
    """
    evidence = gather(limits, comparisons or {}, family)
    results = []
    for limit in limits:
        decided = _decide(summaries[limit.subject.part], limit, mode, comparisons, evidence)
        results.append(_result(limit, decided, mode))
    return results


def _result(limit: Limit, decided: Reason, mode: GateMode) -> GateResult:
    status = "failed" if mode == "strict" and decided.status == "inconclusive" else decided.status
    adjusted, among = decided.adjusted or (None, None)
    subject, value = limit.subject, decided.value
    return GateResult(
        *subject.key,
        limit.gate,
        status,
        None if value is None or math.isinf(value) else value,
        limit.limit,
        decided.text,
        decided.p,
        adjusted,
        among,
        subject.metric,
        subject.slice_text,
    )


def _decide(
    summary: Summary,
    asked: Limit,
    mode: GateMode,
    comparisons: Mapping[Subject, Comparison] | None,
    evidence: Evidence,
) -> Reason:
    subject, gate, limit = asked
    if 0 < summary.skipped == summary.examples and not (summary.xfailed or summary.scored):
        return Reason("inconclusive", None, "all examples were skipped")
    if gate == MIN_MEAN:
        return _mean(summary, subject.metric, limit, mode)
    if gate == MIN_PASS_RATE:
        bounds = rate_interval(summary.passed, summary.examples) if summary.examples >= FEWEST else None
        return _at_least("pass rate", summary.pass_rate, bounds, limit, mode)
    if gate == MAX_ERROR_RATE:
        return _error_rate(summary, limit)
    if comparisons is None:
        return Reason("failed", None, "there is no baseline; --eval-update-baseline writes one")
    comparison = comparisons.get(subject)
    if comparison is None:
        return Reason("inconclusive", None, "not in the baseline")
    if reason := _incomparable(comparison):
        return reason
    return (_regression if gate == MAX_REGRESSION else _example_drop)(subject, comparison, limit, evidence)


def _mean(summary: Summary, metric: str, limit: float, mode: GateMode) -> Reason:
    """A mean is never that of the survivors: one example without a score fails the gate."""
    found = summary.of(metric)
    unscored = summary.examples - found.scored
    if unscored:
        if metric != SCORE and not found.scored and summary.scored:
            known = formats.some([SCORE, *summary.metrics])
            return Reason("failed", None, f"no example has the metric {metric!r}; there are {known}")
        return Reason("failed", found.mean, f"{unscored} of {summary.examples} examples have no {metric}")
    bounds = found.ci95 if found.scored >= FEWEST else None
    return _at_least("mean", found.mean, bounds, limit, mode)


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
        return Reason("failed", None, f"no {comparison.metric} now, but in the baseline: {_names(comparison.unscored)}")
    if not comparison.pairs or comparison.result is None:
        return Reason("inconclusive", None, "no example is the same as in the baseline")
    return None


def _names(names: tuple[str, ...] | list[str]) -> str:
    return formats.some([name or "the test itself" for name in names], _NAMED)


def _regression(subject: Subject, comparison: Comparison, limit: float, evidence: Evidence) -> Reason:
    result = comparison.result
    assert result is not None  # else it is incomparable
    drop, adjusted = comparison.drop, evidence.of_mean(subject)
    text = describe_change(comparison, adjusted)
    if comparison.against != comparison.optimization:
        text += f" against {comparison.against!r}"
    if drop <= limit:
        return Reason("passed", drop, text, result.p_drop, adjusted)
    if adjusted.p < ALPHA:
        return Reason("failed", drop, text, result.p_drop, adjusted)
    text += f": not established; {describe_power(comparison, adjusted.among)}"
    return Reason("inconclusive", drop, text, result.p_drop, adjusted)


def describe_change(comparison: Comparison, adjusted: Adjusted | None = None) -> str:
    """``dropped by 0.442 (95 % 0.354 to 0.530), p < 0.001, 18 examples``; a share too where limits are shares."""
    result = comparison.result
    assert result is not None  # else there is nothing to tell
    if not result.difference:
        return f"no difference, {formats.count(result.examples)}"
    drop = -result.difference
    verb = "dropped" if (drop > 0) != comparison.lower_is_better else "rose"
    text = f"{verb} by {abs(drop):.3g}"
    if result.ci95:
        low, high = sorted((-1 if drop > 0 else 1) * bound for bound in result.ci95)
        text += f" (95 % {low:.3g} to {high:.3g})"
    if comparison.is_relative and comparison.mean_before:
        text += f", {abs(comparison.drop):.3g} of {comparison.mean_before:.3g}"
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
    if comparison.lower_is_better:
        before, after = after, before
    smallest = smallest_drop([pair.change for pair in comparison.pairs], alpha)
    text = "" if smallest is None else f"with 80 % power this shows a drop of {smallest:.2g}"
    takes = needed(before, after, drop, alpha) if drop > 0 else None
    if takes is None or not any(takes) or takes.examples == len(before):  # that many could have shown it
        return text
    ways = [f"{takes.rollouts} rollouts both times"] if takes.rollouts else []
    ways += [f"{takes.examples} examples"] if takes.examples else []
    return f"{text}{'; ' if text else ''}this drop takes {' or '.join(ways)}"


def _example_drop(subject: Subject, comparison: Comparison, limit: float, evidence: Evidence) -> Reason:
    fallen, verb = comparison.fallen(limit), "rose" if comparison.lower_is_better else "fell"
    worst = max(map(comparison.drop_of, comparison.pairs))
    if not fallen:
        return Reason("passed", worst, f"none of {formats.count(len(comparison.pairs))} {verb} by more than that")
    found = {pair.example_id: evidence.of_example(subject, pair) for pair in fallen}
    broken = [pair for pair in fallen if found[pair.example_id].p < ALPHA]
    shown = max(broken or fallen, key=lambda pair: found[pair.example_id].p if broken else -found[pair.example_id].p)
    alone, adjusted = evidence.p(subject, shown), found[shown.example_id]
    text = f"{formats.count(len(broken or fallen))} {verb} by more than that"
    names = _names([pair.example_id for pair in broken or fallen])
    if broken:
        most = " at most" if len(broken) > 1 else ""
        text += f": {names}, {_p(alone, adjusted).replace('p ', f'p{most} ', 1)}"
        return Reason("failed", max(map(comparison.drop_of, broken)), text, alone, adjusted)
    rollouts = rollouts_to_establish(ALPHA / len(evidence))
    text += f", not established: {names}; {rollouts} rollouts both times would do"
    return Reason("inconclusive", worst, text, alone, adjusted)
