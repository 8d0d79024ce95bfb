"""A run file as MLflow's runs: what is logged where, without MLflow."""

from __future__ import annotations

from typing import Any

import pytest
from support.run_documents import RUN_ID, TEST, record, run_file

from pytest_pitcheval.results.collected import Requirements
from pytest_pitcheval.results.deciding.decisions import Terms, decide
from pytest_pitcheval.storage import run_files
from pytest_pitcheval.tracking.mlflow_runs import PART, SESSION, MlflowRun, mlflow_runs

OTHER = "test_qa.py::test_other"


@pytest.fixture
def document() -> dict[str, Any]:
    records = [record("a", 0.25), record("b", 0.75), record("c", None), record("d", 1.0, test=OTHER)]
    file = run_file(records, gates={"min_mean": 0.5}, finished="20260102T030410.000006Z")
    decision = decide(file.outcome, None, Terms(lambda gate, own: own))
    return run_files.to_document(file.run, file.outcome, decision)


@pytest.fixture
def runs(document: dict[str, Any]) -> list[MlflowRun]:
    return mlflow_runs(document, None, {"team": "pitch"})


def points(run: MlflowRun, name: str) -> list[tuple[float, int]]:
    return [(value, step) for key, value, step in run.points if key == name]


def test_one_for_the_session_and_one_below_it_for_each_test_and_method(runs: list[MlflowRun]) -> None:
    assert [run.part for run in runs] == [SESSION, f"{TEST} [none]", f"{OTHER} [none]"]
    assert [run.name for run in runs] == [f"pitcheval {RUN_ID}", f"{TEST} [none]", f"{OTHER} [none]"]
    assert {run.tags[PART] for run in runs} == {run.part for run in runs}


def test_each_has_the_times_of_the_session_in_milliseconds(runs: list[MlflowRun]) -> None:
    assert {run.end - run.start for run in runs} == {5_000}


def test_the_session_has_totals(runs: list[MlflowRun]) -> None:
    totals = {name: value for name, value, _ in runs[0].points}
    assert (totals["tests"], totals["scored"], totals["error_tests"]) == (4, 3, 1)
    assert totals["mean"] == pytest.approx(2 / 3)
    assert totals["fresh_calls"] == 8


def test_each_example_is_a_step(runs: list[MlflowRun]) -> None:
    assert points(runs[1], "example/score") == [(0.25, 0), (0.75, 1)]
    assert points(runs[2], "example/score") == [(1.0, 0)]


def test_the_tags_of_the_user_win_and_gates_are_tags(document: dict[str, Any]) -> None:
    session, first, _ = mlflow_runs(document, "mine", {"mlflow.source.name": "theirs"})
    assert (session.name, session.tags["mlflow.source.name"]) == ("mine", "theirs")
    [gate] = [value for name, value in first.tags.items() if name.startswith("pitcheval.gate.min_mean/")]
    assert gate == "failed: 1 of 3 examples have no score"
    assert first.tags["pitcheval.gates"] == session.tags["pitcheval.gates"] == "failed"


def test_a_table_has_a_row_for_each_example_and_what_one_wants_to_read_first(runs: list[MlflowRun]) -> None:
    table = runs[1].table
    assert table["columns"][:4] == ["example_id", "optimization", "status", "score"]
    assert [row[0] for row in table["data"]] == ["a", "b", "c"]
    assert {"inputs.question", "prediction.answer"} <= set(table["columns"])


def test_a_dataset_has_the_same_digest_whatever_the_order(document: dict[str, Any]) -> None:
    before = mlflow_runs(document, None, {})[1].datasets
    document["tests"].reverse()
    assert mlflow_runs(document, None, {})[1].datasets == before
    document["tests"][-1]["fingerprints"]["example"] = "another row"
    assert mlflow_runs(document, None, {})[1].datasets != before


def test_metrics_slices_and_gates_are_numbers_of_their_test_and_method() -> None:
    asked = Requirements(gates={"min_mean": {"score": 0.5, "words": 1.0}}, slices={"topic": {}})
    labels = [{"topic": "a?"}, {"topic": "a!"}, {"topic": "a!"}]
    metrics = {"words": (2.0,), "tokens": (10.0,)}
    records = [record(f"e{n}", 0.25 * (n + 1), labels=one, metrics=metrics) for n, one in enumerate(labels)]
    file = run_file(records, asked=asked, finished=RUN_ID)
    decision = decide(file.outcome, None, Terms(lambda gate, own: own))
    _, part = mlflow_runs(run_files.to_document(file.run, file.outcome, decision), None, {})
    told = {name: value for name, value, _ in part.points if name.partition("/")[0] in ("metric", "slice", "gate")}
    assert told == {
        **{f"metric/words/{name}": value for name, value in [("mean", 2.0), ("scored", 3)]},
        **{f"metric/words/ci95_{end}": 2.0 for end in ("low", "high")},
        **{f"metric/tokens/{name}": value for name, value in [("mean", 10.0), ("scored", 3)]},
        **{f"metric/tokens/ci95_{end}": 10.0 for end in ("low", "high")},
        "slice/topic/a_/mean": 0.25,
        "slice/topic/a_/examples": 1,
        "slice/topic/a_/scored": 1,
        "slice/topic/a_/passed": 0,
        "slice/topic/a_.2/mean": 0.625,
        "slice/topic/a_.2/examples": 2,
        "slice/topic/a_.2/scored": 2,
        "slice/topic/a_.2/passed": 2,
        "slice/topic/a_.2/ci95_low": 0.0,
        "slice/topic/a_.2/ci95_high": 1.0,
        "gate/min_mean/value": 0.5,
        "gate/min_mean/words/value": 2.0,
    }


def test_metrics_of_the_whole_set_are_numbers_where_they_have_a_value(document: dict[str, Any]) -> None:
    undefined = {"value": None, "ci95": None}
    document["summary"][0]["aggregates"] = {"f1, macro": {"value": 0.5, "ci95": [0.4, 0.6]}, "lost": undefined}
    part = mlflow_runs(document, None, {})[1]
    told = {name: value for name, value, _ in part.points if name.startswith("aggregate/")}
    assert told == {
        f"aggregate/f1_ macro/{name}": value for name, value in (("value", 0.5), ("ci95_low", 0.4), ("ci95_high", 0.6))
    }


def test_a_run_that_an_older_version_left_to_be_sent_is_logged(document: dict[str, Any]) -> None:
    for test in document["tests"]:
        del test["labels"]
        test["metrics"] = {"words": 3.0}
    for gate in document["gates"]:
        del gate["metric"], gate["slice"]
    for summary in document["summary"]:
        del summary["metrics"], summary["slices"]
    _, part, _ = mlflow_runs({**document, "schema_version": 1}, None, {})
    assert points(part, "example/words") == [(3.0, 0), (3.0, 1), (3.0, 2)]
    assert points(part, "gate/min_mean/value") == [(0.5, 0)]
    assert part.tags[f"pitcheval.gate.min_mean/{TEST}/none"].startswith("failed: ")
