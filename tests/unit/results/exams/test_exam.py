"""What an exam comes to, and which one holds."""

from __future__ import annotations

import pytest

from pytest_pitcheval.results.exams.exam import Answer, Conditions, agrees, examine
from pytest_pitcheval.results.exams.terms import ExamTerms

TERMS = ExamTerms("good")
NOW = Conditions("metric", "judge", "rows", 1, 0.5, "20260102T030405.000006Z")


def answers(table: dict[tuple[int, int], int]) -> list[Answer]:
    """So many answers by people's label and the judge's."""
    return [Answer((label,), (said,), 0.5) for (label, said), count in table.items() for _ in range(count)]


def test_shares_are_of_what_people_fail_and_of_what_they_pass() -> None:
    exam = examine(answers({(0, 0): 9, (0, 1): 1, (1, 1): 12, (1, 0): 8}), TERMS, "run")
    told = {name: (figure.count, figure.of) for name, figure in exam.figures.items()}
    assert told["false pass"] == (1, 10)
    assert told["false fail"] == (8, 20)
    assert told["agreement"] == (21, 30)
    assert exam.figures["bias"].value == pytest.approx(-7 / 30)
    assert exam.undefined == ""


def test_two_rollouts_agree_as_often_as_their_pairs_do() -> None:
    exam = examine([Answer((1,), (1, 1, 0, 0), 0.5), Answer((0,), (0, 0, 0, 0), 0.5)] * 10, TERMS, "run")
    assert exam.figures["self-consistency"].value == pytest.approx((1 / 3 + 1) / 2)


def test_a_judge_agrees_at_its_threshold_with_the_nearest_grade_and_nobody_with_a_tie() -> None:
    assert agrees(Answer((1,), (0.6,), 0.6), (0, 1)) is True
    assert agrees(Answer((1,), (0.6,), 0.7), (0, 1)) is False
    assert agrees(Answer((1, 0), (0.6,), 0.5), (0, 1)) is None
    assert agrees(Answer((0.5,), (0.6,)), (0, 0.5, 1)) is True
    assert agrees(Answer((0.5,), (0.8,)), (0, 0.5, 1)) is False


def test_an_exam_holds_as_long_as_nothing_has_changed() -> None:
    assert NOW.hold(NOW._replace(run=""))
    for other in (
        *(NOW._replace(metric="m"), NOW._replace(judge="j"), NOW._replace(dataset="d")),
        *(NOW._replace(rollouts=2), NOW._replace(threshold=0.6)),
    ):
        assert not NOW.hold(other)
    assert NOW._replace(judge="").hold(NOW)  # the metric asks none
