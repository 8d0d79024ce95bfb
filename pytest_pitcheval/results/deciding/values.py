"""Gates on what this run came to by itself: means and shares, and what their intervals say."""

from __future__ import annotations

from pytest_pitcheval.names import CORRECTED, MAX_MEAN, SCORE, GateMode
from pytest_pitcheval.results import formats
from pytest_pitcheval.results.deciding.early.rest import Range
from pytest_pitcheval.results.deciding.limits import Limit
from pytest_pitcheval.results.deciding.reasons import GateStatus, Reason
from pytest_pitcheval.results.significance.means import FEWEST, rate_interval
from pytest_pitcheval.results.summaries.summary import Summary

_NOTHING_TOLD = "no labels of its answers, and no exam of its judge with labels of 0 and 1"
"""Why a mean is not corrected."""


def mean(summary: Summary, asked: Limit, mode: GateMode) -> Reason:
    """A mean is never that of the survivors: one example without a score fails the gate.

    Of an example that is unchanged, the baseline's score counts.
    """
    metric = asked.subject.metric
    if metric == CORRECTED and metric not in summary.with_unchanged:
        return _corrected(summary, asked, mode)
    found = summary.of_known(metric)
    unscored = summary.known - found.scored
    if unscored:
        if metric != SCORE and not found.scored and summary.of_known(SCORE).scored:
            known = formats.some([SCORE, *(name for name, one in summary.metrics.items() if one.scored)])
            return Reason("failed", None, f"no example has the metric {metric!r}; there are {known}")
        return Reason("failed", found.mean, _lacking(unscored, summary, metric))
    most = asked.gate == MAX_MEAN
    if summary.known < summary.examples:
        is_known = metric == SCORE and summary.is_unit and found.mean is not None
        total = (found.mean or 0.0) * found.scored
        status = _whatever_comes(total, summary, asked.limit, mode, most) if is_known else None
        return _of_part("mean", found.mean, summary, status, asked.limit, most)
    bounds = found.ci95 if found.scored >= FEWEST else None
    return _of_some(bounded("mean", found.mean, bounds, asked.limit, mode, most), asked, summary)


def _corrected(summary: Summary, asked: Limit, mode: GateMode) -> Reason:
    """What is undefined does not pass, and is no mean of some of the examples."""
    one, unscored = summary.corrected, summary.known - summary.of_known(SCORE).scored
    if one is None or asked.subject.slice is not None:
        text = _NOTHING_TOLD if one is None else "nothing is corrected of a slice"
        return Reason("failed", None, f"undefined: {text}")
    if unscored:
        return Reason("failed", one.mean, _lacking(unscored, summary))
    if one.mean is None:
        return Reason("inconclusive" if one.is_partial else "failed", None, f"undefined: {one.undefined}")
    if summary.known < summary.examples:
        return _of_part("corrected mean", one.mean, summary, None, asked.limit, asked.gate == MAX_MEAN)
    decided = bounded("corrected mean", one.mean, one.ci95, asked.limit, mode, asked.gate == MAX_MEAN)
    return decided._replace(text=f"{decided.text} ({one.how}, {formats.count(one.labels, 'label')})")


def aggregate(summary: Summary, asked: Limit, mode: GateMode) -> Reason:
    """A metric of the whole set; what is undefined passes no gate."""
    name = asked.subject.metric
    found = summary.aggregates.get(name)
    if found is None or found.value is None:
        status: GateStatus = "inconclusive" if found and found.is_open else "failed"
        return Reason(status, None, f"undefined: {found.undefined if found else 'nobody computes it'}")
    bounds = found.ci95 if found.examples >= FEWEST else None
    return _of_some(bounded(name, found.value, bounds, asked.limit, mode), asked, summary)


def pass_rate(summary: Summary, asked: Limit, mode: GateMode) -> Reason:
    """Passed tests over all collected ones; those that are unchanged passed for the baseline."""
    passed, known = summary.passed + summary.unchanged, summary.known
    rate = passed / known if known else None
    if known < summary.examples:
        status = _whatever_comes(passed, summary, asked.limit, mode)
        return _of_part("pass rate", rate, summary, status, asked.limit)
    bounds = rate_interval(passed, known) if known >= FEWEST else None
    return _of_some(bounded("pass rate", rate, bounds, asked.limit, mode), asked, summary)


def _of_some(decided: Reason, asked: Limit, summary: Summary) -> Reason:
    """A slice may be small: how many examples it has is said with it; and of how many the baseline tells."""
    if decided.value is None:
        return decided
    texts = [decided.text]
    if asked.subject.slice is not None:
        texts.append(formats.count(summary.examples))
    if summary.unchanged:
        texts.append(f"{summary.unchanged} of {summary.examples} as in the baseline")
    return decided._replace(text=", ".join(texts))


def _whatever_comes(
    total: float, summary: Summary, limit: float, mode: GateMode, most: bool = False
) -> GateStatus | None:
    """What the gate says whatever the examples score that were left out; ``total`` is the sum of the others."""
    mean_of_all = Range.of(total, summary.examples - summary.known, summary.examples)
    return mean_of_all.at_most(limit, mode) if most else mean_of_all.at_least(limit, mode)


def _of_part(
    name: str, value: float | None, summary: Summary, status: GateStatus | None, limit: float, most: bool = False
) -> Reason:
    """Of the examples that were not left out; ``status`` is None where these could change it."""
    if value is None:
        return Reason("failed", None, "nothing was scored")
    part = f"{summary.known} of {summary.examples}"
    text = f"{name} {value:.6g} of {part} {_verb(value, limit, most)} {limit:g}"
    if status is None:
        return Reason("inconclusive", value, f"{text}, which the rest could change")
    return Reason(status, value, f"{text}, whatever the rest scores")


def _verb(value: float, limit: float, most: bool) -> str:
    if most:
        return "is at most" if value <= limit else "is above"
    return "reaches" if value >= limit else "is below"


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
    text, established = f"{name} {value:.6g} {_verb(value, limit, most)} {limit:g}", False
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
    unscored = summary.needed - summary.scored
    rate = unscored / summary.examples if summary.examples else 0.0
    return Reason("failed" if rate > limit else "passed", rate, _lacking(unscored, summary))


def _lacking(unscored: int, summary: Summary, metric: str = SCORE) -> str:
    if summary.known == 1:
        return f"{unscored} of 1 example has no {metric}"
    return f"{unscored} of {summary.known} examples have no {metric}"


def must_pass(summary: Summary | None) -> Reason:
    """Whether the test of an example failed that must not; ``summary`` is None where this run has no such example."""
    if summary is None:
        return Reason("passed", 0, "this run has none of these examples")
    failed, all_of_them = summary.failing, formats.count(summary.examples)
    if failed:
        names = formats.examples(failed)
        return Reason("failed", len(failed), f"{len(failed)} of {all_of_them} failed: {names}")
    skipped, left_out = summary.skipped - summary.unchanged, summary.left_out - summary.unchanged
    if skipped:
        verb = "left out" if left_out == skipped else "skipped"
        return Reason("inconclusive", 0, f"{skipped} of {all_of_them} were {verb}")
    known = f", {summary.unchanged} of them for the baseline" if summary.unchanged else ""
    return Reason("passed", 0, f"all of {all_of_them} passed{known}")
