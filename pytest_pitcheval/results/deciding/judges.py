"""Judges' exams decided, and the gates that wait for a judge to qualify. Pure decisions on summaries and baselines."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from pytest_pitcheval.names import (
    COMPARED_ROLES,
    CORRECTED,
    MAX_ERROR_RATE,
    MEASURED,
    MIN_AGGREGATE,
    MIN_KAPPA,
    SCORE,
    GateMode,
)
from pytest_pitcheval.results.baselines import Baseline, Measurements, differing, is_same_judge
from pytest_pitcheval.results.deciding.gates import GateResult
from pytest_pitcheval.results.deciding.reasons import Reason
from pytest_pitcheval.results.exams.corrected import Corrected, correct, labels_of, of_a_part
from pytest_pitcheval.results.exams.exam import FALSE_PASS, KAPPA, Exam, Figure
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.results.records import Record
from pytest_pitcheval.results.summaries.summary import MetricSummary, Summary
from pytest_pitcheval.timestamps import date_of

MARGIN = 0.2
"""A figure must reach its limit, and its 95 % interval must not go further than this beyond: a step on the scale of
Landis and Koch ("The measurement of observer agreement for categorical data", Biometrics 33, 1977). So a judge with a
true kappa of 0.4 qualifies at 0.6 in fewer than 5 of 100 exams, however few labels there are."""


def of_exams(summaries: Iterable[Summary], mode: GateMode) -> list[GateResult]:
    """The gates of the exams among ``summaries``."""
    return [gate for summary in summaries if summary.asked.exam for gate in _of_exam(summary, mode)]


def _of_exam(summary: Summary, mode: GateMode) -> Iterator[GateResult]:
    assert summary.asked.exam is not None  # else it is none
    exam = summary.exam
    since = f", as of {date_of(exam.run)}" if exam and not summary.needed and not summary.cut_off else ""
    for gate, limit in summary.asked.exam.limits.items():
        decided = Reason("inconclusive", None, "the judge was not examined")
        if summary.cut_off and not summary.needed:  # an exam from before is of a judge that has changed since
            decided = Reason("failed", None, f"not decided: {summary.cut_off} after 0 of {summary.examples} answers")
        elif exam is not None and summary.needed and summary.not_run:
            of_all = summary.examples + len(summary.not_run)
            decided = Reason("inconclusive", None, f"{summary.examples} of {of_all} answers are in this run")
        elif exam is not None:
            decided = _decide(exam, gate, limit, mode)
        about, reason = summary.key._asdict(), decided.text + since
        yield GateResult(**about, gate=gate, status=decided.status, value=decided.value, limit=limit, reason=reason)


def _decide(exam: Exam, gate: str, limit: float, mode: GateMode) -> Reason:
    """A figure held to the least, or to the most, that it must be."""
    name, sign = (KAPPA, 1) if gate == MIN_KAPPA else (FALSE_PASS, -1)
    figure = exam.figures.get(name, Figure(None, None, 0))
    if exam.undefined or figure.value is None or figure.ci95 is None:
        return Reason("failed", None, f"undefined: {exam.undefined or f'{name} of no answer'}")
    holds = sign * figure.value >= sign * limit
    verb = ("reaches" if holds else "is below") if sign > 0 else ("is at most" if holds else "is above")
    text = f"{name} {figure.value:.3g} (95 % {figure.ci95[0]:.3g} to {figure.ci95[1]:.3g}) {verb} {limit:g}"
    bound = round(limit - sign * (0.0 if mode == "strict" else MARGIN), 9)
    if holds and sign * figure.ci95[0 if sign > 0 else 1] < sign * bound:
        beyond = "below" if sign > 0 else "above"
        return Reason("failed", figure.value, f"{text}, but may be {beyond} {bound:g}: more labels would tell")
    return Reason("passed" if holds else "failed", figure.value, text)


def with_corrected(
    summaries: Collection[Summary],
    records: Iterable[Record],
    measured: Baseline,
    baseline: Baseline | None,
    known: Mapping[Key, Corrected],
) -> dict[Key, Summary]:
    """The summaries of tests for which it is known what their mean would be if people had judged, with that.

    ``known`` is what was told of that before, where nothing else tells.
    """
    by_key: dict[Key, list[Record]] = {}
    for record in records:
        by_key.setdefault(record.key, []).append(record)
    labels, partial = labels_of(one for group in by_key.values() for one in group), _partial(summaries)
    exams, parts = _exams(measured, baseline or {}, partial), _exams(measured, {}, measured.keys() - partial)
    found = {}
    for summary in summaries:
        group = measured.get(summary.key)
        if group is None or summary.asked.exam is not None:
            continue
        one = correct(by_key.get(summary.key, ()), labels, _same(exams, group)) or known.get(summary.key)
        if one is None and (part := _same(parts, group)):
            one = of_a_part(*part)
        if one is not None:
            found[summary.key] = _with(summary, one)
    return found


def _same(exams: Sequence[tuple[Key, Measurements]], group: Measurements) -> tuple[str, Exam] | None:
    """The first exam of the judge of a test, and the exam's own test."""
    return next(((key.test, one.exam) for key, one in exams if one.exam and is_same_judge(one, group)), None)


