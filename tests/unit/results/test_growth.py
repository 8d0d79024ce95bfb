"""Baselines over time: what a run adds to one, what it replaces, and how old it is."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.strategies import baselines

from pytest_pitcheval.names import ROLES
from pytest_pitcheval.results.baselines import Baseline, Measurement, Measurements
from pytest_pitcheval.results.growth import Growth, add, age_of
from pytest_pitcheval.results.keys import Key

few = settings(max_examples=40, deadline=None, database=None)

KEY = Key("t.py::test", "none")
DAYS = ["20261001", "20261020", "20261126", "20261127"]
FIRST, SECOND, THIRD, LAST = [f"{day}T010203.000001Z" for day in DAYS]


def nothing_gone(key: Key, name: str) -> bool:
    return False


def run(time: str, row: str = "row", examples: Mapping[str, Sequence[float]] | None = None, **marks: str) -> Baseline:
    """What one run measured: samples by example, with these fingerprints."""
    found = {"a": [0.5], "b": [1.0]} if examples is None else examples
    measured = {name: Measurement(tuple(one), row, runs=(time,) * len(one)) for name, one in found.items()}
    return {KEY: Measurements(measured, {"program": "p", "metric": "m", "generator": "g", "judge": "j", **marks})}


def grown(*runs: Baseline, most: int = 10) -> Measurements:
    """A baseline to which the runs were added one after the other."""
    start: Baseline = {}
    return functools.reduce(lambda old, new: add(old, new, nothing_gone, most)[0], runs, start)[KEY]


def samples(group: Measurements) -> dict[str, tuple[float, ...]]:
    return {name: one.samples for name, one in group.examples.items()}


def test_samples_stand_beside_each_other_the_newest_last() -> None:
    group = grown(run(FIRST, examples={"a": [0.1, 0.2]}), run(SECOND, examples={"a": [0.3]}))
    assert group.examples["a"] == Measurement((0.1, 0.2, 0.3), "row", runs=(FIRST, FIRST, SECOND))


def test_the_newest_ones_are_kept() -> None:
    times = [FIRST, SECOND, THIRD]
    group = grown(*(run(time, examples={"a": [n / 10] * 2}) for n, time in enumerate(times)), most=3)
    assert group.examples["a"].samples == (0.1, 0.2, 0.2)
    assert grown(run(FIRST, examples={"a": [0.1, 0.2, 0.3]}), most=2).examples["a"].samples == (0.2, 0.3)


def test_the_oldest_run_falls_out_in_whatever_order_runs_are_added() -> None:
    runs = [run(time, examples={"a": [n / 10]}) for n, time in enumerate([FIRST, SECOND, THIRD])]
    assert grown(*runs, most=2) == grown(*reversed(runs), most=2)
    assert grown(*runs, runs[0], most=2) == grown(*runs, most=2)


@few
@given(baselines, st.integers(1, 5))
def test_the_same_run_twice_counts_once(baseline: Baseline, most: int) -> None:
    once, _ = add({}, baseline, nothing_gone, most)
    known = {key: group for key, group in once.items() if "" not in group.runs}
    twice, growth = add(known, known, nothing_gone, most)
    assert twice == known
    assert growth.added == 0


@few
@given(st.permutations([FIRST, SECOND, THIRD, LAST]), st.sets(st.sampled_from("abc")), st.integers(1, 5))
def test_sessions_at_once_lose_nothing(order: list[str], part: set[str], most: int) -> None:
    """Whichever of them is the first to get the lock."""
    scores = {time: {name: [number / 10] for name in "abc"} for number, time in enumerate(DAYS)}
    runs = {time: run(time, examples=scores[time[:8]]) for time in order}
    runs[SECOND] = run(SECOND, examples={name: [0.1] for name in part})
    assert grown(*(runs[time] for time in order), most=most) == grown(
        *(runs[time] for time in sorted(order)), most=most
    )


def test_a_run_that_was_resumed_has_the_samples_that_were_missing() -> None:
    killed, whole = run(FIRST, examples={"a": [0.5]}), run(FIRST, examples={"a": [0.5, 0.75], "b": [1.0]})
    assert grown(killed, whole) == grown(whole)
    assert grown(whole, killed) == grown(whole)


def test_what_a_run_took_when_it_was_made_is_not_what_it_takes_from_the_cache() -> None:
    took = Measurement((0.5,), metrics={"tokens": (275.0,)}, runs=(FIRST,))
    replayed = Measurement((0.5,), metrics={"tokens": (0.0,), "cost": (0.0,)}, runs=(FIRST,))
    first, again = {KEY: Measurements({"a": took})}, {KEY: Measurements({"a": replayed})}
    assert add(first, again, nothing_gone, 10) == (first, Growth(0, 1, {}))


@pytest.mark.parametrize("role", [role for role in ROLES if role != "example"])
def test_what_was_measured_with_something_else_is_replaced(role: str) -> None:
    first, second = run(FIRST), run(SECOND, examples={"a": [0.25]}, **{role: "new"})
    updated, growth = add(first, second, nothing_gone, 10)
    kept = {"b": (1.0,)} if role in ("program", "generator") else {}
    assert samples(updated[KEY]) == {"a": (0.25,), **kept}
    assert growth == Growth(0, 0, {(role,): 1})


def test_an_example_with_another_row_is_replaced_alone() -> None:
    second = run(SECOND)[KEY]
    changed = {**second.examples, "a": Measurement((0.0,), "new row", runs=(SECOND,))}
    updated, growth = add(run(FIRST), {KEY: Measurements(changed, second.fingerprints)}, nothing_gone, 10)
    assert samples(updated[KEY]) == {"a": (0.0,), "b": (1.0, 1.0)}
    assert growth == Growth(1, 0, {("example",): 1})


def test_what_stays_of_an_earlier_program_is_not_mixed_with_a_later_one() -> None:
    """A part of the tests is run with a new program, then all of them are."""
    part, whole = run(SECOND, examples={"a": [0.0]}, program="q"), run(THIRD, program="q")
    group = grown(run(FIRST), part)
    assert group.earlier == {FIRST: {"program": "p"}}
    updated, growth = add({KEY: group}, whole, nothing_gone, 10)
    assert samples(updated[KEY]) == {"a": (0.0, 0.5), "b": (1.0,)}
    assert growth == Growth(1, 0, {("program",): 1})
    assert updated[KEY].earlier == {}


def test_a_run_that_does_not_tell_its_judge_does_not_make_the_samples_anybodys() -> None:
    silent = {KEY: Measurements(run(SECOND)[KEY].examples, {"program": "p", "metric": "m"})}
    group = grown(run(FIRST), silent)
    assert group.fingerprints["judge"] == "j"
    assert samples(grown(run(FIRST), silent, run(THIRD, judge="new"))) == samples(grown(run(THIRD)))


def test_samples_of_unknown_runs_are_the_oldest() -> None:
    old = {KEY: Measurements({"a": Measurement((0.1, 0.2))})}
    group = grown(old, run(FIRST, examples={"a": [0.3]}))
    assert group.examples["a"] == Measurement((0.1, 0.2, 0.3), "row", runs=("", "", FIRST))
    assert grown(old, run(FIRST, examples={"a": [0.3]}), most=1).examples["a"].runs == (FIRST,)


def test_metrics_stay_in_step_with_samples() -> None:
    first = {KEY: Measurements({"a": Measurement((0.1,), metrics={"words": (9.0,)}, runs=(FIRST,))})}
    second = {KEY: Measurements({"a": Measurement((0.2,), metrics={"cost": (0.5,)}, runs=(SECOND,))})}
    one = grown(second, first).examples["a"]
    assert (one.samples, dict(one.metrics)) == ((0.1, 0.2), {"words": (9.0, None), "cost": (None, 0.5)})
    assert one.of("cost") == Measurement((0.5,), runs=(SECOND,))
    assert one.of("style") is None


def test_what_is_gone_from_its_dataset_leaves() -> None:
    updated, _ = add(run(FIRST), run(SECOND, examples={"a": [0.0]}), lambda key, name: name == "b", 10)
    assert samples(updated[KEY]) == {"a": (0.5, 0.0)}


class TestAge:
    def test_it_counts_from_the_newest_sample_of_each_example(self) -> None:
        before, after = grown(run(FIRST), run(SECOND, examples={"a": [0.5]})), run(THIRD)[KEY]
        age = age_of(before, after, ["a", "b"], max_age=40)
        assert age is not None
        assert (age.oldest, age.newest, age.days) == ("2026-10-01", "2026-10-20", 56)
        assert age.note == (
            "old baseline: 1 of 2 examples was last measured more than 40 days before, on 2026-10-01 at the earliest"
        )

    @pytest.mark.parametrize(("max_age", "is_old"), [(55, True), (56, False), (55.9, True), (0, True)])
    def test_it_is_old_beyond_the_limit(self, max_age: float, is_old: bool) -> None:
        age = age_of(run(FIRST)[KEY], run(THIRD)[KEY], ["a", "b"], max_age)
        assert age is not None
        assert bool(age.note) == is_old

    def test_what_is_not_known_is_not_old(self) -> None:
        unknown = Measurements({"a": Measurement((0.5,))})
        assert age_of(unknown, run(THIRD)[KEY], ["a"], 0) is None
        assert age_of(run(FIRST)[KEY], unknown, ["a"], 0) is None
        assert age_of(unknown, unknown, [], 0) is None

    def test_a_baseline_that_is_newer_than_the_run_has_no_age(self) -> None:
        age = age_of(run(THIRD)[KEY], run(FIRST)[KEY], ["a"], 0)
        assert age is not None
        assert (age.days, age.note) == (0, "")
