"""The text of a baseline file: how it looks, and that no damaged one passes for a good one."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.strategies import ODD_JSON, baselines, damaged, places

from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.results.baselines import Measurement, Measurements
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.storage.baseline_documents import from_document, to_text

few = settings(max_examples=25, deadline=None, database=None)
fuzz = settings(max_examples=150, deadline=None, database=None)

KEY = Key("t.py::test", "none")
OTHER = Key("t.py::test", "bootstrap")
FIRST, SECOND, THIRD = "20261120T010203.000001Z", "20261126T010203.000001Z", "20261126T040506.000001Z"


def group(**examples: float) -> Measurements:
    return Measurements({name: Measurement((score,), f"row {name}") for name, score in examples.items()})


def with_fingerprints(measured: Measurements, **fingerprints: str) -> Measurements:
    return dataclasses.replace(measured, fingerprints=fingerprints)


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
        lines = [line for line in to_text(baseline).split("\n") if "samples" in line and line.startswith(" " * 5 + '"')]
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
            key: Measurements(shuffled(one.examples), shuffled(one.fingerprints), shuffled(one.earlier))
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
            ' "schema_version": 3,',
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
        metrics = '"metrics": {"cost": [0.25, 0.5], "words": [3, null]}'
        assert f'"a": {{"fingerprint": "row", {metrics}, "samples": [0.5, 1.0]}}' in text
        assert from_document(json.loads(text), "b.json") == {KEY: Measurements({"a": one})}
        assert (one.values(), one.values("words"), one.values("style")) == ((0.5, 1.0), (3.0,), ())

    def test_the_first_version_is_read(self) -> None:
        old = {"schema_version": 1, "tests": {KEY[0]: {KEY[1]: {"examples": {"a": {"samples": [0.5]}}}}}}
        assert from_document(old, "b.json") == {KEY: Measurements({"a": Measurement((0.5,))})}

    def test_samples_of_several_runs_have_dates(self) -> None:
        grown = Measurements(
            {"a": Measurement((0.5, 1.0, 0.0), runs=(FIRST, SECOND, THIRD)), "b": Measurement((0.25,), runs=("",))},
            {"program": "new"},
            {FIRST: {"program": "old"}},
        )
        lines = to_text({KEY: grown}).splitlines()
        assert lines[6:-3] == [
            '     "a": {"dates": ["2026-11-20", "2026-11-26", "2026-11-26.2"], "samples": [0.5, 1.0, 0.0]},',
            '     "b": {"dates": ["unknown"], "samples": [0.25]}',
            "    },",
            '    "fingerprints": {"program": "new"},',
            '    "runs": {',
            f'     "2026-11-20": {{"fingerprints": {{"program": "old"}}, "time": "{FIRST}"}},',
            f'     "2026-11-26": {{"time": "{SECOND}"}},',
            f'     "2026-11-26.2": {{"time": "{THIRD}"}}',
            "    }",
            "   }",
        ]

    def test_samples_of_one_run_have_one_date_together(self) -> None:
        text = to_text({KEY: Measurements({name: Measurement((0.5, 1.0), runs=(FIRST,) * 2) for name in "ab"})})
        assert "dates" not in text
        assert text.count(FIRST) == 1

    def test_of_nothing(self) -> None:
        assert from_document(json.loads(to_text({})), "b.json") == {}


GROWN = Measurements(
    {
        "e0": Measurement((0.5, 0.0), "r", {"w": (1.0, None)}, (FIRST, SECOND)),
        "e1": Measurement((1.0,), runs=(SECOND,)),
    },
    {"metric": "m"},
    {FIRST: {"program": "old"}},
)
WRITTEN = json.loads(to_text({KEY: GROWN, OTHER: group(e0=0.25)}))


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
        (None, "b.json: schema_version None; expected 1, 2, 3 or 4"),
        (
            {"schema_version": 5, "tests": {}},
            "b.json: schema_version 5; expected 1, 2, 3 or 4; a newer pytest-pitcheval wrote it",
        ),
        ({"schema_version": [1], "tests": {}}, "b.json: schema_version a list; expected 1, 2, 3 or 4"),
        ({"schema_version": 1}, "b.json: tests: Input should be an object"),
        ({"schema_version": 1, "tests": {"t": {"none": {}}}}, "b.json: tests.t.none.examples: Field required"),
        (
            {"schema_version": 1, "tests": {"t": {"none": {"examples": {"e": {"samples": []}}}}}},
            "b.json: t [none]: e: an example has no samples",
        ),
        (
            {"schema_version": 1, "tests": {"t\n[a]": {"none": {"examples": {"e": {"samples": []}}}}}},
            "b.json: t [a] [none]: e: an example has no samples",
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


@pytest.mark.parametrize(
    ("example", "runs", "complaint"),
    [
        ({"samples": [1.0], "dates": ["2026-11-20"]}, {}, "e: dates: '2026-11-20': expected a key of runs"),
        ({"samples": [1.0, 0.0], "dates": ["a"]}, {"a": {"time": FIRST}}, "e: 1 dates of 2 samples"),
        (
            {"samples": [1.0]},
            {"a": {"time": "yesterday"}},
            "runs.a.time: 'yesterday': expected the time stamp of a run",
        ),
    ],
)
def test_dates_that_are_none(example: dict[str, Any], runs: dict[str, Any], complaint: str) -> None:
    document = {"schema_version": 3, "tests": {"t": {"none": {"examples": {"e": example}, "runs": runs}}}}
    with pytest.raises(PitchevalError) as raised:
        from_document(document, "b.json")
    assert str(raised.value) == f"b.json: t [none]: {complaint}"
