"""Runs are logged to MLflow, once, whatever the tracker does; and nothing else depends on it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from background import Background, is_alive, wait_until
from conftest import Run, Suite
from mlflow_server import MlflowServer
from openai_server import Failure, Request
from trackers import Kind, Tracker

from pytest_pitcheval import cli

SECONDS = "--eval-mlflow-timeout=60"
"""For trackers that do answer: this machine may be slow."""

QUESTIONS = 4


@pytest.fixture(scope="module", autouse=True)
def _imported_mlflow() -> None:
    """Before pytester remembers what was imported: undoing these imports undoes more than that."""
    import mlflow
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401


@pytest.fixture
def suite(suite: Suite) -> Suite:
    suite.rows(QUESTIONS)
    suite.scores(lambda request: 0.9 if "question 1?" in request.prompt else 0.75)
    return suite


@pytest.fixture(autouse=True)
def _no_tracker_of_another_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's client puts the tracker it talks to into the environment; afterwards it is as it was."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")


pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")
"""What SQLAlchemy says of MLflow's own store."""


class Logged:
    """What an experiment has, read back through MLflow's client."""

    def __init__(self, uri: str, experiment: str) -> None:
        from mlflow import MlflowClient

        self.client = MlflowClient(uri)
        found = self.client.get_experiment_by_name(experiment)
        self.experiment_id = found.experiment_id if found else None

    def runs(self) -> list[Any]:
        return list(self.client.search_runs([self.experiment_id])) if self.experiment_id else []

    def sessions(self) -> list[Any]:
        return [run for run in self.runs() if "mlflow.parentRunId" not in run.data.tags]

    def children(self, parent: Any) -> dict[str, Any]:
        found = [run for run in self.runs() if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
        return {run.info.run_name: run for run in found}

    def artifact(self, run: Any, name: str) -> Any:
        import mlflow

        return mlflow.artifacts.load_dict(f"{run.info.artifact_uri}/{name}")

    def history(self, run: Any, metric: str) -> list[tuple[int, float]]:
        found = self.client.get_metric_history(run.info.run_id, metric)
        return sorted((point.step, point.value) for point in found)


@pytest.fixture
def experiment(request: pytest.FixtureRequest) -> str:
    """One for each test, since they share a server."""
    return str(request.node.nodeid)


def log_line(run: Run) -> str:
    [line] = [line for line in run.result.stdout.lines if line.startswith("mlflow: ")]
    return str(line)


def check_logged(logged: Logged, document: dict[str, Any]) -> None:
    """The experiment has this run, and has it once."""
    import mlflow

    mlflow.set_tracking_uri(logged.client.tracking_uri)
    [session] = logged.sessions()
    assert session.info.status == "FINISHED"
    assert session.data.tags["pitcheval.run_id"] == document["run"]["id"]
    assert session.data.params["generator_model"] == document["run"]["generator_model"]
    scores = [test["score"] for test in document["tests"]]
    assert session.data.metrics["mean"] == pytest.approx(sum(scores) / len(scores))
    assert session.data.metrics["fresh_calls"] == sum(test["lm_calls"]["fresh"] for test in document["tests"])
    assert session.data.metrics["passed_tests"] == len(scores)
    assert logged.artifact(session, "run.json") == document
    children = logged.children(session)
    assert set(children) == {f"{one['test']} [{one['optimization']}]" for one in document["summary"]}
    for summary in document["summary"]:
        child = children[f"{summary['test']} [{summary['optimization']}]"]
        tests = [test for test in document["tests"] if test["optimization"] == summary["optimization"]]
        assert child.info.status == "FINISHED"
        for name in ("mean", "pass_rate", "examples", "scored"):
            assert child.data.metrics[name] == summary[name]
        assert (child.data.metrics["ci95_low"], child.data.metrics["ci95_high"]) == tuple(summary["ci95"])
        assert logged.history(child, "example/score") == [(n, test["score"]) for n, test in enumerate(tests)]
        table = logged.artifact(child, "evaluations.json")
        rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
        assert [(row["example_id"], row["score"], row["inputs.question"]) for row in rows] == [
            (test["example_id"], test["score"], test["inputs"]["question"]) for test in tests
        ]
        [dataset] = child.inputs.dataset_inputs
        assert (dataset.dataset.name, json.loads(dataset.dataset.profile)) == (
            summary["test"],
            {"num_rows": len(tests)},
        )


@pytest.mark.parametrize("workers", ["-n0", "-n4"])
def test_a_server_has_one_run_of_a_session(
    suite: Suite, mlflow_server: MlflowServer, experiment: str, workers: str
) -> None:
    run = suite.run(
        workers,
        "--optimization=none,labeled",
        "--eval-min-mean=0.5",
        f"--eval-mlflow={mlflow_server.url}",
        f"--eval-mlflow-experiment={experiment}",
        SECONDS,
    )
    run.result.assert_outcomes(passed=2 * QUESTIONS)
    logged = Logged(mlflow_server.url, experiment)
    assert run.document is not None
    check_logged(logged, run.document)
    [session] = logged.sessions()
    assert log_line(run) == (
        f"mlflow: {mlflow_server.url}/#/experiments/{logged.experiment_id}/runs/{session.info.run_id}"
    )
    assert session.data.tags["pitcheval.gates"] == "passed"
    gate = session.data.tags["pitcheval.gate.min_mean/test_qa.py::test_qa/none"]
    assert gate.startswith("passed: mean 0.7875 reaches 0.5")
    programs = [file.path for file in logged.client.list_artifacts(session.info.run_id, "programs")]
    assert len(programs) == 1
    assert not (suite.path / "mlflow.db").exists()
    assert list((suite.path / ".pitcheval" / "spool").iterdir()) == []


def test_the_local_store_is_the_default(suite: Suite) -> None:
    text = (suite.path / "pytest.ini").read_text(encoding="utf-8").replace("eval_mlflow = off\n", "")
    suite.write("pytest.ini", text)
    run = suite.run(SECONDS)
    assert run.result.ret == pytest.ExitCode.OK
    uri = f"sqlite:///{suite.path}/mlflow.db"
    assert run.document is not None
    check_logged(Logged(uri, "pytest-pitcheval"), run.document)
    assert log_line(run).endswith(f" in {uri}, which mlflow ui shows")


def test_a_name_and_tags_of_ones_own(suite: Suite, mlflow_server: MlflowServer, experiment: str) -> None:
    suite.add("pytest.ini", f"eval_mlflow_run_name = nightly\neval_mlflow_experiment = {experiment}\n")
    suite.add("pytest.ini", "eval_mlflow_tags =\n    team = sharks\n    stage = 2\n")
    suite.run(f"--eval-mlflow={mlflow_server.url}", SECONDS)
    [session] = Logged(mlflow_server.url, experiment).sessions()
    assert (session.info.run_name, session.data.tags["team"], session.data.tags["stage"]) == ("nightly", "sharks", "2")


def test_nothing_of_mlflow_is_imported_where_tests_run(suite: Suite, mlflow_server: MlflowServer) -> None:
    suite.add("conftest.py", NOTES_IMPORTS)
    run = suite.run("-n1", f"--eval-mlflow={mlflow_server.url}", SECONDS, subprocess=True)
    run.result.assert_outcomes(passed=QUESTIONS)
    assert sorted(path.read_text(encoding="utf-8") for path in suite.path.glob("imported-*")) == ["False", "False"]


NOTES_IMPORTS = """

def pytest_unconfigure(config):
    import os, sys
    from pathlib import Path
    Path(f"imported-{os.getpid()}").write_text(str("mlflow" in sys.modules))
"""


def test_a_suite_without_evaluations_leaves_nothing(suite: Suite) -> None:
    suite.write("test_qa.py", "def test_plain():\n    pass\n")
    suite.write("pytest.ini", "[pytest]\n")
    suite.run().result.assert_outcomes(passed=1)
    assert not {"mlflow.db", "mlruns", ".pitcheval"} & {path.name for path in suite.path.iterdir()}


KEPT = ("nodeid", "status", "score", "samples", "feedback", "lm_calls", "inputs")


def without(run: Run) -> tuple[int, list[dict[str, Any]]]:
    """What must not depend on the tracker: exit code and records."""
    return int(run.result.ret), [{name: test[name] for name in KEPT} for test in run.tests]


@pytest.fixture
def sync(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """``pitcheval sync`` in the suite's folder."""

    def command(*arguments: str) -> int:
        monkeypatch.chdir(suite.path)
        return cli.main(["sync", *arguments])

    return command


def move_spool(suite: Suite, url: str) -> None:
    """The tracker of the waiting runs is this from now on: the broken one was mended, at another port."""
    for path in (suite.path / ".pitcheval" / "spool").glob("*.json"):
        waiting = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**waiting, "where": url}), encoding="utf-8")


