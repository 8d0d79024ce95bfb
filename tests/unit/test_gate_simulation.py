"""The simulation of the gate, with few runs: what it prints, and that the rates are of the right order."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks.gate_simulation import batches, comparing, kinds, lives, one_gate, rates, sessions, stopping, whole_sets
from pytest_pitcheval.names import Family
from pytest_pitcheval.results.significance import exchange, power

BOTH = {"max_regression": 0.0, "max_example_drop": 0.0}
DOCS = Path(__file__).parents[2] / "docs"
FAMILIES: tuple[Family, ...] = ("holm", "none")


@pytest.mark.parametrize("name", kinds.KINDS)
def test_the_scores_are_of_their_kind(name: str) -> None:
    kind = kinds.KINDS[name]
    before, after = one_gate.unchanged(kind, 400, 1, 3, 2)
    assert before.shape == (2, 400, 1)
    assert after.shape == (2, 400, 3)
    assert 0 <= after.min() <= after.max() <= 1
    assert after.mean() == pytest.approx(kind.mean, abs=0.1)


@pytest.mark.parametrize("name", kinds.KINDS)
def test_few_false_alarms(name: str) -> None:
    found = one_gate.cell(*one_gate.unchanged(kinds.KINDS[name], 20, 1, 1, 60))
    assert found.established.share < 0.2
    assert found.failed.count <= found.established.count


def test_a_large_drop_is_found() -> None:
    found = one_gate.cell(*one_gate.dropped(50, 0.2, 40))
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
    first, second = (one_gate.unchanged(kind, 30, 1, 1, 1) for _ in range(2))
    assert (first[0] == second[0]).all()
    assert not (first[0] == first[1]).all()


@pytest.mark.parametrize(("count", "excessive"), [(100, False), (119, False), (120, True)])
def test_a_rate_is_marked_two_standard_errors_above_5_percent(count: int, excessive: bool) -> None:
    assert rates.Rate(count, 2_000).excessive == excessive


def test_other_rollouts_raise_no_more_false_alarms() -> None:
    found = one_gate.cell(*one_gate.unchanged(kinds.HIGH, 20, 1, 5, 60))
    assert found.established.count <= found.by_signs.count
    assert found.established.share < 0.2


def test_lines_name_their_cell_and_fit() -> None:
    kind = kinds.KINDS["tied"]
    line = one_gate.unequal("tied", kind, 10, (5, 1), 5)
    assert line.split()[:5] == ["tied", "10", "5", "and", "1"]
    for one in (line, one_gate.equal("tied", kind, 10, 1, 5), one_gate.detection(10, 0.1, 5)):
        assert len(one) <= 80


def scores(kind: kinds.Kind, tests: int, examples: int, *rollouts: int, seed: int = 1) -> list[kinds.Array]:
    """Baseline and run of so many tests: (tests, examples, rollouts)."""
    random = np.random.default_rng(seed)
    means = random.beta(*kind.means, (tests, examples))
    return [np.moveaxis(kind.scores(random, (count, *means.shape), means), 0, -1) for count in rollouts]


@pytest.mark.parametrize("rollouts", [(1, 1), (3, 3), (5, 1), (10, 3)], ids=str)
@pytest.mark.parametrize("name", ["skewed", "0/1"])
def test_many_p_values_at_once_are_those_of_the_plugin(name: str, rollouts: tuple[int, int]) -> None:
    before, after = scores(kinds.KINDS[name], 12, 20, *rollouts)
    after[:6] -= 0.1
    at_once, least = batches.drop_p(before, after), batches.least_drop_p(before, after)
    for test in range(12):
        result = comparing.comparison_of(before[test].T, after[test].T).result
        assert result is not None
        expected = result.p_drop if result.difference < 0 else 1.0
        assert at_once[test] == pytest.approx(
            expected, abs=4 * (expected * (1 - expected) / batches.FEW) ** 0.5 + 0.004
        )
        assert least[test] == pytest.approx(result.least_p, rel=0.3)


def test_p_values_of_unequal_rollouts_are_as_low_as_the_plugin_has_them() -> None:
    before, after = np.ones((2, 20, 10)), np.stack([np.zeros((20, 1)), np.ones((20, 1))])
    assert batches.drop_p(before, after) == pytest.approx([1 / (batches.MANY + 1), 1])


@pytest.mark.parametrize("rollouts", [(3, 3), (5, 5), (10, 3)], ids=str)
def test_many_examples_at_once_have_the_p_values_of_the_plugin(rollouts: tuple[int, int]) -> None:
    for kind in kinds.KINDS.values():
        [before], [after] = scores(kind, 1, 30, *rollouts)
        at_once, least = batches.example_p(before, after), batches.least_example_p(before, after)
        pairs = list(zip(before.tolist(), after.tolist(), strict=True))
        assert at_once == pytest.approx([exchange.drop_p(*pair) for pair in pairs])
        assert least == pytest.approx([exchange.least_drop_p(*pair) for pair in pairs])


def test_many_sessions_at_once_fail_as_the_plugin_decides() -> None:
    suite = sessions.Suite(kinds.KINDS["0/1"], 3, 8, (5, 5), {**BOTH, "max_example_drop": 0.5}, broken=1, worse=0.1)
    before, after = suite.draw(np.random.default_rng(3), 25)
    for family in FAMILIES:
        failed = [session.fails(family) for session in suite.claims(before, after)]
        decided = [comparing.decide(*one, suite.limits, family) for one in zip(before, after, strict=True)]
        assert failed == [("0" in tests, bool(tests)) for tests in decided]


def test_a_session_of_many_gates_errs_no_more_often_than_one() -> None:
    suite = sessions.Suite(kinds.KINDS["tied"], 10, 10, (1, 1), {"max_regression": 0.0})
    rates = suite.rates(200)
    assert rates["holm"][1].share < 0.12
    assert rates["holm"][1].count < rates["none"][1].count


def test_scores_in_common_and_slices_raise_no_more_alarms() -> None:
    suite = sessions.Suite(kinds.KINDS["0/1"], 5, 20, (3, 3), {"max_regression": 0.0}, common=0.7, slices=4)
    assert suite.rates(200)["holm"][1].share < 0.12


def test_one_example_that_broke_is_found() -> None:
    suite = sessions.Suite(kinds.KINDS["0/1"], 1, 8, (5, 5), {"max_example_drop": 0.5}, broken=1)
    assert suite.rates(50)["holm"][0].share > 0.7


def test_a_baseline_of_five_runs_alarms_less_often_than_a_lucky_one() -> None:
    single, pooled = (lives.Life(kinds.KINDS["0/1"], 50, 1, runs, 10).alarms(60, 60) for runs in (1, 5))
    assert single.max() > pooled.max()
    assert np.mean(pooled > lives.OFTEN) < 0.05


def test_metrics_of_the_whole_set_raise_few_alarms_and_lose_little() -> None:
    assert whole_sets.cell("f1_macro", 20, (2, 2), 0.0, 0.0, 40).count <= 7
    assert whole_sets.cell("f1_macro", 60, (3, 3), 0.4, 0.03, 10).count >= 8
    assert whole_sets.cell("pearson", 40, (1, 1), 2.0, 0.03, 10).count >= 8


def printed() -> list[str]:
    """What the simulation printed when its output was last kept."""
    return (DOCS / "gate_simulation.txt").read_text(encoding="utf-8").splitlines()


def test_the_output_that_is_kept_is_that_of_the_code() -> None:
    lines = printed()
    for name, kind in kinds.KINDS.items():
        assert one_gate.equal(name, kind, 10, 1, rates.RUNS).rstrip() in lines
        assert one_gate.unequal(name, kind, 20, (5, 1), rates.RUNS).rstrip() in lines


def test_every_number_of_the_page_is_from_that_output() -> None:
    page, known = (DOCS / "error_rates.md").read_text(encoding="utf-8"), "\n".join(printed())
    numbers = set(re.findall(r"\d+(?:\.\d+)? %", page.partition("## With early looks")[0]))
    assert len(numbers) > 20
    assert {number for number in numbers if not re.search(rf"(?<![\d.]){re.escape(number)}", known)} == set()


def test_looks_raise_few_false_alarms() -> None:
    suite = stopping.Suite(kinds.KINDS["tied"], 4, 30, (2, 2), slices=2, single=True)
    assert suite.rates(40)[1].share < 0.25


def test_half_a_score_that_is_lost_is_found_at_an_early_look() -> None:
    suite = stopping.Suite(kinds.KINDS["skewed"], 20, 200, (1, 1), factor=0.5, limit=0.05)
    at_10, at_20, at_50 = stopping.found_by(suite, 20)
    assert at_10.count <= at_20.count <= at_50.count
    assert at_20.share > 0.8


def test_a_pass_rate_that_is_far_off_takes_a_part_of_the_calls() -> None:
    line = stopping.absolute("min_pass_rate", 0.8, 0.5, 100, 20)
    assert line.split()[:3] == ["min_pass_rate=0.8", "0.50", "100"]
    assert 30 < float(line.split()[3].rstrip("%")) < 55
