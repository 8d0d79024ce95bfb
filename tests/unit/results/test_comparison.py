"""Two measurements of the same tests, compared example by example."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_pitcheval.names import BUDGET, DECIDED, UNCHANGED
from pytest_pitcheval.results.baselines import Measurement, Measurements
from pytest_pitcheval.results.comparison import Comparison, Coverage, Pair, absent_tests, compare, compare_all, whole
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.results.subjects import Subject

few = settings(max_examples=50, deadline=None, database=None)

TEST, KEY = "t.py::test", Key("t.py::test", "none")


def measured(scores: Mapping[str, float], rows: Mapping[str, str] | None = None, **fingerprints: str) -> Measurements:
    known = rows or {}
    return Measurements({name: Measurement((score,), known.get(name)) for name, score in scores.items()}, fingerprints)


def compared(
    before: Measurements, after: Measurements, covered: Coverage | None = None, allowed: tuple[str, ...] = ()
) -> Comparison:
    return compare(Subject(KEY), "none", before, after, covered or Coverage(dict(after.examples)), allowed)


def test_means_are_of_the_examples_that_both_have() -> None:
    found = compared(measured({"a": 0.5, "b": 1.0, "gone": 0.0}), measured({"new": 0.0, "b": 0.5, "a": 0.5}))
    assert (found.mean_before, found.mean_after) == (0.75, 0.5)
    assert found.result is not None
    assert (found.result.difference, found.result.examples) == (-0.25, 2)
    assert found.pairs == (Pair("a", (0.5,), (0.5,)), Pair("b", (1.0,), (0.5,)))
    assert (found.added, found.removed) == (("new",), ("gone",))


def test_what_was_not_run_is_not_gone() -> None:
    found = compared(measured({"a": 0.5, "b": 0.5, "c": 0.5}), measured({"a": 0.5}), Coverage({"a"}, {"b"}))
    assert (found.not_run, found.removed) == (("b",), ("c",))


def test_what_has_no_score_now_is_named() -> None:
    found = compared(measured({"a": 0.5, "b": 0.5}), measured({"a": 0.5}), Coverage({"a", "b", "c"}))
    assert (found.unscored, found.added) == (("b",), ("c",))


def test_a_part_of_the_examples_that_the_budget_has_chosen_is_not_compared() -> None:
    before, after = measured({"a": 0.9, "b": 0.9, "c": 0.9}), measured({"a": 0.1, "b": 0.1})
    found = compared(before, after, Coverage("abc", left_out={"c": BUDGET}))
    assert (found.refused, found.pairs, found.result) == (
        "not compared: 1 of 3 examples were left out, as the budget was reached",
        (),
        None,
    )
    assert (found.left_out, found.unscored) == (("c",), ())
    for covered in (
        Coverage("abc", left_out={"c": DECIDED}),
        Coverage("abc", left_out={"c": UNCHANGED}),
        Coverage("ab", left_out={"c": BUDGET}),  # of another slice
    ):
        assert compared(before, after, covered).refused is None


def test_another_row_is_another_example_unless_that_is_allowed() -> None:
    before = measured({"a": 0.5, "b": 0.5, "c": 0.5}, {"a": "1", "b": "1"})
    after = measured({"a": 1.0, "b": 1.0, "c": 1.0}, {"a": "2", "b": "1", "c": "1"})
    found, allowed = compared(before, after), compared(before, after, allowed=("example",))
    assert found.changed == allowed.changed == ("a",)
    assert [pair.example_id for pair in found.pairs] == ["b", "c"]
    assert [pair.example_id for pair in allowed.pairs] == ["a", "b", "c"]


names = st.sampled_from("abcdefgh")
scores = st.dictionaries(names, st.floats(0, 1))
rows = st.dictionaries(names, st.sampled_from(["1", "2"]))


@few
@given(scores, rows, scores, rows, st.sets(names), st.sets(names), st.booleans())
def test_every_example_is_accounted_for_once(
    old: dict[str, float],
    old_rows: dict[str, str],
    new: dict[str, float],
    new_rows: dict[str, str],
    failed: set[str],
    skipped: set[str],
    allowed: bool,
) -> None:
    collected = {*new, *failed}
    covered = Coverage(collected, skipped - collected)
    found = compared(measured(old, old_rows), measured(new, new_rows), covered, ("example",) if allowed else ())
    shared = [pair.example_id for pair in found.pairs]
    changed = () if allowed else found.changed
    parts = [*shared, *changed, *found.unscored, *found.not_run, *found.removed]
    assert sorted(parts) == sorted(old)
    assert sorted(found.added) == sorted(collected - set(old))
    assert set(shared) <= set(old) & set(new)
    assert (found.result is None) == (not shared)


class TestAnother:
    @pytest.mark.parametrize("role", ["metric", "judge"])
    def test_judge_or_metric_refuses_unless_allowed(self, role: str) -> None:
        before, after = measured({"a": 0.5}, None, **{role: "old"}), measured({"a": 0.5}, None, **{role: "new"})
        found = compared(before, after)
        assert (found.pairs, found.result, found.differs) == ((), None, (role,))
        assert (
            found.refused
            == f"not compared: {role} 'new', not 'old' (--eval-baseline-allow={role} compares all the same)"
        )
        allowed = compared(before, after, allowed=(role,))
        assert (allowed.refused, len(allowed.pairs), allowed.differs) == (None, 1, (role,))

    def test_both_at_once_are_named_together(self) -> None:
        before, after = measured({"a": 0.5}, metric="m", judge="j"), measured({"a": 0.5}, metric="n", judge="k")
        found = compared(before, after, allowed=("judge",))
        assert found.refused is not None
        assert "judge" not in found.refused
        refused = compared(before, after).refused
        assert refused == (
            "not compared: metric 'n', not 'm', judge 'k', not 'j' "
            "(--eval-baseline-allow=metric,judge compares all the same)"
        )

    @pytest.mark.parametrize("role", ["program", "generator"])
    def test_program_or_generator_is_what_is_compared(self, role: str) -> None:
        found = compared(measured({"a": 0.5}, None, **{role: "old"}), measured({"a": 0.5}, None, **{role: "new"}))
        assert (found.refused, len(found.pairs), found.differs) == (None, 1, (role,))

    def test_one_that_is_not_known_of_both_is_no_reason(self) -> None:
        assert compared(measured({"a": 0.5}), measured({"a": 0.5}, metric="new")).refused is None


BASELINE = {
    Key(TEST, "bootstrap"): measured({"a": 0.5, "b": 0.75}),
    Key(TEST, "none"): measured({"a": 0.25, "b": 0.25}),
    Key("u.py::test", "none"): measured({"": 1.0}),
}


class TestCounterpart:
    """Which method of the baseline a method of this run is compared with."""

    def against(self, *methods: str, test: str = TEST) -> dict[str, str]:
        current = {Key(test, method): measured({"a": 0.5}) for method in methods}
        coverage = {key: Coverage({"a"}) for key in current}
        return {one.optimization: one.against for one in compare_all(BASELINE, current, whole(coverage)).values()}

    @pytest.mark.parametrize(
        ("methods", "against"),
        [
            (["none"], {"none": "none"}),
            (["bootstrap", "none"], {"bootstrap": "bootstrap", "none": "none"}),
            (["simba"], {"simba": "bootstrap"}),
            (["simba", "copro"], {"simba": "bootstrap", "copro": "bootstrap"}),
            (["none", "simba"], {"none": "none"}),
        ],
    )
    def test_its_own_else_the_best_one_if_none_of_them_runs(self, methods: list[str], against: dict[str, str]) -> None:
        assert self.against(*methods) == against

    def test_a_test_that_the_baseline_does_not_know(self) -> None:
        assert self.against("none", test="new.py::test") == {}

    def test_a_method_without_any_score_is_compared_too(self) -> None:
        [found] = compare_all(BASELINE, {}, {Subject(KEY): Coverage({"a", "b"})}).values()
        assert (found.unscored, found.result) == (("a", "b"), None)

    def test_the_tests_that_the_run_has_nothing_of(self) -> None:
        assert absent_tests(BASELINE, {KEY: Coverage({"a"}), Key("new.py::test", "none"): Coverage({"a"})}) == [
            "u.py::test"
        ]
        assert absent_tests(BASELINE, {key: Coverage(()) for key in BASELINE}) == []
        assert absent_tests({}, {KEY: Coverage({"a"})}) == []

    def test_in_the_order_of_the_run(self) -> None:
        keys = [Key("u.py::test", "none"), Key(TEST, "none"), Key(TEST, "bootstrap")]
        found = compare_all(BASELINE, {}, {Subject(key): Coverage({"a"}) for key in keys}).values()
        assert [one.key for one in found] == keys


@pytest.mark.parametrize(
    ("before", "after", "drop"),
    [
        ((0.5,), (0.5,), 0.0),
        ((0.9, 0.8), (0.5, 0.6), 0.3),
        ((0.9, 0.5), (0.5, 0.4), 0.25),
        ((0.5,), (0.75, 1.0), -0.375),
        ((0.4,), (0.3,), 0.1),
    ],
)
def test_an_example_drops_by_what_its_mean_lost(
    before: tuple[float, ...], after: tuple[float, ...], drop: float
) -> None:
    pair = Pair("a", before, after)
    assert pair.drop == drop
    comparison = Comparison(TEST, "none", "none", pairs=(pair,))
    assert comparison.fallen(drop) == []
    assert comparison.fallen(drop - 0.01) == [pair]


def test_rollouts_and_what_they_could_show() -> None:
    before = Measurements({str(n): Measurement((0.5, 0.75)) for n in range(6)})
    after = Measurements({str(n): Measurement((0.25 + n / 10, 0.5, 0.75)) for n in range(6)})
    found = compared(before, after)
    assert found.rollouts == 3
    assert found.result is not None
    assert found.result.smallest_drop is not None


def test_becomes_json() -> None:
    found = compared(measured({"a": 0.5, "b": 0.5}), measured({"a": 0.25, "c": 0.5}))
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert (data["added"], data["removed"], data["result"]["difference"]) == (["c"], ["b"], -0.25)
    assert json.loads(json.dumps(compared(measured({}), measured({})).to_dict()))["result"] is None
