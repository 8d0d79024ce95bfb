"""Several judges of one exam side by side, answer by answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from pytest_pitcheval.names import SECONDS
from pytest_pitcheval.results.choosing.worth import Worth, cheapest
from pytest_pitcheval.results.exams import agreement
from pytest_pitcheval.results.exams.agreement import Between
from pytest_pitcheval.results.exams.exam import FEWEST_LABELS, answer_of, categories
from pytest_pitcheval.results.exams.terms import PASS_OR_FAIL
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.results.records import Record, total
from pytest_pitcheval.results.significance.means import mean
from pytest_pitcheval.results.significance.paired import PairedDifference, paired_difference

Said = Mapping[str, tuple[int, int]]
"""By answer: people's category and the judge's."""


@dataclasses.dataclass(frozen=True)
class JudgeOnExam:
    """One of several judges of an exam.

    Attributes:
        kappa: Cohen's.
        agreement: the share of answers of which it says what people say.
        more_kappa, more_agreement: than the first judge, on the answers that both have judged; None for the first.
        best: whether no other judge is established to be better.
    """

    kappa: float
    agreement: float
    more_kappa: Between | None
    more_agreement: PairedDifference | None
    best: bool
    worth: Worth


def compare_judges(records: Mapping[Key, Sequence[Record]]) -> dict[Key, JudgeOnExam]:
    """The judges that have given enough verdicts to tell; nothing where it is no more than one.

    Best is the highest kappa; within noise of it are those whose difference to it, at 95 % and for each pair by
    itself, may be 0.
    """
    grades = _grades([record for group in records.values() for record in group])
    said = {key: _said(group, grades) for key, group in records.items()}
    kappas = {key: kappa for key, one in said.items() if (kappa := _kappa(one, grades)) is not None}
    if len(kappas) < 2:
        return {}
    first, top = next(iter(kappas)), max(kappas, key=lambda key: kappas[key])
    best = {key for key in kappas if key == top or _may_be_equal(_more_kappa(said[top], said[key], grades))}
    worth = cheapest({key: _worth(records[key], said[key]) for key in kappas}, best)
    return {
        key: JudgeOnExam(
            kappa,
            worth[key].mean,
            None if key == first else _more_kappa(said[first], said[key], grades),
            None if key == first else _more_agreement(said[first], said[key]),
            key in best,
            worth[key],
        )
        for key, kappa in kappas.items()
    }


def _grades(records: Sequence[Record]) -> tuple[float, ...]:
    labels = {label for record in records for label in record.people}
    return PASS_OR_FAIL if labels <= set(PASS_OR_FAIL) else tuple(sorted(labels))


def _said(records: Sequence[Record], grades: Sequence[float]) -> Said:
    found = {record.example_id or "": answer_of(record) for record in records}
    read = {name: categories(answer, grades) for name, answer in found.items() if answer is not None}
    return {name: one for name, one in read.items() if one is not None}


def _kappa(said: Said, grades: Sequence[float]) -> float | None:
    """None of too few answers, and where people say the same of all of them."""
    people, judge = _columns(said)
    if len(said) < FEWEST_LABELS or len(set(people)) == 1:
        return None
    return float(agreement.coefficient(agreement.table_of(people, judge, len(grades)), grades))


def _columns(said: Said) -> tuple[list[int], list[int]]:
    return [people for people, _ in said.values()], [judge for _, judge in said.values()]


def _shared(first: Said, second: Said) -> list[str]:
    return [name for name in first if name in second]


def _more_kappa(first: Said, second: Said, grades: Sequence[float]) -> Between | None:
    names = _shared(first, second)
    people = [first[name][0] for name in names]
    if len(names) < FEWEST_LABELS or len(set(people)) == 1:
        return None
    before, after = ([said[name][1] for name in names] for said in (first, second))
    return agreement.difference(people, before, after, grades)


def _may_be_equal(difference: Between | None) -> bool:
    return difference is None or difference.ci95[0] <= 0 <= difference.ci95[1]


def _more_agreement(first: Said, second: Said) -> PairedDifference | None:
    agree = (
        [people == judge for people, judge in map(said.__getitem__, _shared(first, second))] for said in (first, second)
    )
    return paired_difference([float(new) - float(old) for old, new in zip(*agree, strict=True)])


def _worth(records: Sequence[Record], said: Said) -> Worth:
    """``cost`` is that of a verdict: what the judge's calls of a rollout cost."""
    judged = [record for record in records if record.people and record.samples]
    sent = [record for record in judged if not record.judge.cached] or judged
    usage, verdicts = total(record.judge for record in sent), sum(len(record.samples) for record in sent)
    cost = usage.cost / verdicts if usage.fresh and usage.cost is not None else None
    seconds = [value for record in judged for value in record.values(SECONDS)]
    return Worth(mean([float(people == judge) for people, judge in said.values()]) or 0.0, cost, mean(seconds))
