"""What a run comes to: summaries, comparisons, methods and gates of the same records."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from pytest_pitcheval.names import GateMode
from pytest_pitcheval.results.baselines import Baseline, Measurement, Measurements, measure
from pytest_pitcheval.results.collected import Collected, Requirements, of_scores
from pytest_pitcheval.results.deciding.decisions import Decision, Terms, decide
from pytest_pitcheval.results.deciding.limits import DEFAULT_MAX_REGRESSION
from pytest_pitcheval.results.deciding.outcome import Outcome
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.results.records import Record, Status
from pytest_pitcheval.results.summaries.summary import Missing

TEST = "t.py::test"


def record(name: str, score: float | None, method: str = "none", **fingerprints: str) -> Record:
    samples = () if score is None else (score,)
    status: Status = "error" if score is None else "passed"
    return Record(
        f"{TEST}[{method}-{name}]", TEST, name, method, status, score, samples=samples, fingerprints=fingerprints
    )


def outcome(*records: Record, not_run: tuple[str, ...] = (), lost: tuple[str, ...] = (), **gates: float) -> Outcome:
    asked = Requirements(of_scores(gates))
    collected = [Collected(one.nodeid, one.test, one.example_id, one.optimization, asked) for one in records]
    collected += [Collected(f"{TEST}[{name}]", TEST, name, "none", asked) for name in lost]
    return Outcome(
        collected,
        {one.nodeid: one for one in records},
        {f"{TEST}[{name}]": Missing(f"{TEST}[{name}]", "not run") for name in lost},
        {Key(TEST, "none"): not_run},
    )


def own(gate: str, limits: Mapping[str, float]) -> Mapping[str, float]:
    """The test's own limits, as without any option."""
    return limits


OWN = Terms(own)
BASELINE: Baseline = {
    Key(TEST, "none"): Measurements({f"e{n}": Measurement((0.75,)) for n in range(6)}, {"judge": "j"})
}
SAME = [record(f"e{n}", 0.75) for n in range(6)]
WORSE = [record(f"e{n}", 0.5) for n in range(6)]


def gates(decision: Decision) -> list[tuple[str, float, str]]:
    return [(one.gate, one.limit, one.status) for one in decision.gates]


def test_nothing_is_compared_without_a_baseline() -> None:
    decision = decide(outcome(*SAME, min_mean=0.5), None, OWN)
    assert decision.comparisons is None
    assert gates(decision) == [("min_mean", 0.5, "passed")]
    assert [summary.mean for summary in decision.summaries] == [0.75]


@pytest.mark.parametrize(("records", "status"), [(SAME, "passed"), (WORSE, "failed")])
def test_where_there_is_a_baseline_a_regression_fails_unasked(records: list[Record], status: str) -> None:
    assert gates(decide(outcome(*records), BASELINE, OWN)) == [("max_regression", DEFAULT_MAX_REGRESSION, status)]


def test_a_tests_own_limit_holds_before_the_default() -> None:
    assert gates(decide(outcome(*WORSE, max_regression=0.25), BASELINE, OWN)) == [("max_regression", 0.25, "passed")]


def test_terms_hold_before_a_tests_own_limits() -> None:
    terms = Terms(lambda gate, own: of_scores({"max_regression": 0.5, "min_mean": 0.25}).get(gate, own))
    assert gates(decide(outcome(*WORSE, min_mean=1.0, max_example_drop=0.0), BASELINE, terms)) == [
        ("min_mean", 0.25, "passed"),
        ("max_regression", 0.5, "passed"),
        ("max_example_drop", 0.0, "inconclusive"),
    ]


def test_a_test_that_the_baseline_does_not_know_has_no_default_gate() -> None:
    other = {Key("u.py::test", "none"): BASELINE[Key(TEST, "none")]}
    decision = decide(outcome(*WORSE), other, OWN)
    assert (decision.comparisons, decision.gates) == ([], [])
    asked = decide(outcome(*WORSE, max_regression=0.1), other, OWN)
    assert gates(asked) == [("max_regression", 0.1, "inconclusive")]


def test_a_gate_that_needs_a_baseline_fails_without_one() -> None:
    assert gates(decide(outcome(*SAME, max_example_drop=0.5), None, OWN)) == [("max_example_drop", 0.5, "failed")]


@pytest.mark.parametrize("baseline", [None, BASELINE])
def test_where_the_baseline_is_written_it_gates_nothing(baseline: Baseline | None) -> None:
    found = outcome(*WORSE, min_mean=0.75, max_regression=0.0, max_example_drop=0.0)
    assert gates(decide(found, baseline, OWN, gated=False)) == [("min_mean", 0.75, "failed")]


def test_strict_fails_what_is_inconclusive() -> None:
    two = outcome(*WORSE[:2], not_run=("e2", "e3", "e4", "e5"))
    modes: dict[GateMode, str] = {"normal": "inconclusive", "established": "inconclusive", "strict": "failed"}
    assert {mode: decide(two, BASELINE, Terms(own, mode)).gates[0].status for mode in modes} == modes


def test_another_judge_is_compared_only_if_allowed() -> None:
    judged = outcome(*(record(f"e{n}", 0.75, judge="another") for n in range(6)))
    assert decide(judged, BASELINE, OWN).gates[0].status == "failed"
    assert decide(judged, BASELINE, Terms(own, allowed={"judge"})).gates[0].status == "passed"