BROKEN: list[Kind] = ["silent", "drip", "500", "503", "429", "refuse", "redirect", "garbage"]


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_tracker_costs_nothing_but_the_deadline(
    suite: Suite, mlflow_server: MlflowServer, sync: Callable[..., int], experiment: str, kind: Kind
) -> None:
    expected = without(suite.run("--eval-min-mean=0.9"))
    with Tracker(kind) as tracker:
        run = suite.run("--eval-min-mean=0.9", f"--eval-mlflow={tracker.url}", "--eval-mlflow-timeout=8")
        assert log_line(run).startswith("mlflow: not logged: ")
        assert without(run) == expected
        assert run.result.ret == pytest.ExitCode.TESTS_FAILED
        move_spool(suite, mlflow_server.url)
    assert sync(f"--eval-mlflow={mlflow_server.url}", f"--eval-mlflow-experiment={experiment}", SECONDS) == 0
    assert sync(f"--eval-mlflow={mlflow_server.url}", f"--eval-mlflow-experiment={experiment}", SECONDS) == 0
    assert run.document is not None
    check_logged(Logged(mlflow_server.url, experiment), run.document)


@pytest.mark.parametrize("answers", [1, 8])
def test_a_tracker_that_dies_halfway_gets_the_rest_later(
    suite: Suite, mlflow_server: MlflowServer, sync: Callable[..., int], experiment: str, answers: int
) -> None:
    with Tracker("dying", behind=mlflow_server.url, answers=answers) as tracker:
        options = (f"--eval-mlflow={tracker.url}", f"--eval-mlflow-experiment={experiment}", SECONDS)
        run = suite.run(*options)
        assert run.result.ret == pytest.ExitCode.OK
        assert log_line(run).startswith("mlflow: not logged: ")
        move_spool(suite, mlflow_server.url)
    assert sync(f"--eval-mlflow={mlflow_server.url}", f"--eval-mlflow-experiment={experiment}", SECONDS) == 0
    assert run.document is not None
    check_logged(Logged(mlflow_server.url, experiment), run.document)


