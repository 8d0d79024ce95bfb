"""Gates: what all examples of a test must reach together."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import get_args

import pytest

from pytest_pitcheval.names import BUDGET, Family, GateMode
from pytest_pitcheval.results.collected import Collected, Requirements, of_scores
from pytest_pitcheval.results.comparison import Comparison, Pair
from pytest_pitcheval.results.deciding import gates
from pytest_pitcheval.results.deciding.drops import describe_change, describe_power
from pytest_pitcheval.results.deciding.gates import GateResult
from pytest_pitcheval.results.deciding.limits import Limit, limits_of
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.results.records import Record
from pytest_pitcheval.results.significance.paired import PairedDifference, paired_difference
from pytest_pitcheval.results.subjects import Slice, Subject
from pytest_pitcheval.results.summaries.summarizing import find_missing, summarize
from pytest_pitcheval.results.summaries.summary import Summary

KEY = Subject(Key("test", "none"))


def decide(
    summaries: Sequence[Summary],
    comparisons: Mapping[Subject, Comparison] | None = None,
    mode: GateMode = "normal",
    family: Family = "holm",
) -> list[GateResult]:
    """The gates that the tests' own markers set."""
    limits = [limit for one in summaries for limit in limits_of(one, lambda gate, own: own)]
    return gates.decide(limits, {Subject(one.key): one for one in summaries}, comparisons, mode, family)


def summary(scores: list[float | None], passed: int = 0, **limits: float) -> Summary:
    tests = [
        Collected(f"test[{n}]", "test", str(n), "none", Requirements(of_scores(limits))) for n in range(len(scores))
    ]
    records = {
        one.nodeid: Record(one.nodeid, "test", one.example_id, "none", "passed" if n < passed else "failed", score)
        for n, (one, score) in enumerate(zip(tests, scores, strict=True))
    }
    return summarize(tests, records, find_missing(tests, records, {}))[0]


@pytest.mark.parametrize(
    ("scores", "passed", "limits", "expected"),
    [
        ([0.5, 1.0], 0, {"min_mean": 0.75}, ("passed", "mean 0.75 reaches 0.75")),
        ([0.5, 1.0], 2, {"min_mean": 0.76}, ("failed", "mean 0.75 is below 0.76")),
        (
            [0.5, 1.0] * 4,
            0,
            {"min_mean": 0.7},
            ("passed", "mean 0.75 reaches 0.7, not established (95 % 0.527 to 0.973)"),
        ),
        ([0.5, 1.0] * 4, 0, {"min_mean": 0.5}, ("passed", "mean 0.75 reaches 0.5")),
        ([0.5, 1.0] * 4, 0, {"min_mean": 0.98}, ("failed", "mean 0.75 is below 0.98")),
        ([0.03] * 11, 0, {"min_mean": 0.03}, ("passed", "mean 0.03 reaches 0.03")),
        ([0.5, None], 0, {"min_mean": 0.1}, ("failed", "1 of 2 examples have no score")),
        ([None], 0, {"min_mean": 0.0}, ("failed", "1 of 1 example has no score")),
        (
            [0.5, 0.5],
            1,
            {"min_pass_rate": 0.5},
            ("passed", "pass rate 0.5 reaches 0.5"),
        ),
        (
            [0.5, 0.5, 0.5],
            1,
            {"min_pass_rate": 0.5},
            ("failed", "pass rate 0.333333 is below 0.5"),
        ),
        (
            [0.5, None],
            1,
            {"min_pass_rate": 0.6},
            ("failed", "pass rate 0.5 is below 0.6"),
        ),
        ([0.5, None], 1, {"max_error_rate": 0.5}, ("passed", "1 of 2 examples have no score")),
        ([0.5, None], 1, {"max_error_rate": 0.0}, ("failed", "1 of 2 examples have no score")),
        ([0.5, 0.5], 1, {"max_error_rate": 0.0}, ("passed", "0 of 2 examples have no score")),
        ([None] * 3 + [0.5] * 7, 7, {"max_error_rate": 0.3}, ("passed", "3 of 10 examples have no score")),
        ([0.5], 1, {"max_regression": 0.1}, ("failed", "there is no baseline; --eval-update-baseline writes one")),
        ([0.5], 1, {"max_example_drop": 0.1}, ("failed", "there is no baseline; --eval-update-baseline writes one")),
    ],
)
def test_one_gate(scores: list[float | None], passed: int, limits: dict[str, float], expected: tuple[str, str]) -> None:
    [result] = decide([summary(scores, passed, **limits)])
    assert (result.status, result.reason) == expected


