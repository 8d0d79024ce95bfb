"""What examples that have not run can still make of a mean or a share."""

from __future__ import annotations

import dataclasses

import pytest

from pytest_pitcheval.names import GateMode
from pytest_pitcheval.results.deciding.early.rest import Range, Tally
from pytest_pitcheval.results.deciding.reasons import GateStatus
from pytest_pitcheval.results.records import Record

RECORD = Record("test[e0]", "test", "e0", "none", "passed")


def scored(score: float | None, status: str = "passed") -> Record:
    return dataclasses.replace(RECORD, score=score, status=status)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("low", "high", "mode", "status"),
    [
        (0.5, 0.9, "normal", "passed"),
        (0.3, 0.4, "normal", "failed"),
        (0.3, 0.5, "normal", None),
        (0.5, 0.9, "strict", None),  # its interval may still not be all above
        (0.3, 0.4, "strict", "failed"),
        (0.5, 0.9, "established", "passed"),
        (0.3, 0.4, "established", None),  # its interval may still reach up to the limit
    ],
)
def test_a_gate_is_decided_where_nothing_can_change_it(
    low: float, high: float, mode: GateMode, status: GateStatus | None
) -> None:
    assert Range(low, high).at_least(0.45, mode) == status
    assert Range(1 - high, 1 - low).at_most(0.55, mode) == status


def test_on_the_limit_the_end_decides() -> None:
    """A sum that was rounded on the way may be beside it."""
    assert Range(0.1 + 0.2, 1).at_least(0.3, "normal") is None
    assert Range(0, 0.3).at_least(0.1 + 0.2, "normal") is None


def test_the_rest_scores_0_to_1() -> None:
    tally = Tally(10)
    for score in (1.0, 0.5, 0.0, None):
        tally.add(scored(score, "passed" if score else "failed"))
    assert tally.mean == Range(0.15, 0.75)
    assert tally.pass_rate == Range(0.2, 0.8)
    assert (tally.unscored, tally.ended) == (1, 4)


@pytest.mark.parametrize("score", [-0.1, 1.5])
def test_where_a_score_is_outside_nobody_knows_the_rest(score: float) -> None:
    tally = Tally(3)
    tally.add(scored(score))
    tally.add(scored(0.5))
    assert tally.mean is None
    assert tally.pass_rate == Range(2 / 3, 1.0)
