"""``--eval-slice``: the examples of one slice are run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.suite import Suite

ROWS: list[dict[str, Any]] = [
    {"id": "a", "question": "question 0?", "topic": "refunds", "critical": True},
    {"id": "b", "question": "question 1?", "topic": "returns", "critical": False},
    {"id": "c", "question": "question 2?", "topic": "refunds", "critical": False, "level": 3},
    {"id": "d", "question": "question 3?", "topic": "x" * 101, "level": "3"},
]


@pytest.fixture
def sliced(suite: Suite) -> Suite:
    """A suite with two topics, a test of free form and one that is none of ours."""
    suite.write("data.jsonl", "".join(json.dumps(row) + "\n" for row in ROWS))
    suite.write("test_free.py", "def test_free(record_score):\n    record_score(1)\n\ndef test_other(): ...\n")
    return suite


def names(tests: list[dict[str, Any]]) -> list[str]:
    return sorted(test["example_id"] for test in tests)


def test_one_slice_is_run(sliced: Suite, plugin_args: tuple[str, ...]) -> None:
    run = sliced.run("--eval-slice=topic=refunds", *plugin_args)
    run.result.assert_outcomes(passed=3)
    assert names(run.tests) == ["a", "c"]
    assert len(run.requests) == 4, "nothing is asked for the others"
    assert run.document is not None
    assert run.document["summary"][0]["not_run"] == ["b", "d"]


@pytest.mark.parametrize(
    ("chosen", "expected"), [("critical=true", ["a"]), ("critical=false", ["b", "c"]), ("level=3", ["c", "d"])]
)
def test_values_are_written_as_json(sliced: Suite, chosen: str, expected: list[str]) -> None:
    assert names(sliced.run(f"--eval-slice={chosen}").tests) == expected


def test_a_baseline_keeps_the_other_slices(sliced: Suite) -> None:
    sliced.run("--eval-update-baseline")
    path = sliced.path / "pitcheval-baseline.json"
    whole = json.loads(path.read_text(encoding="utf-8"))
    sliced.scores(lambda request: 0.875)
    run = sliced.run("--eval-slice=topic=refunds", "--eval-update-baseline")
    assert "2 examples written, 3 kept, 0 removed" in run.text
    updated = json.loads(path.read_text(encoding="utf-8"))
    assert updated["tests"].keys() == whole["tests"].keys()
    [group] = updated["tests"]["test_qa.py::test_qa"].values()
    assert {name: one["samples"] for name, one in group["examples"].items()} == {
        "a": [0.875],
        "b": [0.75],
        "c": [0.875],
        "d": [0.75],
    }
    compared = sliced.run("--eval-slice=topic=returns")
    assert compared.document is not None
    [comparison] = compared.document["comparisons"]
    assert (comparison["not_run"], comparison["removed"]) == (["a", "c", "d"], [])


def test_an_ini_key(sliced: Suite) -> None:
    sliced.add("pytest.ini", "eval_slice = topic=returns\n")
    assert names(sliced.run().tests) == ["b"]
    assert names(sliced.run("--eval-slice=topic=refunds").tests) == ["a", "c"]


WRONG = [
    ("topic=refund", "no example has that value; expected 'refunds', 'returns'"),
    ("topc=refunds", "no example has the label 'topc'; expected 'topic', 'critical', 'level'"),
    ("question=question 0?", "no example has the label 'question'; expected 'topic', 'critical', 'level'"),
    ("id=a", "no example has the label 'id'; expected 'topic', 'critical', 'level'"),
    ("topic=", "no example has that value; expected 'refunds', 'returns'"),
    ("\x1b[31m=1", r"no example has the label '\x1b[31m'; expected 'topic', 'critical', 'level'"),
]


@pytest.mark.parametrize(("chosen", "reason"), WRONG)
def test_a_slice_that_is_not_there(sliced: Suite, chosen: str, reason: str) -> None:
    run = sliced.run(f"--eval-slice={chosen}", "-k", "not a")
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    assert [line for line in run.result.errlines if line] == [f"ERROR: --eval-slice: {chosen!r}: {reason}"]
    assert (run.requests, run.document) == ([], None)


def test_a_slice_that_is_not_there_with_workers(sliced: Suite) -> None:
    run = sliced.run("--eval-slice=topic=refund", "-n2")
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    told = [line for line in run.result.outlines if "eval-slice" in line]
    assert [line.strip("! ") for line in told] == [
        f"_pytest.outcomes.Exit: --eval-slice: 'topic=refund': {WRONG[0][1]}"
    ]
    assert "INTERNALERROR" not in run.text
    assert (run.requests, run.document) == ([], None)


def test_rows_of_inputs_alone(suite: Suite) -> None:
    run = suite.run("--eval-slice=topic=refunds")
    assert run.result.errlines[0].endswith("no example has the label 'topic'; the rows have inputs alone")


def test_a_suite_without_evaluations_is_left_alone(suite: Suite) -> None:
    suite.write("test_qa.py", "def test_other(): ...\n")
    suite.run("--eval-slice=topic=refunds").result.assert_outcomes(passed=1)


def test_a_wrong_marker_still_fails_its_test(sliced: Suite) -> None:
    sliced.write(
        "test_wrong.py", "import pytest\n\n@pytest.mark.evaluation('no.jsonl', inputs=[])\ndef test_wrong(score): ...\n"
    )
    sliced.run("--eval-slice=topic=refunds").result.assert_outcomes(passed=3, failed=1)