def test_the_next_session_sends_what_waits(suite: Suite, mlflow_server: MlflowServer, experiment: str) -> None:
    with Tracker("refuse") as tracker:
        first = suite.run(f"--eval-mlflow={tracker.url}")
    move_spool(suite, mlflow_server.url)
    second = suite.run(f"--eval-mlflow={mlflow_server.url}", f"--eval-mlflow-experiment={experiment}", SECONDS)
    assert first.document is not None
    assert second.document is not None
    logged = Logged(mlflow_server.url, experiment)
    assert {run.data.tags["pitcheval.run_id"] for run in logged.sessions()} == {
        first.document["run"]["id"],
        second.document["run"]["id"],
    }
    lines = [line for line in second.result.stdout.lines if line.startswith("mlflow: ")]
    assert lines[0].startswith(f"mlflow: {mlflow_server.url}/#/")
    assert lines[1].startswith(f"mlflow: run {first.document['run']['id']}: {mlflow_server.url}/#/")


def test_what_waits_for_another_tracker_is_not_sent_there(
    suite: Suite, sync: Callable[..., int], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with Tracker("refuse") as tracker:
        suite.run(f"--eval-mlflow={tracker.url}")
    capsys.readouterr()
    assert sync(f"--eval-mlflow=sqlite:///{tmp_path}/other.db", SECONDS) == 0
    assert capsys.readouterr().out == f"mlflow: 1 more wait for {tracker.url}: --eval-mlflow names it\n"
    assert len(list((suite.path / ".pitcheval" / "spool").iterdir())) == 1


def test_a_smaller_session_timeout_holds(suite: Suite) -> None:
    with Tracker("silent") as tracker:
        run = suite.run(f"--eval-mlflow={tracker.url}", "--eval-mlflow-timeout=600", "--session-timeout=6")
    assert log_line(run).startswith("mlflow: not logged: the tracker did not answer in time")


def test_no_credential_is_shown_or_written(suite: Suite) -> None:
    with Tracker("refuse") as tracker:
        uri = tracker.url.replace("http://", "http://ada:s3cr3t-w0rd@")
        run = suite.run(f"--eval-mlflow={uri}", "--eval-json=copy.json", "--junit-xml=junit.xml")
    assert "s3cr3t-w0rd" not in run.text
    files = [path for path in suite.path.rglob("*") if path.is_file()]
    assert [path for path in files if b"s3cr3t-w0rd" in path.read_bytes()] == []
    assert len(files) > 5


@pytest.fixture
def good_run(suite: Suite, mlflow_server: MlflowServer, experiment: str) -> tuple[str, ...]:
    """The options of a run whose gates passed, and that was logged."""
    options = (f"--eval-mlflow={mlflow_server.url}", f"--eval-mlflow-experiment={experiment}", SECONDS)
    suite.rows(8)
    assert suite.run(*options, "--eval-min-mean=0.5").result.ret == pytest.ExitCode.OK
    return options


def test_a_logged_run_may_be_the_baseline(suite: Suite, good_run: tuple[str, ...]) -> None:
    suite.scores(lambda request: 0.3)
    worse = suite.run(*good_run, "--eval-baseline=mlflow:latest")
    assert worse.result.ret == pytest.ExitCode.TESTS_FAILED
    assert worse.document is not None
    [gate] = worse.document["gates"]
    assert (gate["gate"], gate["status"]) == ("max_regression", "failed")
    again = suite.run(*good_run, "--eval-baseline=mlflow:latest")  # that is still the one whose gates passed
    assert again.document is not None
    assert again.document["run"]["baseline"] == worse.document["run"]["baseline"]


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("mlflow:latest@nowhere", "no run whose gates passed on branch 'nowhere'"),
        ("mlflow:0123", "Run with id=0123 not found"),
    ],
)
def test_a_logged_baseline_that_is_not_there_is_one_line(
    suite: Suite, mlflow_server: MlflowServer, reference: str, reason: str
) -> None:
    result = suite.run(f"--eval-mlflow={mlflow_server.url}", SECONDS, f"--eval-baseline={reference}").result
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    [line] = [line for line in result.stderr.lines if line]
    assert line.startswith(f"ERROR: --eval-baseline: {reference!r}: ")
    assert reason in line


