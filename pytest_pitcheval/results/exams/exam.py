"""A judge's exam: its figures, as they are told and kept. Plain values in, plain values out."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pytest_pitcheval.results.exams import agreement
from pytest_pitcheval.results.exams.labels import NEAR_THRESHOLD
from pytest_pitcheval.results.exams.terms import PASS_OR_FAIL, ExamTerms
from pytest_pitcheval.results.records import Record
from pytest_pitcheval.results.significance.means import FEWEST, interval, rate_interval

FEWEST_LABELS = 20
"""Of fewer answers nothing is said beyond how many agree."""

AGREEMENT, KAPPA, AC1, AC2 = "agreement", "kappa", "AC1", "AC2"
FALSE_PASS, FALSE_FAIL = "false pass", "false fail"
CONSISTENCY, ALPHA, BIAS = "self-consistency", "people's alpha", "bias"

_FINITE: Any = {"allow_inf_nan": False}


class Answer(NamedTuple):
    """What was said of one answer.

    Attributes:
        people: the label of each, 0 to 1; at least one.
        samples: the judge's score in each rollout; at least one.
        threshold: the score from which on it passes; None where nothing passes or fails.
        is_by_lot: whether it was not chosen because of its score.
    """

    people: tuple[float, ...]
    samples: tuple[float, ...]
    threshold: float | None = None
    is_by_lot: bool = True


@dataclasses.dataclass(frozen=True)
class Figure:
    """One number and its 95 % interval: of ``of`` answers, of which ``count`` are so where it is a share."""

    __pydantic_config__ = _FINITE

    value: float | None
    ci95: tuple[float, float] | None
    of: int
    count: int | None = None

    def to_dict(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "ci95": list(self.ci95) if self.ci95 else None}


@dataclasses.dataclass(frozen=True)
class Exam:
    """What an exam came to.

    Attributes:
        run: the time stamp of the session that asked the judge.
        dataset, limits: as `ExamTerms` has them.
        answers: how many it has.
        figures: by name, those that are defined and those that are not.
        slices: by slice, the bias there.
        undefined: why it says nothing, in words; empty where it does.
        rollouts, threshold: how often the judge was asked, and from which score on an answer passes.
        governs: the tests whose scores are this judge's, as far as the baseline knows.
        models: the names of models that labelled, beside people.
        errors: how often it passes what people fail, and the reverse, of answers that were not chosen by their score;
            nothing where people give grades.
    """

    __pydantic_config__ = _FINITE

    run: str
    dataset: str
    answers: int
    figures: Mapping[str, Figure]
    limits: Mapping[str, float] = dataclasses.field(default_factory=dict)
    slices: Mapping[str, Figure] = dataclasses.field(default_factory=dict)
    undefined: str = ""
    rollouts: int = 1
    threshold: float | None = None
    governs: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    errors: Mapping[str, Figure] = dataclasses.field(default_factory=dict)

    @property
    def told(self) -> dict[str, Figure]:
        """All figures, those of slices at the end."""
        return {**self.figures, **{f"{BIAS} {name}": figure for name, figure in self.slices.items()}}

    @property
    def warning(self) -> str:
        """That models labelled, and that the bias changes its sign between slices; empty as a rule."""
        models = f"labels by models: {', '.join(self.models)}" if self.models else ""
        return "; ".join(filter(None, [models, self._turn]))

    @property
    def _turn(self) -> str:
        """That the judge is too kind to one slice and too hard on another; empty where that is not established."""
        known = {name: one for name, one in self.slices.items() if one.ci95 is not None and one.value is not None}
        kind = [f"{name} {one.value:+.2f}" for name, one in known.items() if one.ci95 and one.ci95[0] > 0]
        hard = [f"{name} {one.value:+.2f}" for name, one in known.items() if one.ci95 and one.ci95[1] < 0]
        return f"the judge's bias changes sign: {', '.join([*kind, *hard])}" if kind and hard else ""

    def to_dict(self) -> dict[str, Any]:
        data = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        data |= {
            name: {key: one.to_dict() for key, one in data[name].items()} for name in ("figures", "slices", "errors")
        }
        return data | {"limits": dict(self.limits), "governs": list(self.governs), "models": list(self.models)}


def of_records(
    parts: Mapping[str, Sequence[Record]], terms: ExamTerms, unscored: int, cut_off: str | None = None
) -> Exam:
    """The exam that tests have left, by slice, of all under an empty name.

    ``unscored`` of them have no verdict; ``cut_off`` says why, where it is because what a session may cost was spent.
    """
    run = max((record.timestamp for record in parts[""]), default="")
    slices = {name: _answers(part) for name, part in parts.items() if name}
    exam = examine(_answers(parts[""]), terms, run, unscored, slices)
    return dataclasses.replace(exam, undefined=f"{exam.undefined}: {cut_off}") if cut_off else exam


def _answers(records: Sequence[Record]) -> list[Answer]:
    return [answer for one in records if (answer := answer_of(one)) is not None]


def answer_of(record: Record) -> Answer | None:
    """What was said of the answer of a test; None where that is no exam's, or has no verdict."""
    told = Answer(record.people, record.samples, record.threshold, record.labelled.get("drawn") != NEAR_THRESHOLD)
    return told if record.people and record.samples else None


