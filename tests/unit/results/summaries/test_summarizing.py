"""What the examples of a test come to together, and what is missing."""

from __future__ import annotations

import dataclasses
import json

import pytest

from pytest_pitcheval.names import BUDGET, DECIDED, LeftOut
from pytest_pitcheval.results.collected import Collected, Requirements, of_scores
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.results.records import Record, Status, Usage
from pytest_pitcheval.results.summaries.summarizing import find_missing, summarize
from pytest_pitcheval.results.summaries.summary import Missing, Summary


def collected(name: str, test: str = "test_qa.py::test_qa", optimization: str = "none") -> Collected:
    return Collected(f"{test}[{name}]", test, name, optimization, Requirements(of_scores({"min_mean": 0.5})))


def record(one: Collected, score: float | None, status: Status = "passed", error: str | None = None) -> Record:
    return Record(
        one.nodeid,
        one.test,
        one.example_id,
        one.optimization,
        status,
        score,
        error=error,
        seconds=0.5,
        generator=Usage(fresh=2, prompt_tokens=10, cost=0.25),
        judge=Usage(cached=1),
    )


def summarized(tests: list[Collected], records: list[Record], lost: dict[str, str] | None = None) -> list[Summary]:
    by_nodeid = {one.nodeid: one for one in records}
    return summarize(tests, by_nodeid, find_missing(tests, by_nodeid, lost or {}))


def test_sums_up_one_test() -> None:
    tests = [collected(f"e{n}") for n in range(4)]
    records = [record(one, score) for one, score in zip(tests, [0.25, 0.5, 0.75, 0.5], strict=True)]
    records[0] = record(tests[0], 0.25, "failed")
    [summary] = summarized(tests, records)
    assert (summary.examples, summary.scored, summary.passed) == (4, 4, 3)
    assert (summary.mean, summary.pass_rate, summary.seconds) == (0.5, 0.75, 2.0)
    assert summary.ci95 == pytest.approx((0.5 - 3.182446 * 0.1020621, 0.5 + 3.182446 * 0.1020621), abs=1e-5)
    assert summary.generator == Usage(fresh=8, prompt_tokens=40, cost=1.0)
    assert summary.judge == Usage(cached=4)
    assert summary.usage == summary.generator + summary.judge
    assert (summary.unscored, summary.asked.gates) == ((), {"min_mean": {"score": 0.5}})


def test_an_error_is_not_a_zero_and_not_left_out_silently() -> None:
    tests = [collected("e0"), collected("e1"), collected("e2")]
    records = [record(tests[0], 0.5), record(tests[1], None, "error", "the provider is down")]
    [summary] = summarized(tests, records, {tests[2].nodeid: "worker gw1 crashed while it ran"})
    assert (summary.mean, summary.scored, summary.examples) == (0.5, 1, 3)
    assert summary.pass_rate == pytest.approx(1 / 3)
    assert summary.unscored == (
        Missing(tests[1].nodeid, "error: the provider is down"),
        Missing(tests[2].nodeid, "worker gw1 crashed while it ran"),
    )


def test_nothing_scored_is_no_mean() -> None:
    [summary] = summarized([collected("e0")], [])
    assert (summary.mean, summary.ci95, summary.pass_rate) == (None, None, 0.0)
    assert summary.unscored == (Missing("test_qa.py::test_qa[e0]", "not run"),)


def test_an_error_without_a_message_gives_the_status() -> None:
    one = collected("e0")
    [summary] = summarized([one], [record(one, None, "skipped")])
    assert summary.unscored == (Missing(one.nodeid, "skipped"),)


def test_one_summary_for_each_test_and_method_in_the_order_of_collection() -> None:
    tests = [
        collected("none-e0", "b.py::test"),
        collected("bootstrap-e0", "b.py::test", "bootstrap"),
        collected("none-e1", "b.py::test"),
        collected("e0", "a.py::test"),
    ]
    summaries = summarized(tests, [record(one, 0.5) for one in reversed(tests)])
    assert [(summary.test, summary.optimization, summary.examples) for summary in summaries] == [
        ("b.py::test", "none", 2),
        ("b.py::test", "bootstrap", 1),
        ("a.py::test", "none", 1),
    ]


def test_what_has_a_record_is_not_missing() -> None:
    tests = [collected("e0"), collected("e1")]
    missing = find_missing(tests, {tests[0].nodeid: record(tests[0], 1.0)}, {tests[0].nodeid: "crashed"})
    assert missing == {tests[1].nodeid: Missing(tests[1].nodeid, "not run")}


def test_what_was_not_run_of_the_dataset_is_named_and_counts_for_nothing() -> None:
    tests = [collected("e0")]
    records = {tests[0].nodeid: record(tests[0], 0.5)}
    not_run = {Key("test_qa.py::test_qa", "none"): ["e1", "e2"], Key("test_qa.py::test_qa", "bootstrap"): ["e3"]}
    [summary] = summarize(tests, records, {}, not_run)
    assert (summary.not_run, summary.examples, summary.unscored) == (("e1", "e2"), 1, ())


def test_what_was_left_out_is_counted_by_reason() -> None:
    tests = [collected(f"e{n}") for n in range(5)]
    whys: list[tuple[LeftOut, str]] = [
        (DECIDED, "decided after 2 of 5"),
        (BUDGET, "budget: $5.00 reached"),
        (BUDGET, "budget: $5.00 reached"),
    ]
    left_out = [
        dataclasses.replace(record(one, None, "skipped", reason), left_out=why)
        for one, (why, reason) in zip(tests[2:], whys, strict=True)
    ]
    [summary] = summarized(tests, [record(tests[0], 1.0), record(tests[1], 0.5), *left_out])
    assert (summary.left_out, summary.left_out_for) == (3, {DECIDED: 1, BUDGET: 2})
    assert (summary.needed, summary.part, summary.unscored) == (2, "2 of 5", ())
    assert summary.cut_off == "budget: $5.00 reached"
    assert summary.note == (
        "mean of 2 of 5: 1 was left out, as the gates were decided; 2 were left out, as the budget was reached"
    )
    assert summary.to_dict()["left_out_for"] == {"decided": 1, "budget": 2}


def test_becomes_json() -> None:
    tests = [collected("e0"), collected("e1")]
    [summary] = summarized(tests, [record(tests[0], 0.5)])
    data = json.loads(json.dumps(summary.to_dict(), allow_nan=False))
    assert (data["mean"], data["ci95"], data["pass_rate"], data["examples"]) == (0.5, None, 0.5, 2)
    assert data["lm_calls"] == {"fresh": 2, "cached": 1, "failed": 0}
    assert data["unscored"] == [{"nodeid": "test_qa.py::test_qa[e1]", "reason": "not run"}]