def test_every_gate_of_every_summary_is_decided() -> None:
    found = [summary([1.0], 1, min_mean=0.5, min_pass_rate=1.0), summary([0.0]), summary([0.0], min_mean=0.5)]
    results = decide([dataclasses.replace(one, test=f"test{n}") for n, one in enumerate(found)])
    assert [(one.test, one.gate, one.status) for one in results] == [
        ("test0", "min_mean", "passed"),
        ("test0", "min_pass_rate", "passed"),
        ("test2", "min_mean", "failed"),
    ]


def test_no_gate_is_no_result() -> None:
    assert decide([summary([0.0])]) == []


def test_gates_are_decided_in_their_order_whatever_that_of_the_marker() -> None:
    results = decide([summary([1.0], 1, max_error_rate=0.5, min_pass_rate=1.0, min_mean=0.5)])
    assert [one.gate for one in results] == ["min_mean", "min_pass_rate", "max_error_rate"]


def comparison(*drops: float, before: float = 0.8, **fields: object) -> Comparison:
    """Of examples with one rollout that scored ``before``, and as much less now as ``drops`` say."""
    pairs = tuple(Pair(f"e{n}", (before,), (before - drop,)) for n, drop in enumerate(drops))
    found = Comparison("test", "none", "none", pairs, paired_difference([-drop for drop in drops]))
    return dataclasses.replace(found, **fields)  # type: ignore[arg-type]


def decided(found: Comparison | None, mode: GateMode = "normal", **limits: float) -> GateResult:
    comparisons = {} if found is None else {KEY: found}
    [result] = decide([summary([0.5], 1, **limits)], comparisons=comparisons, mode=mode)
    return result


DROPPED, ROSE = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], [-0.1, -0.2, -0.3, -0.2]
UNCLEAR = [0.8, -0.3, 0.7, -0.4, 0.6, 0.1]


