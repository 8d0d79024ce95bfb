"""A test's mean if people had judged: which labels tell it, or why none do. Plain values in, plain values out."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pytest_pitcheval.names import CORRECTED
from pytest_pitcheval.results import formats
from pytest_pitcheval.results.exams import correcting
from pytest_pitcheval.results.exams.exam import FALSE_FAIL, FALSE_PASS, FEWEST_LABELS, Exam
from pytest_pitcheval.results.exams.labels import AT_RANDOM, AnswerKey
from pytest_pitcheval.results.records import FINITE, Record

POWERED, BY_RATES = "prediction-powered", "Rogan-Gladen"
"""How a mean is corrected: by labels of a random part of the answers themselves; by the judge's errors in its exam."""


@dataclasses.dataclass(frozen=True)
class Corrected:
    """The mean of a test's scores, without the errors of its judge.

    Attributes:
        labels: of how many answers people's labels tell it.
        how: `POWERED`, or `BY_RATES`.
        exam: the test that has these labels.
        undefined: why there is none, in words; empty where there is.
        is_partial: whether that is because only a part of the labels are in this run.
    """

    __pydantic_config__ = FINITE

    mean: float | None
    ci95: tuple[float, float] | None
    labels: int
    how: str
    exam: str
    undefined: str = ""
    is_partial: bool = False

    @property
    def text(self) -> str:
        """What it rests on, or why it is not there; nothing where nobody has labelled an answer of this test."""
        if not self.undefined:
            return f"{CORRECTED}: {self.how}, {formats.count(self.labels, 'label')} ({self.exam})"
        return f"{CORRECTED} is undefined: {self.undefined}" if self.how == POWERED else ""

    def to_dict(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "ci95": list(self.ci95) if self.ci95 else None}


def labels_of(records: Iterable[Record]) -> dict[AnswerKey, tuple[float, str]]:
    """What people say of answers that were drawn by lot, as far as exams among ``records`` say so; and which exam."""
    by_lot = [record for record in records if record.people and record.labelled.get("drawn") == AT_RANDOM]
    return {_key(record): (statistics.mean(record.people), record.test) for record in by_lot}


def _key(record: Record) -> AnswerKey:
    return AnswerKey(*(record.labelled.get(name) for name in AnswerKey._fields))  # type: ignore[arg-type]


def correct(
    records: Sequence[Record], labels: Mapping[AnswerKey, tuple[float, str]], exam: tuple[str, Exam] | None
) -> Corrected | None:
    """The corrected mean of a test's ``records``; None where nobody has labelled anything that could tell it.

    Labels of its own answers tell it best; without enough of these, an ``exam`` of its judge with labels of 0 and 1.
    """
    known = [record for record in records if record.known_score is not None]
    own = {position: found for position, record in enumerate(known) if (found := _own(record, labels))}
    if len(own) >= FEWEST_LABELS:
        return _powered(known, own)
    by_rates = _by_rates(known, *exam) if exam is not None else None
    if own and (by_rates is None or by_rates.undefined):
        name = next(iter(own.values()))[2]
        reason = f"{formats.count(len(own), 'label')} of its answers, fewer than {FEWEST_LABELS}"
        return Corrected(None, None, len(own), POWERED, name, reason)
    return by_rates


def of_a_part(name: str, exam: Exam) -> Corrected:
    """What is known where some answers alone of the judge's exam are in a run."""
    return Corrected(None, None, exam.answers, BY_RATES, name, f"some answers alone of {name} are in this run", True)


def _own(record: Record, labels: Mapping[AnswerKey, tuple[float, str]]) -> tuple[float, float, str] | None:
    """Of the rollouts of an example that are labelled: the mean label, the mean score, and the exam."""
    about = record.timestamp, record.test, record.key.variant, record.example_id or ""
    found = [
        (*known, score) for n, score in enumerate(record.samples, 1) if (known := labels.get(AnswerKey(*about, n)))
    ]
    if not found:
        return None
    return statistics.mean(one[0] for one in found), statistics.mean(one[2] for one in found), found[0][1]


def _powered(records: Sequence[Record], own: Mapping[int, tuple[float, float, str]]) -> Corrected:
    others = [record.known_score or 0.0 for position, record in enumerate(records) if position not in own]
    labelled = correcting.Pairs.of((people, judge) for people, judge, _ in own.values())
    found = correcting.prediction_powered(labelled, correcting.Scores.of(others) if others else None)
    return _told(found, len(own), POWERED, next(iter(own.values()))[2])


def _by_rates(records: Sequence[Record], name: str, exam: Exam) -> Corrected | None:
    """None where people gave grades, or the exam is of before such labels were kept."""
    if not exam.errors:
        return None
    false_pass, false_fail = exam.errors[FALSE_PASS], exam.errors[FALSE_FAIL]
    labels = false_pass.of + false_fail.of
    if reason := _objection(records, exam, labels):
        return Corrected(None, None, labels, BY_RATES, name, reason)
    shares = [statistics.mean(score >= (exam.threshold or 0.0) for score in record.samples) for record in records]
    good, bad = ((float(one.of - (one.count or 0)), float(one.of)) for one in (false_fail, false_pass))
    if correcting.least_able(good, bad) <= 0:
        reason = "the judge may pass what people fail as often as what they pass"
        return Corrected(None, None, labels, BY_RATES, name, reason)
    return _told(correcting.rogan_gladen(correcting.Scores.of(shares), good, bad), labels, BY_RATES, name)


def _objection(records: Sequence[Record], exam: Exam, labels: int) -> str:
    if not records:
        return "nothing was scored"
    if labels < FEWEST_LABELS:
        return f"the judge's exam has {formats.count(labels, 'label')}, fewer than {FEWEST_LABELS}"
    if kind := next((kind for name, kind in _KINDS.items() if not exam.errors[name].of), ""):
        return f"people {kind} all answers of the judge's exam"
    if exam.threshold is None:
        return "answers of the judge's exam pass from several thresholds on"
    asked = {max(map(len, record.verdicts), default=1) for record in records}
    if asked != {exam.rollouts}:
        once = formats.some([str(count) for count in sorted(asked)])
        return f"its answers have {once} verdicts each, those of the judge's exam {exam.rollouts}"
    return ""


_KINDS = {FALSE_PASS: "pass", FALSE_FAIL: "fail"}
"""What people say of all answers where there is none that this would be about."""


def _told(found: correcting.Estimate, labels: int, how: str, exam: str) -> Corrected:
    value, low, high = map(float, found)
    return Corrected(value, (low, high), labels, how, exam)
