"""Baselines: what is kept of a run, the text of the file, and how it is updated."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.strategies import ODD_JSON, baselines, damaged, places, records

from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.names import COMPARED_ROLES, ROLES
from pytest_pitcheval.results.baselines import (
    Measurement,
    Measurements,
    differing,
    from_document,
    measure,
    to_text,
    update,
)
from pytest_pitcheval.results.records import Key, Record

few = settings(max_examples=25, deadline=None, database=None)
fuzz = settings(max_examples=150, deadline=None, database=None)

KEY = ("t.py::test", "none")
OTHER = ("t.py::test", "bootstrap")
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
        assert to_text(measure(shuffled)) == to_text(measure(tests))

    def test_a_score_is_the_mean_of_its_samples_rounded_once(self) -> None:
        assert Measurement((0.1,) * 11).score == 0.1
        assert Measurements({str(n): Measurement((0.03,)) for n in range(11)}).mean == 0.03
        assert Measurements({}).mean < 0


class TestFile:
    @few
    @given(baselines)
    def test_is_read_as_it_was_written(self, baseline: Mapping[Key, Measurements]) -> None:
        assert from_document(json.loads(to_text(baseline)), "b.json") == baseline

    @few
    @given(baselines)
    def test_its_keys_are_sorted_at_every_level(self, baseline: Mapping[Key, Measurements]) -> None:
        def check(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
            assert [key for key, _ in pairs] == sorted(key for key, _ in pairs)
            return dict(pairs)

        json.loads(to_text(baseline), object_pairs_hook=check)

    @few
    @given(baselines)
    def test_an_example_is_a_line(self, baseline: Mapping[Key, Measurements]) -> None:
        lines = [line for line in to_text(baseline).split("\n") if line.startswith(" " * 5 + '"')]
        assert len(lines) == sum(len(measured.examples) for measured in baseline.values())
        assert all(len(json.loads("{" + line.rstrip(",") + "}")) == 1 for line in lines)

    @few
    @given(baselines, st.randoms())
    def test_the_order_of_insertion_makes_no_difference(
        self, baseline: Mapping[Key, Measurements], order: random.Random
    ) -> None:
        def shuffled(items: Mapping[Any, Any]) -> dict[Any, Any]:
            return dict(order.sample(list(items.items()), len(items)))

        other = {
            key: Measurements(shuffled(one.examples), shuffled(one.fingerprints))
            for key, one in shuffled(baseline).items()
        }
        assert to_text(other) == to_text(baseline)

    def test_a_change_of_one_example_is_a_change_of_one_line(self) -> None:
        before = to_text({KEY: group(e0=0.5, e1=0.5, e2=0.5), OTHER: group(e0=0.5)}).split("\n")
        after = to_text({KEY: group(e0=0.5, e1=0.25, e2=0.5), OTHER: group(e0=0.5)}).split("\n")
        assert len(before) == len(after)
        [(old, new)] = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
        assert old.replace("0.5", "0.25") == new

    def test_how_it_looks(self) -> None:
        text = to_text({KEY: with_fingerprints(group(café=0.5, a=1.0), metric="m", judge="j")})
        assert text.splitlines() == [
            "{",
            ' "schema_version": 2,',
            ' "tests": {',
            '  "t.py::test": {',
            '   "none": {',
            '    "examples": {',
            '     "a": {"fingerprint": "row a", "samples": [1.0]},',
            '     "caf\u00e9": {"fingerprint": "row caf\u00e9", "samples": [0.5]}',
            "    },",
            '    "fingerprints": {"judge": "j", "metric": "m"}',
            "   }",
            "  }",
            " }",
            "}",
        ]
        assert text.endswith("}\n")

    def test_further_numbers_stand_beside_the_samples(self) -> None:
        one = Measurement((0.5, 1.0), "row", {"words": (3.0, None), "cost": (0.25, 0.5)})
        text = to_text({KEY: Measurements({"a": one})})
        metrics = '"metrics": {"cost": [0.25, 0.5], "words": [3.0, null]}'
        assert f'"a": {{"fingerprint": "row", {metrics}, "samples": [0.5, 1.0]}}' in text
        assert from_document(json.loads(text), "b.json") == {KEY: Measurements({"a": one})}
        assert (one.values(), one.values("words"), one.values("style")) == ((0.5, 1.0), (3.0,), ())

    def test_the_first_version_is_read(self) -> None:
        old = {"schema_version": 1, "tests": {KEY[0]: {KEY[1]: {"examples": {"a": {"samples": [0.5]}}}}}}
        assert from_document(old, "b.json") == {KEY: Measurements({"a": Measurement((0.5,))})}

    def test_of_nothing(self) -> None:
        assert from_document(json.loads(to_text({})), "b.json") == {}


WRITTEN = json.loads(to_text({KEY: with_fingerprints(group(e0=0.5, e1=1.0), metric="m"), OTHER: group(e0=0.25)}))


def complaint_of(text: str) -> str | None:
    from pytest_pitcheval import files

    try:
        found = from_document(files.parse_json(text, "b.json"), "b.json")
    except PitchevalError as error:
        return str(error)
    assert from_document(json.loads(to_text(found)), "again") == found
    return None


@fuzz
@given(damaged(WRITTEN))
def test_a_damaged_file_is_read_or_told_of_in_one_line(text: str) -> None:
    complaint = complaint_of(text)
    assert complaint is None or complaint.startswith("b.json")
    assert complaint is None or len(complaint.splitlines()) == 1


@pytest.mark.parametrize("raw", ODD_JSON, ids=lambda raw: raw[:9])
def test_what_python_would_not_write_is_read_or_told_of_wherever_it_is(raw: str) -> None:
    for number in range(len(list(places(WRITTEN)))):
        changed = json.loads(json.dumps(WRITTEN))
        place, key = list(places(changed))[number]
        place[key] = "here"
        complaint = complaint_of(json.dumps(changed).replace('"here"', raw))
        assert complaint is None or len(complaint.splitlines()) == 1


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        (None, "b.json: schema_version None; expected 1 or 2"),
        (
            {"schema_version": 3, "tests": {}},
            "b.json: schema_version 3; expected 1 or 2; a newer pytest-pitcheval wrote it",
        ),
        ({"schema_version": [1], "tests": {}}, "b.json: schema_version a list; expected 1 or 2"),
        ({"schema_version": 1}, "b.json: tests: Input should be an object"),
        ({"schema_version": 1, "tests": {"t": {"none": {}}}}, "b.json: tests.t.none.examples: Field required"),
        (
            {"schema_version": 1, "tests": {"t": {"none": {"examples": {"e": {"samples": []}}}}}},
            "b.json: t [none]: an example has no samples",
        ),
        (
            {"schema_version": 1, "tests": {"t\n[a]": {"none": {"examples": {"e": {"samples": []}}}}}},
            "b.json: t [a] [none]: an example has no samples",
        ),
        (
            {"schema_version": 1, "tests": {"t": {"none": {"examples": {"e": {"samples": ["1"]}}}}}},
            "b.json: tests.t.none.examples.e.samples.0: Input should be a valid number",
        ),
        (
            {"schema_version": 1, "tests": {"t": {"none": {"examples": {"e": {"samples": [10**400]}}}}}},
            "b.json: tests.t.none.examples.e.samples.0: Input should be a finite number",
        ),
    ],
)
def test_what_is_none(document: Any, complaint: str) -> None:
    with pytest.raises(PitchevalError) as raised:
        from_document(document, "b.json")
    assert str(raised.value) == complaint


def nothing_gone(key: Key, name: str) -> bool:
    return False


class TestUpdate:
    def test_what_was_not_run_stays(self) -> None:
        old = {KEY: group(e0=0.5, e1=0.5), OTHER: group(e0=0.25), ("u.py::test", "none"): group(e0=1.0)}
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
