"""Gates: what all examples of a test must reach together."""

from __future__ import annotations

import json

import pytest

from pytest_pitcheval.gates import GateResult, decide
from pytest_pitcheval.records import Collected, Record
from pytest_pitcheval.summaries import Summary, find_missing, summarize


def summary(scores: list[float | None], passed: int = 0, **gates: float) -> Summary:
    tests = [Collected(f"test[{n}]", "test", str(n), "none", gates) for n in range(len(scores))]
    records = {
        one.nodeid: Record(one.nodeid, "test", one.example_id, "none", "passed" if n < passed else "failed", score)
        for n, (one, score) in enumerate(zip(tests, scores, strict=True))
    }
    return summarize(tests, records, find_missing(tests, records, {}))[0]


@pytest.mark.parametrize(
    ("scores", "passed", "gates", "expected"),
    [
        ([0.5, 1.0], 0, {"min_mean": 0.75}, ("passed", "mean 0.75 reaches 0.75")),
        ([0.5, 1.0], 2, {"min_mean": 0.76}, ("failed", "mean 0.75 is below 0.76")),
        ([0.03] * 11, 0, {"min_mean": 0.03}, ("passed", "mean 0.03 reaches 0.03")),
        ([0.5, None], 0, {"min_mean": 0.1}, ("failed", "1 of 2 examples have no score")),
        ([None], 0, {"min_mean": 0.0}, ("failed", "1 of 1 examples have no score")),
        ([0.5, 0.5], 1, {"min_pass_rate": 0.5}, ("passed", "pass rate 0.5 reaches 0.5")),
        ([0.5, 0.5, 0.5], 1, {"min_pass_rate": 0.5}, ("failed", "pass rate 0.333333 is below 0.5")),
        ([0.5, None], 1, {"min_pass_rate": 0.6}, ("failed", "pass rate 0.5 is below 0.6")),
    ],
)
def test_one_gate(scores: list[float | None], passed: int, gates: dict[str, float], expected: tuple[str, str]) -> None:
    [result] = decide([summary(scores, passed, **gates)])
    assert (result.status, result.reason) == expected


def test_every_gate_of_every_summary_is_decided() -> None:
    results = decide([summary([1.0], 1, min_mean=0.5, min_pass_rate=1.0), summary([0.0]), summary([0.0], min_mean=0.5)])
    assert [(one.gate, one.status) for one in results] == [
        ("min_mean", "passed"),
        ("min_pass_rate", "passed"),
        ("min_mean", "failed"),
    ]


def test_no_gate_is_no_result() -> None:
    assert decide([summary([0.0])]) == []


def test_becomes_json() -> None:
    result = GateResult("test", "none", "min_mean", "failed", None, 0.5, "nothing was scored")
    assert json.loads(json.dumps(result.to_dict())) == result.to_dict()
    assert result.to_dict()["limit"] == 0.5
