"""A run as its reports tell it."""

from __future__ import annotations

import dataclasses

import pytest
from support.run_documents import record, report, run_file

from pytest_pitcheval.reports import run_reports
from pytest_pitcheval.reports.run_reports import RunReport, RunVerdict
from pytest_pitcheval.results.baselines import measure
from pytest_pitcheval.results.deciding.decisions import Terms
from pytest_pitcheval.results.records import Record


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (report([record("a"), record("b")]), RunVerdict("passed", ["2 examples passed"])),
        (report([record("a"), record("b", 0.25)]), RunVerdict("failed", ["1 of 2 examples failed"])),
        (report([record("a", None)]), RunVerdict("failed", ["1 of 1 example ended in an error"])),
        (report([record("a")], missing={"b": "not run"}), RunVerdict("failed", ["1 of 2 examples left no record"])),
        (report([]), RunVerdict("failed", ["no example was evaluated"])),
        (
            report([record("a", status="skipped", score=None)]),
            RunVerdict("passed", ["no example was evaluated", "1 of 1 example skipped"]),
        ),
        (
            report([record("a")], gates={"min_mean": 0.9, "min_pass_rate": 0.5}),
            RunVerdict("failed", ["1 of 2 gates failed"]),
        ),
        (
            report([record("a", 0.5)], [record("a", 0.75)]),
            RunVerdict("inconclusive", ["1 example passed", "1 of 1 gate inconclusive"]),
        ),
    ],
)
def test_the_verdict(found: RunReport, verdict: RunVerdict) -> None:
    assert found.verdict() == verdict


TERMS = Terms(lambda gate, own: own)


def test_a_run_that_was_killed() -> None:
    file = dataclasses.replace(run_file([record("a"), record("b", 0.25)]), finished=False)
    verdict = run_reports.as_decided(file, {}).verdict()
    assert verdict == RunVerdict("unfinished", ["2 examples recorded before it ended", "1 of 2 examples failed"])


NOW = [record("a", 0.5), record("b", 0.75), record("c", 1.0), record("new")]
THEN = [record("a", 0.75), record("b", 0.75), record("c", 0.5), record("old")]


def test_what_was_compared_is_in_the_file() -> None:
    [compared] = report(NOW, THEN).decision.comparisons or []
    fell, rose = run_reports.moved(compared)
    assert ([one.example_id for one in fell], [one.example_id for one in rose]) == (["a"], ["c"])
    assert (compared.added, compared.removed) == (("new",), ("old",))
    assert compared.result is not None
    assert compared.result.difference == pytest.approx(0.25 / 3)


def test_a_file_from_before_pairs_and_later_rollouts_is_read() -> None:
    data = NOW[0].to_dict()
    del data["later_rollouts"]
    assert Record.from_dict(data) == NOW[0]


def test_an_equal_score_is_no_change() -> None:
    """0.1 + 0.2 - 0.3 is not 0 in floating point."""
    now, then = record("a", 0.3, samples=(0.1, 0.2, 0.6)), record("a", 0.3, samples=(0.3, 0.3, 0.3))
    [compared] = report([now], [then]).decision.comparisons or []
    assert run_reports.moved(compared) == ([], [])


def test_another_baseline_decides_its_gates_again_and_no_others() -> None:
    scores = [record(f"e{n}", 0.5 + n / 100) for n in range(20)]
    better = [record(f"e{n}", 0.9) for n in range(20)]
    file = run_file(scores, scores, gates={"min_mean": 0.5, "max_regression": 0.1})
    assert [(gate.gate, gate.status) for gate in file.gates] == [("min_mean", "passed"), ("max_regression", "passed")]
    found = run_reports.compared_anew(file, "better.json", measure(better), {}, TERMS)
    assert [(gate.gate, gate.limit, gate.status) for gate in found.decision.gates] == [
        ("min_mean", 0.5, "passed"),
        ("max_regression", 0.1, "failed"),
    ]
    assert found.baseline == "better.json"


def test_a_run_without_a_baseline_gets_the_usual_gate_with_one() -> None:
    scores = [record(f"e{n}", 0.5 + n / 100) for n in range(20)]
    found = run_reports.compared_anew(run_file(scores), "same.json", measure(scores), {}, TERMS)
    assert [(gate.gate, gate.limit, gate.status) for gate in found.decision.gates] == [
        ("max_regression", 0.05, "passed")
    ]


def test_the_program_has_changed() -> None:
    changed = record("a", fingerprints={"program": "bbbb"})
    [compared] = report([changed], [record("a")]).decision.comparisons or []
    assert (compared.differs, compared.fingerprints) == (("program",), {"program": ("aaaa", "bbbb")})