@pytest.mark.parametrize(
    ("found", "gate", "limit", "status", "value", "reason"),
    [
        (None, "max_regression", 0.1, "inconclusive", None, "not in the baseline"),
        (None, "max_example_drop", 0.1, "inconclusive", None, "not in the baseline"),
        (comparison(), "max_regression", 0.1, "inconclusive", None, "no example is the same as in the baseline"),
        (comparison(), "max_example_drop", 0.1, "inconclusive", None, "no example is the same as in the baseline"),
        (comparison(refused="not compared"), "max_regression", 0.1, "failed", None, "not compared"),
        (comparison(0.0, refused="not compared"), "max_example_drop", 0.1, "failed", None, "not compared"),
        (
            comparison(0.0, unscored=("e7", "e8")),
            "max_regression",
            0.1,
            "failed",
            None,
            "no score now, but in the baseline: e7, e8",
        ),
        (
            comparison(0.0, unscored=tuple(f"e{n}" for n in range(7))),
            "max_example_drop",
            0.1,
            "failed",
            None,
            "no score now, but in the baseline: e0, e1, e2, e3, e4 and 2 more",
        ),
        (
            comparison(unscored=("",)),
            "max_regression",
            0.1,
            "failed",
            None,
            "no score now, but in the baseline: the test itself",
        ),
        (comparison(0.0, 0.0), "max_regression", 0.0, "passed", 0.0, "no difference, 2 examples"),
        (comparison(*ROSE), "max_regression", 0.0, "passed", -0.2, "rose by 0.2 (95 % 0.0701 to 0.33), 4 examples"),
        (
            comparison(*DROPPED),
            "max_regression",
            0.05,
            "failed",
            0.35,
            "dropped by 0.35 (95 % 0.154 to 0.546), p = 0.016, 6 examples",
        ),
        (
            comparison(*DROPPED),
            "max_regression",
            0.35,
            "passed",
            0.35,
            "dropped by 0.35 (95 % 0.154 to 0.546), p = 0.016, 6 examples",
        ),
        (
            comparison(*DROPPED[:4]),
            "max_regression",
            0.05,
            "inconclusive",
            0.25,
            "dropped by 0.25 (95 % 0.0446 to 0.455), p = 0.062, 4 examples: not established; "
            "fewer than 5 examples show nothing",
        ),
        (comparison(0.4), "max_regression", 0.4, "passed", 0.4, "dropped by 0.4, p = 0.500, 1 example"),
        (
            comparison(*DROPPED, against="simba"),
            "max_regression",
            0.4,
            "passed",
            0.35,
            "dropped by 0.35 (95 % 0.154 to 0.546), p = 0.016, 6 examples against 'simba'",
        ),
        (comparison(0.1, 0.0), "max_example_drop", 0.1, "passed", 0.1, "none of 2 examples fell by more than that"),
        (comparison(0.0), "max_example_drop", 0.1, "passed", 0.0, "none of 1 example fell by more than that"),
        (
            comparison(0.2, 0.0),
            "max_example_drop",
            0.1,
            "inconclusive",
            0.2,
            "1 example fell by more than that, not established: e0; 4 rollouts both times would do",
        ),
        (
            comparison(*[0.2] * 7),
            "max_example_drop",
            0.1,
            "inconclusive",
            0.2,
            "7 examples fell by more than that, not established: e0, e1, e2, e3, e4 and 2 more; "
            "5 rollouts both times would do",
        ),
    ],
)
def test_a_gate_that_needs_a_baseline(
    found: Comparison | None, gate: str, limit: float, status: str, value: float | None, reason: str
) -> None:
    [result] = decide([summary([0.5], 1, **{gate: limit})], comparisons={KEY: found} if found else {})
    assert (result.status, result.value, result.reason) == (status, value, reason)


def test_with_a_baseline_that_has_grown_more_rollouts_now_would_do() -> None:
    pair = Pair("e0", (1.0,) * 10, (0.0,))
    result = decided(comparison(0.0, pairs=(pair,)), max_example_drop=0.1)
    assert result.status == "inconclusive"
    assert result.p == pytest.approx(1 / 11)
    assert result.reason.endswith("not established: e0; 2 rollouts now would do")


def test_a_drop_that_is_not_established_says_what_this_run_could_have_shown_and_what_it_takes() -> None:
    found = comparison(*UNCLEAR)
    result = decided(found, max_regression=0.05)
    assert result.status == "inconclusive"
    assert found.result is not None
    assert found.result.smallest_drop is not None
    power = f"with 80 % power this shows a drop of {found.result.smallest_drop:.2g}"
    takes = "this drop takes 7 rollouts both times or 29 examples"
    assert result.reason.endswith(f", 6 examples: not established; {power}; {takes}")


def test_what_a_run_can_show_is_left_out_where_it_is_not_known() -> None:
    assert describe_power(comparison()) == "fewer than 5 examples show nothing"
    assert describe_power(comparison(*[0.1] * 6)) == ""


@pytest.mark.parametrize(
    ("found", "status"), [(comparison(*DROPPED[:4]), "failed"), (None, "failed"), (comparison(0.0), "passed")]
)
def test_strict_fails_what_is_inconclusive(found: Comparison | None, status: str) -> None:
    strict, normal = decided(found, mode="strict", max_regression=0.05), decided(found, max_regression=0.05)
    assert strict.status == status
    assert (strict.reason, strict.value) == (normal.reason, normal.value)


@pytest.mark.parametrize(
    ("limit", "normal", "established", "strict"),
    [
        (0.5, "passed", "passed", "passed"),
        (0.7, "passed", "passed", "failed"),
        (0.8, "failed", "inconclusive", "failed"),
        (0.98, "failed", "failed", "failed"),
    ],
)
def test_how_sure_a_mean_must_be(limit: float, normal: str, established: str, strict: str) -> None:
    """Its 95 % interval is 0.527 to 0.973."""
    scores = summary([0.5, 1.0] * 4, min_mean=limit)
    modes: dict[GateMode, str] = {"normal": normal, "established": established, "strict": strict}
    assert {mode: decide([scores], mode=mode)[0].status for mode in modes} == modes