def test_a_baseline_of_a_silent_tracker_is_one_line(suite: Suite) -> None:
    with Tracker("silent") as tracker:
        result = suite.run(
            f"--eval-mlflow={tracker.url}", "--eval-mlflow-timeout=4", "--eval-baseline=mlflow:latest"
        ).result
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "the tracker did not answer in time" in result.stderr.str()


def test_traces_of_the_examples(suite: Suite, mlflow_server: MlflowServer, experiment: str) -> None:
    suite.server.fail = judge_fails
    options = (f"--eval-mlflow={mlflow_server.url}", f"--eval-mlflow-experiment={experiment}", SECONDS)
    run = suite.run(*options, "--eval-mlflow-traces")
    logged = Logged(mlflow_server.url, experiment)
    traces = logged.client.search_traces(locations=[logged.experiment_id])
    by_rollout = {trace.info.tags["pitcheval.rollout_id"]: trace for trace in traces}
    assert len(traces) == QUESTIONS
    for test in run.tests:
        trace = by_rollout[test["rollout_id"]]
        [span] = trace.data.spans
        assert (span.inputs, span.outputs) == (test["inputs"], test["prediction"])
        scores = [one.feedback.value for one in trace.info.assessments]
        assert scores == ([] if test["score"] is None else [test["score"]])


def judge_fails(request: Request) -> Failure | None:
    return Failure() if request.model == "judge" and "question 2?" in request.prompt else None


@pytest.mark.parametrize("seconds", [0.2, 4])
def test_a_store_that_was_not_ready_in_time_is_not_broken(
    suite: Suite, sync: Callable[..., int], seconds: float
) -> None:
    """Wherever the deadline falls in the making of the store."""
    uri = f"sqlite:///{suite.path}/new.db"
    run = suite.run(f"--eval-mlflow={uri}", f"--eval-mlflow-timeout={seconds}")
    assert run.result.ret == pytest.ExitCode.OK
    assert sync(f"--eval-mlflow={uri}", SECONDS) == 0
    assert run.document is not None
    check_logged(Logged(uri, "pytest-pitcheval"), run.document)
    assert list(suite.path.glob("new.db.*")) == []


def test_a_killed_session_leaves_no_process_that_logs(suite: Suite, background: Callable[..., Background]) -> None:
    with Tracker("drip") as tracker:
        run = background(f"--eval-mlflow={tracker.url}", "--eval-mlflow-timeout=600")
        wait_until(lambda: tracker.requests > 0)
        [logging] = children(run.process.pid)
        os.kill(run.process.pid, signal.SIGKILL)
        run.wait()
        wait_until(lambda: not is_alive(logging))


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    done = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(one) for one in done.stdout.split()]


def test_the_store_is_whole_after_two_sessions_at_once_made_it(suite: Suite) -> None:
    uri = f"sqlite:///{suite.path}/new.db"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--eval-mlflow={uri}", SECONDS]
    running = [subprocess.Popen(command, cwd=suite.path, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(180) for process in running] == [0, 0]
    with sqlite3.connect(suite.path / "new.db") as connection:
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
    connection.close()
    assert len(Logged(uri, "pytest-pitcheval").sessions()) == 2
