"""Runs of the parts of one suite as one: what each left, and why some runs are no such parts."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from support.run_documents import TEST, record, run_file

from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.storage import merging
from pytest_pitcheval.storage.run_files import RunFile

KEY = Key(TEST, "none")


def part(*names: str, not_run: tuple[str, ...] = (), missing: dict[str, str] | None = None, **run: Any) -> RunFile:
    """The run of a part: of the examples ``names``; its dataset has ``not_run`` beside these."""
    file = run_file([record(name) for name in names], missing=missing, **run)
    outcome = dataclasses.replace(file.outcome, not_run={KEY: not_run} if not_run else {})
    return dataclasses.replace(file, outcome=outcome)


def ids(file: RunFile) -> list[str | None]:
    return [test.example_id for test in file.outcome.collected]


def test_all_records_are_there_in_the_order_of_the_parts() -> None:
    merged = merging.merge([part("a", "b"), part("c", id="20260102T030405.000007Z")])
    assert [test.example_id for test in merged.collected] == ["a", "b", "c"]
    assert [record.example_id for record in merged.records.values()] == ["a", "b", "c"]


def test_what_one_part_did_not_run_another_has() -> None:
    merged = merging.merge([part("a", not_run=("b", "c")), part("b", not_run=("a", "c"))])
    assert merged.not_run == {KEY: ["c"]}


def test_a_test_that_one_part_lost_may_have_been_run_by_another() -> None:
    merged = merging.merge([part("a", missing={"b": "worker gw0 crashed", "c": "not run"}), part("b")])
    assert [missing.reason for missing in merged.missing.values()] == ["not run"]


@pytest.mark.parametrize(
    ("differs", "complaint"),
    [
        ({"generator_model": "a/b"}, "generator_model None and 'a/b'"),
        ({"seed": 1}, "seed None and 1"),
        ({"test_size": 10}, "test_size None and 10"),
    ],
)
def test_parts_of_one_suite_have_the_same_settings(differs: dict[str, Any], complaint: str) -> None:
    with pytest.raises(PitchevalError, match=f"{complaint}; expected parts of one suite$"):
        merging.merge([part("a"), part("b", **differs)])


def test_no_test_is_in_two_parts() -> None:
    with pytest.raises(PitchevalError, match=r"\[b\] is in .* and in .*; expected parts of one suite$"):
        merging.merge([part("a", "b"), part("b", "c")])


def test_the_merged_run_says_of_which_it_was_made() -> None:
    runs = [part("a", rollouts=1), part("b", id="20260102T030405.000007Z", rollouts=3, replay_of="x")]
    described = merging.describe_merged(runs, "20260103T000000.000000Z", "b.json")
    assert described.merged_from == ("20260102T030405.000006Z", "20260102T030405.000007Z")
    assert (described.id, described.timestamp) == ("20260103T000000.000000Z", "20260103T000000.000000Z")
    assert (described.rollouts, described.replay_of, described.baseline) == (3, None, "b.json")


def test_examples_that_no_part_has_are_named_and_counted() -> None:
    runs = [part("a", not_run=tuple("bcdefghi")), part("b", not_run=tuple("acdefghi"))]
    [line] = merging.absent(runs, merging.merge(runs))
    assert line == f"{TEST} [none]: 7 examples in none of the runs: c, d, e, f, g and 2 more"


def test_of_a_sample_nothing_is_absent() -> None:
    runs = [part("a", not_run=("b",), test_size=1)]
    assert list(merging.absent(runs, merging.merge(runs))) == []