@pytest.mark.parametrize("lost", [outcome(*SAME[:5], lost=("e5",)), outcome(*SAME[:5], record("e5", None))])
def test_an_example_that_lost_its_score_fails_the_comparison(lost: Outcome) -> None:
    [comparison] = decide(lost, BASELINE, OWN).comparisons or []
    assert (comparison.unscored, comparison.removed) == (("e5",), ())
    assert decide(lost, BASELINE, OWN).gates[0].status == "failed"


def test_what_is_known_of_the_dataset_tells_not_run_from_removed() -> None:
    [comparison] = decide(outcome(*SAME[:4], not_run=("e4",)), BASELINE, OWN).comparisons or []
    assert (comparison.not_run, comparison.removed) == (("e4",), ("e5",))


def test_methods_are_compared_with_the_first_one_of_the_run() -> None:
    records = [*(record(f"e{n}", 0.25, "simba") for n in range(6)), *SAME]
    decision = decide(outcome(*records), None, OWN)
    assert [(one.optimization, one.first, one.best) for one in decision.methods] == [
        ("simba", "simba", False),
        ("none", "simba", True),
    ]


def test_a_run_that_is_its_own_baseline_has_not_changed() -> None:
    found = outcome(*WORSE)
    [comparison] = decide(found, measure(found.records.values()), OWN).comparisons or []
    assert comparison.result is not None
    assert (comparison.result.difference, comparison.result.p_value) == (0, 1)
    assert comparison.added == comparison.removed == comparison.changed == comparison.differs == ()


def test_a_free_form_test_without_examples_is_compared_too() -> None:
    alone = Record("u.py::test", "u.py::test", None, "none", "passed", 0.5, samples=(0.5,))
    found = Outcome([Collected(alone.nodeid, alone.test, None, "none")], {alone.nodeid: alone}, {})
    [comparison] = decide(found, measure([alone]), OWN).comparisons or []
    assert [pair.example_id for pair in comparison.pairs] == [""]
    assert (comparison.added, comparison.removed) == ((), ())


def labelled(scores: dict[str, tuple[str, float]], **asked: Any) -> Outcome:
    """Examples with a topic each, whose marker asks for that."""
    requirements = Requirements(**asked)
    collected, records = [], {}
    for name, (topic, score) in scores.items():
        one = record(name, score)
        collected.append(Collected(one.nodeid, one.test, name, "none", requirements, labels={"topic": topic}))
        records[one.nodeid] = one
    return Outcome(collected, records, {})


TOPICS = {f"e{n}": ("refunds" if n < 6 else "delivery", 0.75) for n in range(10)}
BY_TOPIC = {"topic": {"max_regression": {"score": 0.05}, "max_example_drop": {"score": 0.1}}}


def test_a_slice_is_compared_with_the_same_examples_of_the_baseline_and_its_claims_are_of_the_family() -> None:
    before = measure(labelled(TOPICS).records.values())
    worse = {name: (topic, 0.5 if topic == "refunds" else score) for name, (topic, score) in TOPICS.items()}
    decision = decide(labelled(worse, slices=BY_TOPIC), before, OWN)
    assert [(one.metric, one.slice, len(one.pairs)) for one in decision.comparisons or []] == [
        ("score", None, 10),
        ("score", "topic=refunds", 6),
        ("score", "topic=delivery", 4),
    ]
    assert [(one.gate, one.slice, one.status, one.p, one.among) for one in decision.gates] == [
        ("max_regression", None, "failed", 1 / 64, 2),
        ("max_regression", "topic=refunds", "failed", 1 / 64, 2),
        ("max_example_drop", "topic=refunds", "inconclusive", 0.5, 2),
        ("max_regression", "topic=delivery", "passed", 1.0, 2),
        ("max_example_drop", "topic=delivery", "passed", None, None),
    ]


def test_an_example_of_two_slices_makes_one_claim() -> None:
    samples = dict.fromkeys(TOPICS, (1.0,) * 5)
    before = {Key(TEST, "none"): Measurements({name: Measurement(one) for name, one in samples.items()})}
    found = labelled(TOPICS, gates=BY_TOPIC["topic"], slices=BY_TOPIC)
    broken = {
        nodeid: dataclasses.replace(one, samples=(0.0,) * 5 if one.example_id == "e0" else (1.0,) * 5)
        for nodeid, one in found.records.items()
    }
    gates = decide(dataclasses.replace(found, records=broken), before, OWN).gates
    drops = [one for one in gates if one.gate == "max_example_drop" and one.slice != "topic=delivery"]
    assert [(one.slice, one.status, one.p, one.among) for one in drops] == [
        (None, "failed", 1 / 252, 1),
        ("topic=refunds", "failed", 1 / 252, 1),
    ]


def test_where_the_baseline_is_written_slices_are_held_to_their_means_alone() -> None:
    asked = {"topic": {"min_mean": {"score": 0.8}, **BY_TOPIC["topic"]}}
    assert [(one.gate, one.slice) for one in decide(labelled(TOPICS, slices=asked), None, OWN, gated=False).gates] == [
        ("min_mean", "topic=refunds"),
        ("min_mean", "topic=delivery"),
    ]
