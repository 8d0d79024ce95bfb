"""Which labels tell what a test's mean would be if people had judged, and what is said where none do."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest

from pytest_pitcheval.results.exams.corrected import BY_RATES, POWERED, Corrected, correct, labels_of
from pytest_pitcheval.results.exams.exam import Answer, Exam, examine
from pytest_pitcheval.results.exams.terms import ExamTerms
from pytest_pitcheval.results.records import Record

RUN, TEST, JUDGE = "20261126T010203.000004Z", "test_qa.py::test_qa", "test_judge.py::test_judge"


def example(number: int, *samples: float, **fields: Any) -> Record:
    name, score = str(number), sum(samples) / len(samples)
    known = {"samples": samples, "rollout_id": f"{RUN}/{TEST}[{name}]", **fields}
    return Record(f"{TEST}[{name}]", TEST, name, "none", "passed", score, **known)


def label(number: int, people: float, rollout: int = 1, **labelled: Any) -> Record:
    of = {"run": RUN, "test": TEST, "optimization": "none", "example": str(number), "rollout": rollout}
    known = {**of, "drawn": "at random", **labelled}
    name = f"{number}-{rollout}"
    return Record(f"{JUDGE}[{name}]", JUDGE, name, "none", "skipped", people=(people,), labelled=known)


def exam(table: dict[tuple[int, int], int], grades: tuple[float, ...] = (0.0, 1.0), rollouts: int = 1) -> Exam:
    answers = [
        Answer((person,), (float(judge),) * rollouts, 0.5)
        for (person, judge), count in table.items()
        for _ in range(count)
    ]
    return examine(answers, ExamTerms("good", grades), RUN)


GOOD_EXAM = exam({(1, 1): 27, (1, 0): 3, (0, 0): 24, (0, 1): 6})
RUN_OF_50 = [example(number, float(number % 5 > 0)) for number in range(50)]


def corrected(
    records: Sequence[Record], labels: Sequence[Record] = (), of: Exam | None = GOOD_EXAM
) -> Corrected | None:
    return correct(records, labels_of(labels), (JUDGE, of) if of else None)


def test_labels_of_its_own_answers_tell_it_best() -> None:
    labels = [label(number, float(number % 5 > 1)) for number in range(30)]
    found = corrected(RUN_OF_50, labels)
    assert found is not None
    assert (found.how, found.labels, found.exam, found.undefined) == (POWERED, 30, JUDGE, "")
    assert found.mean == pytest.approx(0.6, abs=0.02)
    assert found.text == f"score.corrected: prediction-powered, 30 labels ({JUDGE})"


def test_an_example_counts_once_however_many_of_its_rollouts_are_labelled() -> None:
    records = [example(number, 1.0, 0.0) for number in range(30)]
    labels = [label(number, float(rollout == 1), rollout) for number in range(22) for rollout in (1, 2)]
    found = corrected(records, labels)
    assert found is not None
    assert (found.how, found.labels, found.mean) == (POWERED, 22, 0.5)


@pytest.mark.parametrize(
    "other",
    [
        {"run": "20261125T010203.000004Z"},
        {"test": "test_qa.py::test_other"},
        {"optimization": "bootstrap"},
        {"example": "x"},
        {"rollout": 3},
        {"drawn": "near the threshold"},
        {"drawn": None},
        {"run": ""},
    ],
)
def test_labels_of_other_answers_and_of_chosen_ones_do_not_count(other: dict[str, Any]) -> None:
    labels = [label(number, 1.0, **other) for number in range(30)]
    found = corrected(RUN_OF_50, labels)
    assert found is not None
    assert found.how == BY_RATES


def test_else_the_errors_of_its_judge_do() -> None:
    found = corrected(RUN_OF_50)
    assert found is not None
    assert (found.how, found.labels) == (BY_RATES, 60)
    assert found.mean == pytest.approx((0.8 + 0.8 - 1) / (0.9 + 0.8 - 1))
    assert found.text == f"score.corrected: Rogan-Gladen, 60 labels ({JUDGE})"


@pytest.mark.parametrize(
    ("of", "records", "reason"),
    [
        (exam({(1, 1): 10, (0, 0): 9}), RUN_OF_50, "the judge's exam has 19 labels, fewer than 20"),
        (exam({(1, 1): 30}), RUN_OF_50, "people pass all answers of the judge's exam"),
        (exam({(0, 0): 30}), RUN_OF_50, "people fail all answers of the judge's exam"),
        (GOOD_EXAM, [], "nothing was scored"),
        (
            exam({(1, 1): 15, (1, 0): 15, (0, 0): 15, (0, 1): 15}),
            RUN_OF_50,
            "the judge may pass what people fail as often as what they pass",
        ),
        (
            dataclasses.replace(GOOD_EXAM, rollouts=3),
            RUN_OF_50,
            "its answers have 1 verdicts each, those of the judge's exam 3",
        ),
        (
            GOOD_EXAM,
            [dataclasses.replace(one, verdicts=((1.0, 0.0),)) for one in RUN_OF_50],
            "its answers have 2 verdicts each, those of the judge's exam 1",
        ),
        (
            dataclasses.replace(GOOD_EXAM, threshold=None),
            RUN_OF_50,
            "answers of the judge's exam pass from several thresholds on",
        ),
    ],
)
def test_what_cannot_be_told_is_undefined(of: Exam, records: list[Record], reason: str) -> None:
    found = corrected(records, of=of)
    assert found is not None
    assert (found.mean, found.ci95, found.undefined, found.text) == (None, None, reason, "")


def test_too_few_labels_of_its_answers_are_said() -> None:
    found = corrected(RUN_OF_50, [label(number, 1.0) for number in range(12)], of=None)
    assert found is not None
    assert (found.mean, found.is_partial) == (None, False)
    assert found.text == "score.corrected is undefined: 12 labels of its answers, fewer than 20"
    by_rates = corrected(RUN_OF_50, [label(number, 1.0) for number in range(12)])
    assert by_rates is not None
    assert by_rates.how == BY_RATES


def test_nothing_is_said_where_nobody_labelled_and_of_grades() -> None:
    assert corrected(RUN_OF_50, of=None) is None
    assert corrected(RUN_OF_50, of=exam({(1, 1): 15, (0, 0): 15}, grades=(0.0, 0.5, 1.0))) is None


def test_answers_that_were_chosen_by_their_score_tell_no_errors() -> None:
    by_lot = [Answer((1,), (1.0,), 0.5)] * 20 + [Answer((0,), (0.0,), 0.5)] * 20
    chosen = [Answer((1,), (0.0,), 0.5, is_by_lot=False)] * 10
    found = examine([*by_lot, *chosen], ExamTerms("good"), RUN)
    assert [(one.count, one.of) for one in found.errors.values()] == [(0, 20), (0, 20)]
    assert found.figures["false fail"].count == 10