def test_four_examples_establish_no_mean_however_equal_they_are() -> None:
    assert decide([summary([1.0] * 4, min_mean=0.5)], mode="strict")[0].status == "failed"
    assert decide([summary([1.0] * 5, min_mean=0.5)], mode="strict")[0].status == "passed"


def broken(before: int, after: int, examples: int = 8) -> Comparison:
    """Examples of which the first passed ``before`` of 5 rollouts, and ``after`` now; the others always pass."""
    samples = [(1.0,) * count + (0.0,) * (5 - count) for count in (before, after)]
    pairs = [Pair("e0", *samples), *(Pair(f"e{n}", (1.0,) * 5, (1.0,) * 5) for n in range(1, examples))]
    changes = [pair.change for pair in pairs]
    return Comparison("test", "none", "none", tuple(pairs), paired_difference(changes), rollouts=5)


def test_one_example_that_broke_is_established_by_exchanging_its_samples() -> None:
    result = decided(broken(5, 0, examples=50), max_example_drop=0.5)
    assert (result.status, result.value) == ("failed", 1.0)
    assert result.reason == "1 example fell by more than that: e0, p = 0.004"
    assert (result.p, result.p_adjusted, result.among) == (1 / 252, 1 / 252, 1)


def test_an_example_that_may_have_had_bad_luck_is_not() -> None:
    result = decided(broken(4, 2), max_example_drop=0.3)
    assert result.status == "inconclusive"
    assert result.reason.startswith("1 example fell by more than that, not established: e0; ")


def test_several_gates_of_a_session_have_one_error_rate() -> None:
    tests = [dataclasses.replace(summary([0.5], max_regression=0.05), test=f"test{n}") for n in range(20)]
    dropped, unclear = comparison(*DROPPED), comparison(0.0, *UNCLEAR)
    comparisons = {Subject(one.key): dropped if n == 0 else unclear for n, one in enumerate(tests)}
    first, *others = decide(tests, comparisons=comparisons)
    assert first.status == "inconclusive"
    assert "p = 0.016, 0.312 among 20, 6 examples: not established; " in first.reason
    assert (first.p, first.p_adjusted, first.among) == (1 / 64, 20 / 64, 20)
    alone = decide(tests, comparisons=comparisons, family="none")[0]
    assert (alone.status, alone.p_adjusted, alone.among) == ("failed", 1 / 64, 1)
    assert all(gate.status == "inconclusive" for gate in others)


def test_a_drop_of_exactly_the_limit_passes_whatever_floats_make_of_it() -> None:
    for before in (0.3, 0.4, 0.5, 0.7, 0.9, 1.0):
        found = comparison(*[before - (before * 10 - 1) / 10] * 8, before=before)
        assert decided(found, max_regression=0.1).status == "passed"
        assert decided(found, max_example_drop=0.1).status == "passed"


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (PairedDifference(1, 0.0, None, 1.0, 1.0, None), "no difference, 1 example"),
        (PairedDifference(1, 0.25, None, 1.0, 1.0, None), "rose by 0.25, 1 example"),
        (PairedDifference(1, -0.25, None, 0.5, 1.0, None), "dropped by 0.25, p = 0.500, 1 example"),
        (
            PairedDifference(18, -0.4421, (-0.53, -0.354), 0.0001, 0.0002, 0.1),
            "dropped by 0.442 (95 % 0.354 to 0.53), p < 0.001, 18 examples",
        ),
        (PairedDifference(9, 0.1, (-0.1, 0.3), 0.9, 0.2, 0.1), "rose by 0.1 (95 % -0.1 to 0.3), 9 examples"),
        (
            PairedDifference(9, -0.1, (-0.3, 0.1), 0.2, 0.4, 0.1),
            "dropped by 0.1 (95 % -0.1 to 0.3), p = 0.200, 9 examples",
        ),
    ],
)
def test_a_change_in_words(result: PairedDifference, text: str) -> None:
    assert describe_change(Comparison("test", "none", "none", result=result)) == text


