"""The metrics of the whole set that a run's tests are asked for: what they came to, and how they changed. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from pytest_pitcheval.names import AGGREGATES, MAX_REGRESSION, MIN_AGGREGATE, SCORE
from pytest_pitcheval.results.aggregates.aggregating import Aggregating
from pytest_pitcheval.results.aggregates.changes import Change, Refusal, Terms, group_under
from pytest_pitcheval.results.aggregates.figures import Aggregate
from pytest_pitcheval.results.baselines import Baseline
from pytest_pitcheval.results.collected import Collected
from pytest_pitcheval.results.comparison import Comparison
from pytest_pitcheval.results.deciding.limits import Limit
from pytest_pitcheval.results.deciding.outcome import Outcome
from pytest_pitcheval.results.subjects import Subject
from pytest_pitcheval.results.summaries.summary import Summary

_EXPECTED = f"expected {', '.join(AGGREGATES)}, or a function of the fixture aggregates"


def with_figures(parts: Mapping[Subject, Summary], outcome: Outcome, limits: Sequence[Limit]) -> dict[Subject, Summary]:
    """``parts`` with the metrics of the whole set that fixtures and ``limits`` name."""
    if outcome.aggregating is None:
        return dict(parts)
    found, tests = {}, outcome.tests()
    for part, summary in parts.items():
        of_part = [limit for limit in limits if limit.subject.part == part]
        names = _asked(part, summary, of_part, outcome.aggregating) if summary.asked.exam is None else {}
        figures = {
            name: _figure(name, source, part, summary, tests[part], outcome.aggregating)
            for name, source in names.items()
        }
        found[part] = dataclasses.replace(summary, aggregates=figures) if figures else summary
    return found


def _asked(part: Subject, summary: Summary, limits: Iterable[Limit], of: Aggregating) -> dict[str, str]:
    """By name, where they come from; an empty text where nobody knows."""
    known = of.sources(part.key)
    found = dict(known) if part.slice is None else {}
    for limit in limits:
        name = limit.subject.metric
        is_ours = name in known or (name in AGGREGATES and name not in summary.metrics)
        if limit.gate == MIN_AGGREGATE or (limit.gate == MAX_REGRESSION and name != SCORE and is_ours):
            found.setdefault(name, known.get(name, name if name in AGGREGATES else ""))
    return found


def _figure(
    name: str, source: str, part: Subject, summary: Summary, tests: Sequence[Collected], of: Aggregating
) -> Aggregate:
    if name in summary.metrics:
        return Aggregate(source, examples=summary.examples, undefined="the metric returns a number of that name too")
    if not source:
        return Aggregate(source, examples=summary.examples, undefined=f"there is none of that name: {_EXPECTED}")
    return of.figure(name, source, tests, is_whole=part.slice is None)


def without_changes(parts: Mapping[Subject, Summary], limits: Iterable[Limit]) -> list[Limit]:
    """``limits`` but for those that `changes` is for."""
    return [limit for limit in limits if not _is_change(parts, limit)]


def _is_change(parts: Mapping[Subject, Summary], limit: Limit) -> bool:
    summary = parts.get(limit.subject.part)
    return limit.gate == MAX_REGRESSION and summary is not None and limit.subject.metric in summary.aggregates


def changes(
    parts: Mapping[Subject, Summary],
    outcome: Outcome,
    compared: Mapping[Subject, Comparison],
    baseline: Baseline,
    limits: Iterable[Limit],
    lower_is_better: Callable[[Subject], bool],
    allowed: Collection[str],
) -> dict[Subject, Change]:
    """How those changed that ``limits`` hold to the baseline, of the tests that it knows."""
    found, tests = {}, outcome.tests()
    for limit in (limit for limit in limits if _is_change(parts, limit)):
        subject = limit.subject
        whole = compared.get(Subject(subject.key))
        if whole is not None and outcome.aggregating is not None:
            before = group_under(baseline, subject.key.test, whole.against)
            terms = Terms(limit.limit, lower_is_better(subject), allowed)
            figure = parts[subject.part].aggregates[subject.metric]
            found[subject] = _refused(figure) or outcome.aggregating.change(
                subject.metric, figure.source, tests[subject.part], before, whole.against, terms
            )
    return found


def _refused(figure: Aggregate) -> Change | None:
    if not figure.undefined or figure.is_open:
        return None
    return Change(Refusal("failed", f"undefined: {figure.undefined}"))
