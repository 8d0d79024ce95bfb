"""A run file as MLflow's runs: what is logged where, without MLflow."""

from __future__ import annotations

from typing import Any

import pytest
from support.run_documents import RUN_ID, TEST, record, run_file

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
