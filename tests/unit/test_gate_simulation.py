"""The simulation of the gate, with few runs: what it prints, and that the rates are of the right order."""

from __future__ import annotations

import pytest

from benchmarks.gate_simulation import kinds, one_gate, rates, sessions
from pytest_pitcheval.results.significance import power


@pytest.mark.parametrize("name", kinds.KINDS)
def test_the_scores_are_of_their_kind(name: str) -> None:
    kind = kinds.KINDS[name]
    before, after = next(one_gate.unchanged(kind, 400, 1, 3))
    assert before.shape == (1, 400)
    assert after.shape == (3, 400)
    assert 0 <= after.min() <= after.max() <= 1
    assert after.mean() == pytest.approx(kind.mean, abs=0.1)


@pytest.mark.parametrize("name", kinds.KINDS)
def test_few_false_alarms(name: str) -> None:
    found = one_gate.cell(one_gate.unchanged(kinds.KINDS[name], 20, 1, 1), 60)
    assert found.established.share < 0.2
    assert found.failed.count <= found.established.count


def test_a_large_drop_is_found() -> None:
    found = one_gate.cell(one_gate.dropped(50, 0.2), 40)
    assert found.established.share == found.failed.share == 1


def test_power_is_near_what_is_promised() -> None:
    for rate in one_gate.power(20, 100):
        assert rate.share == pytest.approx(power.POWER, abs=0.15)


def test_intervals_cover() -> None:
    difference, mean = one_gate.coverage(kinds.KINDS["skewed"], 20, 1, 60)
    assert difference.share > 0.8
    assert mean.share > 0.8


def test_the_same_seed_gives_the_same_runs() -> None:
    kind = kinds.KINDS["tied"]
    first, second = (next(one_gate.unchanged(kind, 30, 1, 1)) for _ in range(2))
    assert (first[0] == second[0]).all()
    assert not (first[0] == first[1]).all()


@pytest.mark.parametrize(("count", "excessive"), [(100, False), (119, False), (120, True)])
def test_a_rate_is_marked_two_standard_errors_above_5_percent(count: int, excessive: bool) -> None:
    assert rates.Rate(count, 2_000).excessive == excessive


def test_other_rollouts_raise_no_more_false_alarms() -> None:
    found = one_gate.cell(one_gate.unchanged(kinds.HIGH, 20, 1, 5), 60)
    assert found.established.count <= found.by_signs.count
    assert found.established.share < 0.2


def test_lines_name_their_cell_and_fit() -> None:
    kind = kinds.KINDS["tied"]
    line = one_gate.unequal("tied", kind, 10, (5, 1), 5)
    assert line.split()[:5] == ["tied", "10", "5", "and", "1"]
    for one in (line, one_gate.equal("tied", kind, 10, 1, 5), one_gate.detection(10, 0.1, 5)):
        assert len(one) <= 80


def test_a_session_of_many_gates_errs_no_more_often_than_one() -> None:
    suite = sessions.Suite(kinds.KINDS["tied"], 10, 10, 1, {"max_regression": 0.0})
    rates = suite.rates(60)
    assert rates["holm"][1].share < 0.2
    assert rates["holm"][1].count <= rates["none"][1].count


def test_one_example_that_broke_is_found() -> None:
    suite = sessions.Suite(kinds.KINDS["0/1"], 1, 8, 5, {"max_example_drop": 0.5}, broken=1)
    assert suite.rates(20)["holm"][0].share > 0.7
