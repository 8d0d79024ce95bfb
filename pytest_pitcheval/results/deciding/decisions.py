"""What a run comes to: pure, so that a finished run can be decided again under other terms."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection, Mapping, Sequence

from pytest_pitcheval.names import DECIDED, MEASURED, NEED_BASELINE, UNCHANGED, Family, GateMode, LeftOut
from pytest_pitcheval.results import comparison
from pytest_pitcheval.results.aggregates.changes import Change
from pytest_pitcheval.results.baselines import Baseline, measure, scores_of
from pytest_pitcheval.results.choosing import side_by_side
from pytest_pitcheval.results.choosing.side_by_side import MethodResult
from pytest_pitcheval.results.collected import Collected
from pytest_pitcheval.results.comparison import Comparison, Coverage
from pytest_pitcheval.results.deciding import aggregates, gates, judges
from pytest_pitcheval.results.deciding.early.looking import NOT_LOOKED, Plan, look, make_plan
from pytest_pitcheval.results.deciding.early.stopping import Stopping
from pytest_pitcheval.results.deciding.gates import GateResult
from pytest_pitcheval.results.deciding.limits import (
    Limit,
    OwnLimits,
    in_order,
    limits_of,
    subjects_compared,
    with_defaults,
)
from pytest_pitcheval.results.deciding.outcome import Outcome
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.results.records import Record, own_first
from pytest_pitcheval.results.significance import looks
from pytest_pitcheval.results.subjects import Slice, SliceSummary, Subject
from pytest_pitcheval.results.summaries import summarizing
from pytest_pitcheval.results.summaries.summary import MetricSummary, Summary


@dataclasses.dataclass(frozen=True)
class Terms:
    """What a run is held to.

    Attributes:
        limits: the limits of a gate by metric, given its name and the test's own ones.
        mode: how sure a gate must be.
        family: whether all claims that something got worse have one error rate.
        allowed: what may have changed since the baseline, of `names.ALLOWED`.
        lower_is_better: the metrics that get worse when they rise, beside those of the tests' markers.
        max_age: an older baseline is warned of; in days.
        looks: the seed of the order of examples in which drops are looked for before the end; None: only at the end.
    """

    limits: OwnLimits
    mode: GateMode = "normal"
    family: Family = "holm"
    allowed: Collection[str] = ()
    lower_is_better: Collection[str] = ()
    max_age: float = math.inf
    looks: int | None = None


NO_TERMS = Terms(lambda gate, own: {})
"""No gates at all."""


@dataclasses.dataclass(frozen=True)
class Decision:
    """What a run comes to.

    Attributes:
        comparisons: with the baseline, the scores of each test and method first, then what else gates compare; None
            where there was no baseline.
        tests_not_run: the tests of the baseline that the run has nothing of.
    """

    summaries: list[Summary]
    comparisons: list[Comparison] | None
    methods: list[MethodResult]
    gates: list[GateResult]
    tests_not_run: Sequence[str] = ()

    def metrics_of(self, summary: Summary) -> dict[str, MetricSummary]:
        """The metrics that people are shown: the user's own, then those of `names.MEASURED` that have a gate."""
        gated = {gate.metric for gate in self.gates if gate.key == summary.key}
        names = [name for name in own_first(summary.metrics) if name not in MEASURED or name in gated]
        return {name: summary.metrics[name] for name in names}


def decide(outcome: Outcome, baseline: Baseline | None, terms: Terms, gated: bool = True) -> Decision:
    """Sum ``outcome`` up and hold it to ``terms``; ``gated``: also against a baseline, when there is none too."""
    parts = _summarize(outcome, baseline)
    parts = aggregates.with_figures(parts, outcome, _limits(parts, terms, gated=True))
    decision = _decide(outcome, parts, baseline, terms, _limits(parts, terms, gated), default=gated)
    examined = judges.of_exams(decision.summaries, terms.mode)
    return dataclasses.replace(decision, gates=[*examined, *decision.gates])


def decide_against(outcome: Outcome, baseline: Baseline, terms: Terms, limits: Sequence[Limit]) -> Decision:
    """Hold ``outcome`` to these limits, in place of those of the terms, and to the default one."""
    parts = aggregates.with_figures(_summarize(outcome, baseline), outcome, limits)
    return _decide(outcome, parts, baseline, terms, limits)


def stopping(collected: Sequence[Collected], baseline: Baseline | None, terms: Terms, gated: bool = True) -> Stopping:
    """What says, while the tests run, which of them `decide` needs no more."""
    outcome = Outcome(collected, {}, {})
    parts, coverage, members = _summarize(outcome, baseline), outcome.coverage(), outcome.members()
    limits, before = _limits(parts, terms, gated), {}
    if baseline is not None:
        before = _compare(parts, {}, coverage, members, baseline, terms, limits)
    if gated:
        limits = with_defaults(limits, dict.fromkeys(subject.key for subject in before))

    def compare(key: Key, records: Collection[Record]) -> dict[Subject, Comparison]:
        ended = {record.example_id or "" for record in records}
        left_out: dict[str, LeftOut] = dict.fromkeys(set(coverage[key].collected) - ended, DECIDED)
        left_out |= {record.example_id or "": UNCHANGED for record in records if record.is_unchanged}
        covered = {**coverage, key: dataclasses.replace(coverage[key], left_out=left_out)}
        compared = _compare(parts, measure(records), covered, members, baseline or {}, terms, limits)
        return {subject: comparison for subject, comparison in compared.items() if subject.key == key}

    examples = {subject: covered.collected for subject, covered in comparison.whole(coverage).items()} | members
    plan = _plan(coverage, limits, before, terms)
    return Stopping(limits, examples, plan, None if baseline is None else compare, terms.mode)


