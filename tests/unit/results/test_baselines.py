"""Baselines: what is kept of a run, and how it is updated."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.strategies import baselines, records

from pytest_pitcheval.names import COMPARED_ROLES, ROLES
from pytest_pitcheval.results.baselines import (
    Measurement,
    Measurements,
    differing,
    measure,
    update,
)
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.results.records import Record

few = settings(max_examples=25, deadline=None, database=None)

KEY = Key("t.py::test", "none")
OTHER = Key("t.py::test", "bootstrap")
RECORD = Record("t.py::test[e0]", *KEY[:1], "e0", KEY[1], "passed", score=0.5, samples=(0.25, 0.75))


def group(**examples: float) -> Measurements:
    return Measurements({name: Measurement((score,), f"row {name}") for name, score in examples.items()})


def with_fingerprints(measured: Measurements, **fingerprints: str) -> Measurements:
    return dataclasses.replace(measured, fingerprints=fingerprints)


class TestMeasure:
    def test_samples_and_what_they_were_measured_with(self) -> None:
        marks = {role: f"of {role}" for role in ROLES}
        second = dataclasses.replace(RECORD, nodeid="t.py::test[e1]", example_id="e1", fingerprints=marks)
        assert measure([dataclasses.replace(RECORD, fingerprints=marks), second]) == {
            KEY: Measurements(
                {name: Measurement((0.25, 0.75), "of example") for name in ("e0", "e1")},
                {role: f"of {role}" for role in ROLES if role != "example"},
            )
        }

    def test_a_test_without_examples_has_an_empty_id(self) -> None:
        assert list(measure([dataclasses.replace(RECORD, example_id=None)])[KEY].examples) == [""]

    def test_what_has_no_score_is_left_out(self) -> None:
        unscored = dataclasses.replace(RECORD, nodeid="t.py::test[e1]", example_id="e1", score=None, samples=())
        assert list(measure([unscored, RECORD])[KEY].examples) == ["e0"]
        assert measure([unscored]) == {}

    def test_two_programs_in_one_run_are_another_one(self) -> None:
        def marked(program: str) -> Record:
            return dataclasses.replace(RECORD, example_id=program, fingerprints={"program": program})

        found = [measure(map(marked, names))[KEY].fingerprints for names in ("ab", "ba", "a")]
        assert found[0] == found[1] == {"program": "a and b"}
        assert found[2] == {"program": "a"}

    @few
    @given(st.lists(records, max_size=4), st.randoms())
    def test_the_order_of_records_makes_no_difference(self, tests: list[Record], order: random.Random) -> None:
        tests = list({(one.test, one.optimization, one.example_id or ""): one for one in tests}.values())
        shuffled = order.sample(tests, len(tests))
        assert measure(shuffled) == measure(tests)

    def test_a_score_is_the_mean_of_its_samples_rounded_once(self) -> None:
        assert Measurement((0.1,) * 11).score == 0.1
        assert Measurements({str(n): Measurement((0.03,)) for n in range(11)}).mean == 0.03
        assert Measurements({}).mean < 0


def nothing_gone(key: Key, name: str) -> bool:
    return False


class TestUpdate:
    def test_what_was_not_run_stays(self) -> None:
        old = {KEY: group(e0=0.5, e1=0.5), OTHER: group(e0=0.25), Key("u.py::test", "none"): group(e0=1.0)}
        new = {KEY: group(e1=0.75)}
        assert update(old, new, nothing_gone) == {**old, KEY: group(e0=0.5, e1=0.75)}

    def test_what_is_gone_from_its_dataset_leaves_its_own_group_alone(self) -> None:
        old = {KEY: group(e0=0.5, e1=0.5, e2=0.5), OTHER: group(e0=0.5, e1=0.5)}
        new = {KEY: group(e0=1.0)}
        assert update(old, new, lambda key, name: name == "e1") == {**old, KEY: group(e0=1.0, e2=0.5)}

    def test_what_was_measured_is_never_gone(self) -> None:
        assert update({}, {KEY: group(e0=1.0)}, lambda key, name: True) == {KEY: group(e0=1.0)}

    @pytest.mark.parametrize(
        ("role", "kept"),
        [("metric", ["e1"]), ("judge", ["e1"]), ("program", ["e0", "e1"]), ("generator", ["e0", "e1"])],
    )
    def test_one_group_has_one_judge_and_one_metric(self, role: str, kept: list[str]) -> None:
        old = {KEY: with_fingerprints(group(e0=0.5, e1=0.5), **{role: "old"})}
        new = {KEY: with_fingerprints(group(e1=0.75), **{role: "new"})}
        updated = update(old, new, nothing_gone)
        assert list(updated[KEY].examples) == kept
        assert updated[KEY].fingerprints == {role: "new"}

    def test_a_run_that_asked_no_judge_does_not_make_the_kept_scores_anybodys(self) -> None:
        """Else the next one with another judge would be compared with them."""
        old = {KEY: with_fingerprints(group(e0=0.5, e1=0.5), metric="m", judge="old")}
        first = update(old, {KEY: with_fingerprints(group(e1=0.0), metric="m")}, nothing_gone)
        assert differing(first[KEY], with_fingerprints(group(e0=0.5), judge="new"), COMPARED_ROLES) == ("judge",)
        all_new = update(old, {KEY: with_fingerprints(group(e0=0.0, e1=0.0), metric="m")}, nothing_gone)
        assert all_new[KEY].fingerprints == {"metric": "m"}

    @few
    @given(baselines)
    def test_with_itself_or_with_nothing_changes_nothing(self, baseline: Mapping[Key, Measurements]) -> None:
        assert update(baseline, baseline, nothing_gone) == baseline
        assert update(baseline, {}, nothing_gone) == baseline

    @few
    @given(baselines, baselines, st.randoms())
    def test_only_what_was_run_changes(
        self, old: Mapping[Key, Measurements], new: Mapping[Key, Measurements], order: random.Random
    ) -> None:
        gone = {(key, name) for key, one in old.items() for name in one.examples if order.random() < 0.3}
        updated = update(old, new, lambda key, name: (key, name) in gone)
        assert set(updated) == {*old, *new}
        for key, measured in updated.items():
            if key not in new:
                assert measured == old[key]
                continue
            assert {name: measured.examples[name] for name in new[key].examples} == new[key].examples
            for name in set(measured.examples) - set(new[key].examples):
                assert measured.examples[name] == old[key].examples[name]
                assert (key, name) not in gone
                assert not differing(old[key], new[key], COMPARED_ROLES)


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ({}, {}, ()),
        ({"metric": "a"}, {"metric": "a"}, ()),
        ({"metric": "a"}, {}, ()),
        ({}, {"metric": "a"}, ()),
        ({"metric": "a"}, {"metric": "b"}, ("metric",)),
        ({"metric": "a", "judge": "a"}, {"metric": "b", "judge": "b"}, ("metric", "judge")),
        ({"program": "a"}, {"program": "b"}, ()),
    ],
)
def test_only_what_is_known_of_both_can_differ(
    old: dict[str, str], new: dict[str, str], found: tuple[str, ...]
) -> None:
    measured = with_fingerprints(group(e0=0.5), **old), with_fingerprints(group(e0=0.5), **new)
    assert differing(*measured, COMPARED_ROLES) == found