def test_becomes_json() -> None:
    result = GateResult("test", "none", "min_mean", "failed", None, 0.5, "nothing was scored")
    assert json.loads(json.dumps(result.to_dict())) == result.to_dict()
    assert result.to_dict()["limit"] == 0.5


def lower(*rises: float, before: float = 2.0, **fields: object) -> Comparison:
    """Of examples with one rollout that took ``before`` seconds, and as much longer now as ``rises`` say."""
    pairs = tuple(Pair(f"e{n}", (before,), (before + rise,)) for n, rise in enumerate(rises))
    result = paired_difference([-rise for rise in rises])
    after = before + sum(rises) / len(rises)
    about = {"metric": "seconds", "lower_is_better": True, "mean_before": before, "mean_after": after, **fields}
    return Comparison("test", "none", "none", pairs, result, **about)  # type: ignore[arg-type]


def held(found: Comparison, gate: str, limit: float) -> GateResult:
    subject = Subject(Key("test", "none"), found.metric)
    [result] = gates.decide([Limit(subject, gate, limit)], {KEY: summary([0.5])}, {subject: found})
    return result


@pytest.mark.parametrize(
    ("found", "limit", "status", "value", "reason"),
    [
        (
            lower(*DROPPED),
            0.1,
            "failed",
            0.175,
            "rose by 0.35 (95 % 0.154 to 0.546), 0.175 of 2, p = 0.016, 6 examples",
        ),
        (
            lower(*DROPPED),
            0.175,
            "passed",
            0.175,
            "rose by 0.35 (95 % 0.154 to 0.546), 0.175 of 2, p = 0.016, 6 examples",
        ),
        (
            lower(*ROSE),
            0.0,
            "passed",
            -0.1,
            "dropped by 0.2 (95 % 0.0701 to 0.33), 0.1 of 2, 4 examples",
        ),
        (
            lower(*DROPPED, metric="words"),
            0.3,
            "failed",
            0.35,
            "rose by 0.35 (95 % 0.154 to 0.546), p = 0.016, 6 examples",
        ),
        (
            lower(*DROPPED, before=0.0),
            9.0,
            "failed",
            None,
            "rose by 0.35 (95 % 0.154 to 0.546), p = 0.016, 6 examples",
        ),
    ],
)
def test_what_is_better_lower_gets_worse_when_it_rises(
    found: Comparison, limit: float, status: str, value: float | None, reason: str
) -> None:
    """Of what an LM takes, by a share of what it was; of nothing, any rise is too much."""
    result = held(found, "max_regression", limit)
    assert (result.status, result.value, result.reason) == (status, value, reason)
    assert result.text == f"max_regression={limit:g} {found.metric} test [none]: {reason}"


def test_one_example_that_takes_longer_is_established_by_exchanging_its_samples() -> None:
    pair = Pair("e0", (1.0, 1.1, 1.2, 1.3, 1.4), (3.0, 3.1, 3.2, 3.3, 3.4))
    found = Comparison("test", "none", "none", (pair,), paired_difference([-2.0]), 1.2, 3.2, 5, metric="seconds")
    slower = dataclasses.replace(found, lower_is_better=True)
    result = held(slower, "max_example_drop", 1.5)
    assert (result.status, result.p) == ("failed", 1 / 252)
    assert result.reason == "1 example rose by more than that: e0, p = 0.004"
    assert held(slower, "max_example_drop", 2.0).status == "passed"