def _plan(
    coverage: Mapping[Key, Coverage], limits: Sequence[Limit], before: Mapping[Subject, Comparison], terms: Terms
) -> Plan:
    """The looks of a session; ``before`` are comparisons of which nothing has run: so, what can be compared."""
    orders = {key: looks.in_order(terms.looks or 0, key.test, covered.collected) for key, covered in coverage.items()}
    comparable = {subject: (*one.unscored, *one.left_out, *one.unchanged) for subject, one in before.items()}
    return make_plan(orders, limits, comparable, terms.family)


def _limits(parts: Mapping[Subject, Summary], terms: Terms, gated: bool) -> list[Limit]:
    scored = [summary for summary in _whole(parts) if summary.asked.exam is None]
    limits = [limit for summary in scored for limit in limits_of(summary, terms.limits)]
    return [limit for limit in limits if gated or limit.gate not in NEED_BASELINE]


def _summarize(outcome: Outcome, baseline: Baseline | None) -> dict[Subject, Summary]:
    """All tests and methods and their slices; those that are gone are told with the whole test."""
    found = summarizing.summarize_parts(outcome.collected, outcome.records, outcome.missing, outcome.not_run)
    exams = outcome.exams()
    for subject, summary in found.items():
        if subject.key in exams:
            found[subject] = dataclasses.replace(summary, exam=exams[subject.key].exam)
        elif subject.slice is None and (gone := _gone(summary, outcome, baseline or {})):
            found[subject] = dataclasses.replace(summary, slices=(*summary.slices, *gone))
    return found | _corrected(_whole(found), outcome, baseline or {})


def _corrected(found: Sequence[Summary], outcome: Outcome, baseline: Baseline) -> dict[Subject, Summary]:
    """The summaries of which it is known what people would say; nothing is measured where there is no exam."""
    has_exam = any(one.asked.exam for one in found) or any(group.exam for group in baseline.values())
    if not has_exam and not outcome.corrected:
        return {}
    measured, records = outcome.measured(with_unchanged=True), outcome.records.values()
    of_tests = judges.with_corrected(found, records, measured, baseline, outcome.corrected)
    return {Subject(key): summary for key, summary in of_tests.items()}


def _gone(summary: Summary, outcome: Outcome, baseline: Baseline) -> list[SliceSummary]:
    """The slices of the baseline that no example has any more; known only where the whole dataset was collected."""
    if summary.not_run:
        return []
    there = {one.slice for one in summary.slices}
    before = [group.slices for key, group in baseline.items() if key.test == summary.test]
    known = [Slice(label, value) for label in summary.asked.slices for one in before for value in one.get(label, ())]
    return [
        SliceSummary(*one) for one in dict.fromkeys((*outcome.gone.get(summary.key, ()), *known)) if one not in there
    ]


def _decide(
    outcome: Outcome,
    parts: Mapping[Subject, Summary],
    baseline: Baseline | None,
    terms: Terms,
    limits: Sequence[Limit],
    default: bool = True,
) -> Decision:
    measured, coverage = outcome.measured(), outcome.coverage()
    changes, compared = dict[Subject, Change](), None
    if baseline is not None:
        of_means = aggregates.without_changes(parts, limits)
        compared = _compare(parts, measured, coverage, outcome.members(), baseline, terms, of_means)
        changes = aggregates.changes(
            parts, outcome, compared, scores_of(baseline), limits, _lower(parts, terms), terms.allowed
        )
    if default:
        limits = with_defaults(limits, dict.fromkeys(subject.key for subject in compared or ()))
    limits = in_order(limits, list(coverage))
    looked = NOT_LOOKED
    if compared is not None and terms.looks is not None:
        before = _compare(parts, {}, coverage, outcome.members(), baseline or {}, terms, limits)
        looked = look(_plan(coverage, limits, before, terms), limits, compared, outcome.ended())
    return Decision(
        _whole(parts),
        None if compared is None else list(compared.values()),
        side_by_side.compare_methods(list(coverage), measured, outcome.records.values()),
        judges.hold(
            gates.decide(limits, parts, compared, terms.mode, terms.family, looked, changes),
            *(measured, baseline, terms.mode, _whole(parts)),
        ),
        comparison.absent_tests(baseline or {}, coverage),
    )


def _whole(parts: Mapping[Subject, Summary]) -> list[Summary]:
    return [summary for subject, summary in parts.items() if subject.slice is None]


def _compare(
    parts: Mapping[Subject, Summary],
    measured: Baseline,
    coverage: Mapping[Key, Coverage],
    members: Mapping[Subject, Collection[str]],
    baseline: Baseline,
    terms: Terms,
    limits: Sequence[Limit],
) -> dict[Subject, Comparison]:
    """The scores of each test and method against ``baseline``, and what else gates compare."""
    covered = {
        subject: coverage[subject.key]
        if subject.slice is None
        else Coverage(members[subject.part], left_out=coverage[subject.key].left_out)
        for subject in subjects_compared(limits)
        if subject.slice is None or subject.part in members
    }

    covered = comparison.whole(coverage) | covered
    lower = _lower(parts, terms)
    return comparison.compare_all(scores_of(baseline), measured, covered, terms.allowed, lower, terms.max_age)


def _lower(parts: Mapping[Subject, Summary], terms: Terms) -> Callable[[Subject], bool]:
    """Whether what a subject is about gets worse when it rises."""

    def is_lower_better(subject: Subject) -> bool:
        metric = subject.metric
        return metric in terms.lower_is_better or parts[Subject(subject.key)].asked.is_lower_better(metric)

    return is_lower_better
