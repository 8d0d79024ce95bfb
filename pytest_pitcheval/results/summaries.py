"""What the examples of one test function and method come to together, and what is missing."""

from __future__ import annotations

import dataclasses
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pytest_pitcheval.names import BUDGET, DECIDED, PROGRAM, SCORE, UNCHANGED, LeftOut
from pytest_pitcheval.results import formats
from pytest_pitcheval.results.collected import Collected, Requirements
from pytest_pitcheval.results.exams.exam import Exam, of_records
from pytest_pitcheval.results.records import Key, Keyed, Record, Usage, total
from pytest_pitcheval.results.significance import means
from pytest_pitcheval.results.subjects import Slice, SliceSummary, Subject, slices_of

NO_LM_CALL = "no LM call: there is no LM, or it is asked in a child process or not through DSPy"
"""Of a test whose program made predictions: they may be as fresh as they should be, but nobody can tell."""

_WHY = {
    DECIDED: "as the gates were decided",
    BUDGET: "as the budget was reached",
}


@dataclasses.dataclass(frozen=True)
class Missing:
    """An evaluation test that left no record, and why."""

    nodeid: str
    reason: str


@dataclasses.dataclass(frozen=True)
class MetricSummary:
    """A metric of some examples: how many have it, their mean and its interval."""

    mean: float | None
    ci95: tuple[float, float] | None
    scored: int

    def to_dict(self) -> dict[str, Any]:
        return {"mean": self.mean, "ci95": list(self.ci95) if self.ci95 else None, "scored": self.scored}


@dataclasses.dataclass(frozen=True)
class Summary(Keyed):
    """One test function with one method.

    Attributes:
        examples: how many were collected.
        scored: how many have a score; ``mean`` and ``ci95`` are of these alone.
        passed: how many tests passed.
        skipped: how many were skipped, those that failed as expected among them.
        xfailed: how many failed as expected.
        unscored: node IDs of examples without a score, each with the reason.
        asked: what the test's own marker asks of all examples.
        settings: those of the optimization method.
        not_run: IDs of the dataset's examples that were not collected.
        predicted: how many have a prediction that the plugin had the program make.
        metrics: each further number that examples have, by name.
        slices: those that the marker asks for, and those that are gone.
        failing: IDs of the examples whose test did not pass, was not skipped, and was not expected to fail.
        left_out_for: how many of the skipped ones did not run, by reason.
        is_unit: whether all scores are 0 to 1, those of unchanged examples too.
        with_unchanged: the score and each metric of all examples that were asked or are unchanged, as the baseline has
            these; nothing where none is.
        cut_off: why not all examples could be run that were needed: ``budget: $5.00 reached``; None where all could.
        exam: what a judge's exam came to; such a test has no mean, as its scores are of given answers.
    """

    test: str
    optimization: str
    examples: int
    scored: int
    passed: int
    skipped: int
    mean: float | None
    ci95: tuple[float, float] | None
    usage: Usage
    generator: Usage
    judge: Usage
    seconds: float
    unscored: tuple[Missing, ...]
    asked: Requirements
    not_run: tuple[str, ...] = ()
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    xfailed: int = 0
    predicted: int = 0
    metrics: Mapping[str, MetricSummary] = dataclasses.field(default_factory=dict)
    slices: tuple[SliceSummary, ...] = ()
    failing: tuple[str, ...] = ()
    left_out_for: Mapping[LeftOut, int] = dataclasses.field(default_factory=dict)
    is_unit: bool = True
    cut_off: str | None = None
    with_unchanged: Mapping[str, MetricSummary] = dataclasses.field(default_factory=dict)
    exam: Exam | None = None

    @property
    def unchanged(self) -> int:
        """How many did not run because nothing has changed since the baseline."""
        return self.left_out_for.get(UNCHANGED, 0)

    @property
    def known(self) -> int:
        """How many were needed, or are unchanged: of those that are neither, nobody knows what they would score."""
        return self.needed + self.unchanged

    @property
    def left_out(self) -> int:
        """How many of the skipped ones did not run, for whatever reason."""
        return sum(self.left_out_for.values())

    @property
    def needed(self) -> int:
        """How many examples were not left out; means and shares are of these."""
        return self.examples - self.left_out

    @property
    def part(self) -> str:
        """``42 of 100`` where the others were left out; empty where none was."""
        return f"{self.needed} of {self.examples}" if self.left_out else ""

    def of(self, metric: str) -> MetricSummary:
        """One metric, the score among them; of nothing where no example has it."""
        if metric == SCORE:
            return MetricSummary(self.mean, self.ci95, self.scored)
        return self.metrics.get(metric, MetricSummary(None, None, 0))

    def of_known(self, metric: str) -> MetricSummary:
        """The same with the examples that are unchanged."""
        if not self.unchanged:
            return self.of(metric)
        return self.with_unchanged.get(metric, MetricSummary(None, None, 0))

    @property
    def note(self) -> str:
        """What must be known beside the numbers, or may be wrong although nothing failed; empty as a rule."""
        asked = self.usage.fresh + self.usage.cached + self.usage.failed
        notes = [NO_LM_CALL] if self.predicted and not asked else []
        if self.exam is not None:
            return "; ".join(filter(None, [self.exam.undefined, self.exam.warning]))
        if self.unchanged:
            notes.append(formats.unchanged(self.unchanged, self.examples))
        counts = [f"{n} {formats.were(n)} left out, {_WHY[why]}" for why, n in self.left_out_for.items() if why in _WHY]
        if counts or (self.unchanged and self.scored):
            notes.append(": ".join([f"mean of {self.scored} of {self.examples}", *filter(None, ["; ".join(counts)])]))
        return "; ".join(notes)

    @property
    def pass_rate(self) -> float | None:
        """Passed tests over collected ones that were not left out; None of nothing."""
        return self.passed / self.needed if self.needed else None

    def to_dict(self) -> dict[str, Any]:
        counts = ("examples", "scored", "passed", "skipped", "left_out", "unchanged", "xfailed")
        plain = ("test", "optimization", *counts, "mean", "ci95", "pass_rate", "seconds", "not_run", "settings", "note")
        data: dict[str, Any] = {name: getattr(self, name) for name in plain}
        data |= {**self.usage.to_dict(), "generator": self.generator.to_dict(), "judge": self.judge.to_dict()}
        data |= {"ci95": list(self.ci95) if self.ci95 else None, "left_out_for": dict(self.left_out_for)}
        data |= {"not_run": list(self.not_run), "settings": dict(self.settings), "asked": self.asked.to_dict()}
        metrics = {name: metric.to_dict() for name, metric in self.metrics.items()}
        data |= {"metrics": metrics, "unscored": [dataclasses.asdict(example) for example in self.unscored]}
        exam = self.exam.to_dict() if self.exam else None
        return data | {"slices": [one.to_dict() for one in self.slices], "exam": exam}


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
    without = [Missing(record.nodeid, _why(record)) for record in unscored]
    return Summary(
        *key,
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
    return of_records(found.pop(""), summary.asked.exam, len(summary.unscored) + summary.left_out, found)


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


def _why(record: Record) -> str:
    return f"{record.status}: {record.error}" if record.error else record.status