def test_a_metric_that_an_example_lacks_is_no_score_for_its_gate() -> None:
    tests = [Collected(f"test[{n}]", "test", str(n), "none") for n in range(3)]
    metrics: list[dict[str, tuple[float | None, ...]]] = [
        {"relevancy": (0.5, 1.0), "style": (0.5, None)},
        {"relevancy": (0.25, 0.25), "style": (0.5, 0.5)},
        {"style": (0.5, 0.5)},
    ]
    records = {
        test.nodeid: Record(test.nodeid, "test", test.example_id, "none", "passed", 1.0, samples=(1.0,), metrics=found)
        for test, found in zip(tests, metrics, strict=True)
    }
    [whole] = summarize(tests, records, {})
    assert {name: (one.mean, one.scored) for name, one in whole.metrics.items()} == {
        "relevancy": (0.5, 2),
        "style": (0.5, 2),
    }

    def reason(metric: str) -> tuple[str, str]:
        [result] = gates.decide([Limit(KEY._replace(metric=metric), "min_mean", 0.1)], {KEY: whole})
        return result.status, result.reason

    assert reason("relevancy") == ("failed", "1 of 3 examples have no relevancy")
    assert reason("style") == ("failed", "1 of 3 examples have no style")
    assert reason("relevance") == (
        "failed",
        "no example has the metric 'relevance'; there are score, relevancy, style",
    )


@pytest.mark.parametrize(
    ("limit", "normal", "established", "strict", "text"),
    [
        (1.0, "passed", "passed", "passed", "mean 0.75 is at most 1"),
        (0.8, "passed", "passed", "failed", "mean 0.75 is at most 0.8, not established (95 % 0.527 to 0.973)"),
        (0.75, "passed", "passed", "failed", "mean 0.75 is at most 0.75, not established (95 % 0.527 to 0.973)"),
        (0.7, "failed", "inconclusive", "failed", "mean 0.75 is above 0.7, not established (95 % 0.527 to 0.973)"),
        (0.5, "failed", "failed", "failed", "mean 0.75 is above 0.5"),
    ],
)
def test_what_a_mean_may_be_at_most(limit: float, normal: str, established: str, strict: str, text: str) -> None:
    scores = summary([0.5, 1.0] * 4, max_mean=limit)
    modes: dict[GateMode, str] = {"normal": normal, "established": established, "strict": strict}
    assert {mode: decide([scores], mode=mode)[0].status for mode in modes} == modes
    assert decide([scores])[0].reason == text
    assert decide([summary([0.5, None], max_mean=1.0)])[0].reason == "1 of 2 examples have no score"


@pytest.mark.parametrize("mode", get_args(GateMode))
def test_what_lacks_examples_because_of_the_budget_is_not_decided_and_fails(mode: GateMode) -> None:
    limits = {"min_mean": 0.1, "min_pass_rate": 0.1, "max_error_rate": 1.0, "max_regression": 1.0}
    tests = [Collected(f"test[{n}]", "test", str(n), "none", Requirements(of_scores(limits))) for n in range(20)]
    records = {one.nodeid: Record(one.nodeid, "test", one.example_id, "none", "passed", 1.0) for one in tests[:12]} | {
        one.nodeid: Record(
            one.nodeid, "test", one.example_id, "none", "skipped", error="budget: $5.00 reached", left_out=BUDGET
        )
        for one in tests[12:]
    }
    [found] = summarize(tests, records, {})
    reason = "not decided: budget: $5.00 reached after 12 of 20 examples"
    assert {(gate.status, gate.value, gate.reason) for gate in decide([found], {}, mode)} == {("failed", None, reason)}


@pytest.mark.parametrize(
    ("failed", "status", "reason"),
    [
        (0, "failed", "not decided: budget: $5.00 reached after 2 of 3 examples"),
        (1, "failed", "1 of 3 examples failed: 0"),
    ],
)
def test_what_must_pass_and_failed_has_failed_whatever_the_budget_left_out(
    failed: int, status: str, reason: str
) -> None:
    tests = [Collected(f"test[{n}]", "test", str(n), "none") for n in range(3)]
    records = {
        one.nodeid: Record(one.nodeid, "test", one.example_id, "none", "failed" if n < failed else "passed", 1.0)
        for n, one in enumerate(tests[:2])
    }
    records["test[2]"] = Record(
        "test[2]", "test", "2", "none", "skipped", error="budget: $5.00 reached", left_out=BUDGET
    )
    [found] = summarize(tests, records, {})
    subject = KEY._replace(slice=Slice("critical", ""))
    [gate] = gates.decide([Limit(subject, "must_pass", 0)], {subject.part: found})
    assert (gate.status, gate.reason) == (status, reason)