def examine(
    answers: Sequence[Answer],
    terms: ExamTerms,
    run: str,
    unscored: int = 0,
    slices: Mapping[str, Sequence[Answer]] | None = None,
) -> Exam:
    """The exam of a judge that gave a verdict on these ``answers``, and none on ``unscored`` further ones."""
    read = [one for answer in answers if (one := _read(answer, terms.grades)) is not None]
    undefined = _undefined(read, terms.grades, unscored)
    thresholds = {answer.threshold for answer in answers}
    return Exam(
        run=run,
        dataset=terms.dataset,
        answers=len(answers) + unscored,
        figures=dict(_figures(answers, read, terms.grades, not undefined)),
        limits=terms.limits,
        slices={name: _bias(part, terms.grades) for name, part in (slices or {}).items()},
        undefined=undefined,
        rollouts=max((len(answer.samples) for answer in answers), default=1),
        threshold=thresholds.pop() if len(thresholds) == 1 else None,
        models=terms.models,
        errors=_errors([one for one in read if one.is_by_lot]) if tuple(terms.grades) == PASS_OR_FAIL else {},
    )


class Conditions(NamedTuple):
    """What an exam depends on: it need not be taken again where none of these has changed.

    Attributes:
        metric, judge: fingerprints; no judge where the metric has asked none.
        run: the time stamp of the session that asked the judge.
    """

    metric: str
    judge: str
    dataset: str
    rollouts: int
    threshold: float | None
    run: str

    def hold(self, now: Conditions) -> bool:
        """Whether all of it is the same ``now``, when the metric has asked no judge yet."""
        judge = now.judge if self.judge else ""
        return now._replace(judge=judge, run=self.run) == self


def agrees(answer: Answer, grades: Sequence[float]) -> bool | None:
    """Whether the judge says what people say; None where as many people pass the answer as fail it."""
    said = categories(answer, grades)
    return None if said is None else said[0] == said[1]


def categories(answer: Answer, grades: Sequence[float]) -> tuple[int, int] | None:
    """What people say and what the judge says, by place among the grades; None as `agrees` has it."""
    read = _read(answer, grades)
    return None if read is None else (read.people, read.judge)


class _Read(NamedTuple):
    """An answer's categories, by place among the grades, and whether it passes; None where nothing passes."""

    people: int
    judge: int
    good: bool | None
    passed: bool | None
    is_by_lot: bool


def _read(answer: Answer, grades: Sequence[float]) -> _Read | None:
    """None where as many people pass an answer as fail it."""
    label = statistics.mean(answer.people)
    if tuple(grades) == PASS_OR_FAIL and label == 0.5:
        return None
    people, threshold = _category(label, grades, 0.5), answer.threshold
    judge = _category(statistics.mean(answer.samples), grades, threshold)
    if threshold is None:
        return _Read(people, judge, None, None, answer.is_by_lot)
    good = bool(people) if tuple(grades) == PASS_OR_FAIL else grades[people] >= threshold
    return _Read(people, judge, good, statistics.mean(answer.samples) >= threshold, answer.is_by_lot)