def _with(summary: Summary, corrected: Corrected) -> Summary:
    told = MetricSummary(corrected.mean, corrected.ci95, summary.of_known(SCORE).scored)
    metrics = {**summary.metrics, **({CORRECTED: told} if corrected.mean is not None else {})}
    return dataclasses.replace(summary, corrected=corrected, metrics=metrics)


def hold(
    gates: Sequence[GateResult],
    measured: Baseline,
    baseline: Baseline | None,
    mode: GateMode,
    summaries: Iterable[Summary] = (),
) -> list[GateResult]:
    """``gates`` with those failed whose scores are of a judge that has not qualified.

    ``measured`` is what the run came to, and what it knows of exams. A test without an exam of its judge, now or
    in the baseline, is decided as it is.
    """
    known = {summary.key: summary for summary in summaries}
    exams = _exams(measured, baseline or {}, _partial(known.values()))
    if not exams:
        return list(gates)
    why = {key: reason for key, group in measured.items() if (reason := _objection(key, group, exams, mode))}
    return [
        _held(gate, why[gate.key]) if gate.key in why and _is_of_scores(gate, known.get(gate.key)) else gate
        for gate in gates
    ]


def _partial(summaries: Iterable[Summary]) -> set[Key]:
    """The tests of which some examples alone are in this run."""
    return {summary.key for summary in summaries if summary.not_run and summary.needed}


def _exams(measured: Baseline, baseline: Baseline, partial: Collection[Key]) -> list[tuple[Key, Measurements]]:
    """Those of the run, but for those of some answers alone; then the baseline's."""
    groups = [*((key, group) for key, group in measured.items() if key not in partial), *baseline.items()]
    return [(key, group) for key, group in groups if group.exam is not None]


def _objection(key: Key, group: Measurements, exams: Sequence[tuple[Key, Measurements]], mode: GateMode) -> str | None:
    """Why the scores of a test are no ground for a gate; None where they are one."""
    if group.exam is not None:
        return None
    same: dict[Key, Exam] = {}
    for name, one in exams:  # the run's come first
        if one.exam is not None and is_same_judge(one, group):
            same.setdefault(name, one.exam)
    for name, exam in same.items():
        if reason := _failing(exam, mode):
            return f"judge not qualified: {reason} ({name.test})"
    governing = [(name, one) for name, one in exams if one.exam and key.test in one.exam.governs]
    if same or not governing:
        return None
    name, one = governing[0]
    when = f", {date_of(one.exam.run)}" if one.exam else ""
    return f"judge not examined since it changed: {_changes(one, group)} ({name.test}{when})"


def _failing(exam: Exam, mode: GateMode) -> str | None:
    """Why it does not qualify the judge."""
    decided = [_decide(exam, gate, limit, mode) for gate, limit in exam.limits.items()]
    return next((one.text for one in decided if one.status != "passed"), exam.undefined or None)


def _changes(before: Measurements, now: Measurements) -> str:
    pairs = {
        role: (now.fingerprints[role], before.fingerprints[role]) for role in differing(before, now, COMPARED_ROLES)
    }
    return ", ".join(f"{role} {new!r}, not {old!r}" for role, (new, old) in pairs.items())


def _is_of_scores(gate: GateResult, summary: Summary | None) -> bool:
    """Not so of what no judge has a part in, as metrics of the whole set, and of means without its errors."""
    if gate.gate == MIN_AGGREGATE or (summary is not None and gate.metric in summary.aggregates):
        return False
    return gate.gate != MAX_ERROR_RATE and gate.metric not in (*MEASURED, CORRECTED)


def _held(gate: GateResult, reason: str) -> GateResult:
    return dataclasses.replace(gate, status="failed", value=None, reason=reason, p=None, p_adjusted=None, among=None)
