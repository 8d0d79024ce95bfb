"""Gates on what this run came to by itself: means and shares, and what their intervals say."""

from __future__ import annotations

from pytest_pitcheval.names import MAX_MEAN, SCORE, GateMode
from pytest_pitcheval.results import formats
from pytest_pitcheval.results.deciding.limits import Limit
from pytest_pitcheval.results.deciding.reasons import Reason
from pytest_pitcheval.results.significance.means import FEWEST, rate_interval
from pytest_pitcheval.results.summaries import Summary

_NAMED = 5


def mean(summary: Summary, asked: Limit, mode: GateMode) -> Reason:
    """A mean is never that of the survivors: one example without a score fails the gate."""
    metric = asked.subject.metric
    found = summary.of(metric)
    unscored = summary.examples - found.scored
    if unscored:
        if metric != SCORE and not found.scored and summary.scored:
            known = formats.some([SCORE, *(name for name, one in summary.metrics.items() if one.scored)])
            return Reason("failed", None, f"no example has the metric {metric!r}; there are {known}")
        return Reason("failed", found.mean, f"{unscored} of {summary.examples} examples have no {metric}")
    bounds = found.ci95 if found.scored >= FEWEST else None
    decided = bounded("mean", found.mean, bounds, asked.limit, mode, most=asked.gate == MAX_MEAN)
    return _of_slice(decided, asked, summary)


def pass_rate(summary: Summary, asked: Limit, mode: GateMode) -> Reason:
    """Passed tests over all collected ones."""
    bounds = rate_interval(summary.passed, summary.examples) if summary.examples >= FEWEST else None
    return _of_slice(bounded("pass rate", summary.pass_rate, bounds, asked.limit, mode), asked, summary)


def _of_slice(decided: Reason, asked: Limit, summary: Summary) -> Reason:
    """A slice may be small: how many examples it has is said with it."""
    if asked.subject.slice is None or decided.value is None:
        return decided
    return decided._replace(text=f"{decided.text}, {formats.count(summary.examples)}")


def bounded(
    name: str, value: float | None, bounds: tuple[float, float] | None, limit: float, mode: GateMode, most: bool = False
) -> Reason:
    """``value`` held to the least that it must be, or to the ``most``.

    ``bounds`` are the ends of its 95 % interval: where the limit lies in it, nothing is established. They are None
    where there are fewer than five examples.
    """
    if value is None:
        return Reason("failed", None, "nothing was scored")
    sign = -1 if most else 1
    holds = sign * value >= sign * limit
    verb = ("is at most" if holds else "is above") if most else ("reaches" if holds else "is below")
    text, established = f"{name} {value:.6g} {verb} {limit:g}", False
    if bounds is not None:
        low, high = sorted(sign * bound for bound in bounds)
        established = low >= sign * limit if holds else high < sign * limit
        text += "" if established else f", not established (95 % {bounds[0]:.3g} to {bounds[1]:.3g})"
    if mode == "strict":
        return Reason("passed" if holds and established else "failed", value, text)
    unsure = mode == "established" and not established
    return Reason("passed" if holds else "inconclusive" if unsure else "failed", value, text)


def error_rate(summary: Summary, limit: float) -> Reason:
    """What happened, not a sample of what might: its value decides in each mode."""
    unscored = summary.examples - summary.scored
    rate = unscored / summary.examples if summary.examples else 0.0
    reason = f"{unscored} of {summary.examples} examples have no score"
    return Reason("failed" if rate > limit else "passed", rate, reason)


def must_pass(summary: Summary | None) -> Reason:
    """Whether the test of an example failed that must not; ``summary`` is None where this run has no such example."""
    if summary is None:
        return Reason("passed", 0, "this run has none of these examples")
    failed, all_of_them = summary.failing, formats.count(summary.examples)
    if failed:
        names = formats.some([name or "the test itself" for name in failed], _NAMED)
        return Reason("failed", len(failed), f"{len(failed)} of {all_of_them} failed: {names}")
    if summary.skipped:
        return Reason("inconclusive", 0, f"{summary.skipped} of {all_of_them} were skipped")
    return Reason("passed", 0, f"all of {all_of_them} passed")