def _category(score: float, grades: Sequence[float], threshold: float | None) -> int:
    """Where people pass or fail, the side of the threshold; else the nearest grade."""
    if tuple(grades) == PASS_OR_FAIL:
        return int(score >= (0.5 if threshold is None else threshold))
    return min(range(len(grades)), key=lambda place: abs(grades[place] - score))


def _undefined(read: Sequence[_Read], grades: Sequence[float], unscored: int) -> str:
    if unscored:
        return f"{unscored} of {len(read) + unscored} answers have no verdict"
    if len(read) < FEWEST_LABELS:
        return f"{len(read)} labels, fewer than {FEWEST_LABELS}"
    if len({one.people for one in read}) == 1:
        if tuple(grades) == PASS_OR_FAIL:
            return f"people {'pass' if read[0].people else 'fail'} all of {len(read)} answers"
        return f"people give all of {len(read)} answers the grade {grades[read[0].people]:g}"
    return ""


def _figures(
    answers: Sequence[Answer], read: Sequence[_Read], grades: Sequence[float], defined: bool
) -> list[tuple[str, Figure]]:
    found = [(AGREEMENT, _share([one.people == one.judge for one in read]))]
    models = ((KAPPA, agreement.cohen), (AC1 if len(grades) == 2 else AC2, agreement.gwet))
    if defined:
        table = agreement.table_of([one.people for one in read], [one.judge for one in read], len(grades))
        for name, model in models:
            low, high = agreement.bounds(table, grades, model)
            value = float(agreement.coefficient(table, grades, model))
            found.append((name, Figure(value, (float(low), float(high)), len(read))))
    else:
        found += [(name, Figure(None, None, len(read))) for name, _ in models]
    if any(one.good is not None for one in read):
        found += _errors(read).items()
    found.append((BIAS, _bias(answers, grades)))
    if repeated := [answer for answer in answers if len(answer.samples) > 1]:
        found.append((CONSISTENCY, _consistency(repeated, grades)))
    if people := [answer.people for answer in answers if len(answer.people) > 1]:
        found.append((ALPHA, Figure(agreement.alpha(people), agreement.alpha_bounds(people), len(people))))
    return found


def _errors(read: Sequence[_Read]) -> dict[str, Figure]:
    return {
        FALSE_PASS: _share([bool(one.passed) for one in read if not one.good]),
        FALSE_FAIL: _share([not one.passed for one in read if one.good]),
    }


def _share(are_so: Sequence[bool]) -> Figure:
    count = sum(are_so)
    return Figure(count / len(are_so) if are_so else None, rate_interval(count, len(are_so)), len(are_so), count)


def _bias(answers: Sequence[Answer], grades: Sequence[float]) -> Figure:
    """How much higher the judge's verdicts are than people's labels, on average; passed is 1, failed 0."""
    differences = [_verdict(answer, grades) - statistics.mean(answer.people) for answer in answers]
    return _mean(differences)


def _verdict(answer: Answer, grades: Sequence[float]) -> float:
    score = statistics.mean(answer.samples)
    return float(_category(score, grades, answer.threshold)) if tuple(grades) == PASS_OR_FAIL else score


def _consistency(answers: Sequence[Answer], grades: Sequence[float]) -> Figure:
    """How probable it is that two rollouts of the judge have the same verdict on an answer."""
    return _mean([_same(answer, grades) for answer in answers])


def _same(answer: Answer, grades: Sequence[float]) -> float:
    said = [_category(score, grades, answer.threshold) for score in answer.samples]
    pairs = len(said) * (len(said) - 1)
    return sum(said.count(verdict) - 1 for verdict in said) / pairs


def _mean(values: Sequence[float]) -> Figure:
    bounds = interval(values) if len(values) >= FEWEST else None
    return Figure(statistics.mean(values) if values else None, bounds, len(values))
