"""Summaries made of records: of each test function and method, and of its slices."""

from __future__ import annotations

import dataclasses
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from pytest_pitcheval.names import BUDGET, PROGRAM, SCORE, LeftOut
from pytest_pitcheval.results.collected import Collected
from pytest_pitcheval.results.exams.exam import Exam, of_records
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.results.records import Record, total
from pytest_pitcheval.results.significance import means, noise
from pytest_pitcheval.results.subjects import Slice, SliceSummary, Subject, slices_of
from pytest_pitcheval.results.summaries.summary import MetricSummary, Missing, Summary


def find_missing(
    collected: Iterable[Collected], records: Mapping[str, Record], lost: Mapping[str, str]
) -> dict[str, Missing]:
    """The collected tests without a record, by node ID; ``lost`` says of which it is known why."""
    return {
        test.nodeid: Missing(test.nodeid, lost.get(test.nodeid, "not run"))
        for test in collected
        if test.nodeid not in records
    }


def summarize(
    collected: Iterable[Collected],
    records: Mapping[str, Record],
    missing: Mapping[str, Missing],
    not_run: Mapping[Key, Sequence[str]] = MappingProxyType({}),
) -> list[Summary]:
    """A summary for each test function and method, in the order of collection.

    A test that was not run (deselected by ``-x``, say) counts as an example without a score.
    """
    parts = summarize_parts(collected, records, missing, not_run)
    return [summary for subject, summary in parts.items() if subject.slice is None]


def summarize_parts(
    collected: Iterable[Collected],
    records: Mapping[str, Record],
    missing: Mapping[str, Missing],
    not_run: Mapping[Key, Sequence[str]] = MappingProxyType({}),
) -> dict[Subject, Summary]:
    """The same, each followed by those of its slices."""
    groups: dict[Key, list[Collected]] = {}
    for test in collected:
        groups.setdefault(test.key, []).append(test)
    found: dict[Subject, Summary] = {}
    for key, group in groups.items():
        parts = {one: _summary(key, tests, records, missing, ()) for one, tests in slices_of(group).items()}
        summary = _summary(key, group, records, missing, tuple(not_run.get(key, ())))
        exam, is_exam = _exam(summary, group, records), summary.asked.exam is not None
        shown = tuple(_of_slice(one, part) for one, part in parts.items() if one.value and not is_exam)
        found[Subject(key)] = dataclasses.replace(summary, slices=shown, exam=exam)
        found |= {Subject(key, slice=one): part for one, part in parts.items()}
    return found


def _of_slice(one: Slice, part: Summary) -> SliceSummary:
    return SliceSummary(*one, part.examples, part.scored, part.passed, part.mean, part.ci95, part.left_out)


def _summary(
    key: Key,
    group: list[Collected],
    records: Mapping[str, Record],
    missing: Mapping[str, Missing],
    not_run: tuple[str, ...],
) -> Summary:
    found = [records[test.nodeid] for test in group if test.nodeid in records]
    scored = [record for record in found if record.score is not None]
    scores = [record.score or 0.0 for record in scored if not record.people]
    unscored = [record for record in found if record.score is None and not record.left_out]
    without = [Missing(record.nodeid, record.status_text) for record in unscored]
    return Summary(
        **key._asdict(),
        examples=len(group),
        scored=len(scored),
        passed=sum(record.status == "passed" for record in found),
        skipped=sum(record.status == "skipped" for record in found),
        mean=means.mean(scores),
        ci95=means.interval(scores),
        usage=total(record.usage for record in found),
        generator=total(record.generator for record in found),
        judge=total(record.judge for record in found),
        seconds=sum(record.seconds for record in found),
        unscored=(*without, *(missing[test.nodeid] for test in group if test.nodeid in missing)),
        asked=group[0].asked,
        not_run=not_run,
        settings=group[0].settings,
        xfailed=sum(record.xfail is not None for record in found),
        predicted=sum(record.status in ("passed", "failed") and PROGRAM in record.fingerprints for record in found),
        metrics=_metrics(found),
        failing=tuple(test.example_id or "" for test in group if _has_failed(records.get(test.nodeid))),
        left_out_for=left_out_for(found),
        is_unit=all(0 <= score <= 1 for record in found if (score := record.known_score) is not None),
        cut_off=next((record.error for record in found if record.left_out == BUDGET), None),
        with_unchanged=_with_unchanged(found),
        noise=noise.of_records(found),
    )


def _with_unchanged(records: Sequence[Record]) -> dict[str, MetricSummary]:
    if not any(record.is_unchanged for record in records):
        return {}
    known = [record for record in records if record.known_score is not None]
    names = dict.fromkeys((SCORE, *(name for record in known for name in record.metrics)))
    return {name: _metric([values for record in known if (values := record.values(name))]) for name in names}


def left_out_for(records: Iterable[Record]) -> dict[LeftOut, int]:
    """How many of ``records`` are of examples that did not run, by reason; nothing for reasons that none has."""
    return dict(Counter(record.left_out for record in records if record.left_out is not None))


def _exam(summary: Summary, group: Sequence[Collected], records: Mapping[str, Record]) -> Exam | None:
    """What its answers came to; None where the judge was not asked for any."""
    if summary.asked.exam is None or not summary.needed:
        return None
    parts = {"": group, **{str(one): tests for one, tests in slices_of(group).items()}}
    found = {name: [one for test in tests if (one := records.get(test.nodeid))] for name, tests in parts.items()}
    return of_records(found, summary.asked.exam, len(summary.unscored) + summary.left_out, summary.cut_off)


def _has_failed(record: Record | None) -> bool:
    """Also one that left no record."""
    return record is None or record.status in ("failed", "error")


def _metrics(records: Sequence[Record]) -> dict[str, MetricSummary]:
    """Each metric of the scored ones; an example has it if each of its rollouts does."""
    scored = [record for record in records if record.score is not None and not record.people]
    names = dict.fromkeys(name for record in scored for name in record.metrics)
    return {name: _metric([values for record in scored if (values := record.values(name))]) for name in names}


def _metric(samples: Sequence[Sequence[float]]) -> MetricSummary:
    values = [statistics.mean(map(float, one)) for one in samples]
    return MetricSummary(means.mean(values), means.interval(values), len(values))
