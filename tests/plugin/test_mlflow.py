"""Runs are logged to MLflow, once, whatever the tracker does; and nothing else depends on it."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.background import Background, is_alive, wait_until
from support.exams import ANSWERS, exam_of, judge, use, with_program
from support.mlflow_server import SharedServer
from support.openai_server import Failure, Request
from support.suite import TEST, Run, Suite
from support.trackers import Kind, Tracker

from pytest_pitcheval import cli
from pytest_pitcheval.tracking.spool import Spool, Waiting

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
    [session] = [one for one in logged.sessions() if one.data.tags["pitcheval.run_id"] == document["run"]["id"]]
    assert session.info.status == "FINISHED"
    assert session.data.params["generator_model"] == document["run"]["generator_model"]
    scores = [test["score"] for test in document["tests"]]
    assert session.data.metrics["mean"] == pytest.approx(sum(scores) / len(scores))
    assert session.data.metrics["fresh_calls"] == sum(test["lm_calls"]["fresh"] for test in document["tests"])
    assert session.data.metrics["passed_tests"] == len(scores)
    assert logged.artifact(session, "run.json") == document
    children = logged.children(session)
    ours = [run for run in logged.runs() if run.data.tags["pitcheval.run_id"] == document["run"]["id"]]
    assert len(ours) == 1 + len(children)
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


@pytest.mark.parametrize(("workers", "processes"), [("-n0", 1), ("-n4", 5)])
def test_a_server_has_one_run_of_a_session(
    suite: Suite, mlflow_server: SharedServer, experiment: str, workers: str, processes: int
) -> None:
    suite.add("conftest.py", NOTES_IMPORTS)
    run = suite.run(
        workers,
        "--optimization=none,labeled",
        "--eval-min-mean=0.5",
        *to(mlflow_server, experiment),
        subprocess=True,
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
    imported = [path.read_text(encoding="utf-8") for path in suite.path.glob("imported-*")]
    assert imported == ["False"] * processes  # MLflow, where tests run


NOTES_IMPORTS = """

def pytest_unconfigure(config):
    import os, sys
    from pathlib import Path
    Path(f"imported-{os.getpid()}").write_text(str("mlflow" in sys.modules))
"""


def to(server: SharedServer, experiment: str) -> tuple[str, ...]:
    """The options for logging there, however slow this machine is."""
    return f"--eval-mlflow={server.url}", f"--eval-mlflow-experiment={experiment}", SECONDS


def test_the_figures_of_a_judges_exam_and_none_of_its_scores(
    suite: Suite, mlflow_server: SharedServer, experiment: str
) -> None:
    use(suite)
    with_program(suite)
    judge(suite, wrong=range(18), others=0.75)
    run = suite.run(*to(mlflow_server, experiment))
    logged = Logged(mlflow_server.url, experiment)
    [session] = logged.sessions()
    exam = logged.children(session)["test_judge.py::test_judge [none]"].data.metrics
    kappa = exam_of(run)["figures"]["kappa"]
    names = ("value", "ci95_low", "ci95_high")
    assert [exam[f"judge/kappa/{name}"] for name in names] == [kappa["value"], *kappa["ci95"]]
    assert "mean" not in exam
    assert session.data.metrics["mean"] == 0.75
    assert session.data.metrics["fresh_calls"] == ANSWERS + 2 * QUESTIONS
    held = session.data.tags["pitcheval.gate.min_mean/test_qa.py::test_qa/none"]
    assert held.startswith("failed: judge not qualified: kappa -0.5 ")


def test_the_local_store_is_the_default(suite: Suite) -> None:
    text = (suite.path / "pytest.ini").read_text(encoding="utf-8").replace("eval_mlflow = off\n", "")
    suite.write("pytest.ini", text)
    run = suite.run(SECONDS)
    assert run.result.ret == pytest.ExitCode.OK
    uri = f"sqlite:///{suite.path}/mlflow.db"
    assert run.document is not None
    check_logged(Logged(uri, "pytest-pitcheval"), run.document)
    assert log_line(run).endswith(f" in {uri}, which mlflow ui shows")


def test_a_name_and_tags_of_ones_own(suite: Suite, mlflow_server: SharedServer, experiment: str) -> None:
    suite.add("pytest.ini", f"eval_mlflow_run_name = nightly\neval_mlflow_experiment = {experiment}\n")
    suite.add("pytest.ini", "eval_mlflow_tags =\n    team = sharks\n    stage = 2\n")
    suite.run(f"--eval-mlflow={mlflow_server.url}", SECONDS)
    [session] = Logged(mlflow_server.url, experiment).sessions()
    assert (session.info.run_name, session.data.tags["team"], session.data.tags["stage"]) == ("nightly", "sharks", "2")


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
def test_a_broken_tracker_costs_nothing_but_the_deadline(suite: Suite, kind: Kind) -> None:
    expected = without(suite.run("--eval-min-mean=0.9"))
    with Tracker(kind) as tracker:
        run = run_until_asked(suite, tracker, "--eval-min-mean=0.9")
    assert log_line(run).startswith("mlflow: not logged: ")
    assert without(run) == expected
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert run.document is not None
    assert run.document["run"]["id"] in waiting(suite)


def run_until_asked(suite: Suite, tracker: Tracker, *arguments: str) -> Run:
    """A run whose deadline was late enough for MLflow to be imported and the tracker to be asked."""
    for seconds in (8, 30, 120):
        run = suite.run(*arguments, f"--eval-mlflow={tracker.url}", f"--eval-mlflow-timeout={seconds}")
        if tracker.requests or "in time" not in log_line(run):
            return run
    raise AssertionError("the tracker was never asked")


def waiting(suite: Suite) -> list[str]:
    """The runs that wait to be logged."""
    return sorted(path.stem for path in (suite.path / ".pitcheval" / "spool").glob("*.json"))


def test_what_was_cut_off_anywhere_is_sent_once(
    suite: Suite, mlflow_server: SharedServer, sync: Callable[..., int], experiment: str
) -> None:
    """By a tracker that is too slow, or dies, between calls, and before anything is tried."""
    options = to(mlflow_server, experiment)
    first = suite.run(*NOWHERE)
    expected = without(first)
    with Tracker("slow", behind=mlflow_server.url) as tracker:
        runs = [first, run_until_asked(suite, tracker, *options)]
        assert tracker.requests > 0
    for answers in (1, 8):
        with Tracker("dying", behind=mlflow_server.url, answers=answers) as tracker:
            runs.append(suite.run(*options, f"--eval-mlflow={tracker.url}"))
    documents = [run.document for run in runs if run.document]
    assert [without(run) for run in runs] == [expected] * 4
    assert {document["run"]["id"] for document in documents} <= set(waiting(suite))
    cut_off = len(waiting(suite))
    move_spool(suite, mlflow_server.url)
    assert sync(*options) == 0
    assert sync(*options) == 0
    logged = Logged(mlflow_server.url, experiment)
    for document in documents:
        check_logged(logged, document)
    assert len(logged.sessions()) == cut_off
    assert len(documents) == 4
    assert waiting(suite) == []


NOWHERE = ("--eval-mlflow=http://127.0.0.1:9", "--eval-mlflow-timeout=0.1")
"""For runs that are to wait: nothing listens there, and nobody needs to find out."""


def test_pictures_are_logged_once_and_hold_up_nothing(
    suite: Suite, mlflow_server: SharedServer, sync: Callable[..., int], experiment: str
) -> None:
    """A tracker that takes records and no pictures has the records; the pictures follow when it does."""
    suite.write("conftest.py", DRAWING)
    for name in ("a.png", "b.png"):
        (suite.path / name).write_bytes(b"\x89PNG" + name.encode() * 100)
    names = ["a.png", "b.png", "a.png"]
    rows = [{"id": f"e{n}", "question": f"question {n}?", "picture": name} for n, name in enumerate(names)]
    suite.write("data.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    suite.write("test_qa.py", TEST.replace('["question"]', '["question", "picture"]'))
    options = to(mlflow_server, experiment)
    with Tracker("healthy", mlflow_server.url, refused="/media/") as tracker:
        run = suite.run("-n2", *options, f"--eval-mlflow={tracker.url}", subprocess=True)
    assert run.document is not None
    [link, later] = [line for line in run.result.outlines if line.startswith("mlflow: ")]
    assert link.startswith(f"mlflow: {tracker.url}/#/")
    assert re.fullmatch(r"mlflow: media: 3 of 3 not logged: .*403.*; pitcheval sync sends them", later), later
    logged = Logged(mlflow_server.url, experiment)
    check_logged(logged, run.document)
    assert waiting(suite) == [run.document["run"]["id"]]
    move_spool(suite, mlflow_server.url)
    assert sync(*options) == 0
    check_logged(logged, run.document)
    [session] = logged.sessions()
    kept = {path.name: path.stat().st_size for path in (suite.path / ".pitcheval" / "media").iterdir()}
    files = logged.client.list_artifacts(session.info.run_id, "media")
    assert {Path(file.path).name: file.file_size for file in files} == kept
    assert len(kept) == 3  # two of rows, and one that the program drew each time
    table = logged.artifact(session, "evaluations.json")
    shown = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    sums = [test["inputs"]["picture"]["sha256"] for test in run.tests]
    assert [row["inputs.picture"] for row in shown] == [f"media/{total}.png" for total in sums]
    assert {row["prediction.drawn"] for row in shown} <= {file.path for file in files}
    assert waiting(suite) == []


DRAWING = """
import base64

import dspy
import pytest


class Draw(dspy.Module):
    def forward(self, question: str, picture: dspy.Image):
        content = base64.b64encode(b"GIF8" + b"drawn" * 50).decode()
        return dspy.Prediction(answer=question, drawn=dspy.Image(url=f"data:image/gif;base64,{content}"))


@pytest.fixture(scope="session")
def program():
    return Draw()


@pytest.fixture(scope="session")
def metric():
    return lambda example, pred, trace=None: 0.75
"""


def test_a_lost_answer_makes_no_second_run(suite: Suite, mlflow_server: SharedServer, experiment: str) -> None:
    """MLflow's client sends a request again, also one that makes a run, when only its answer was lost."""
    with Tracker("lossy", behind=mlflow_server.url) as tracker:
        run = suite.run(*to(mlflow_server, experiment), f"--eval-mlflow={tracker.url}")
    assert log_line(run).startswith(f"mlflow: {tracker.url}/#/")
    made = [line for line in tracker.lines if "runs/create" in line]
    assert len(made) == 3  # the session's twice, the test's once
    assert run.document is not None
    check_logged(Logged(mlflow_server.url, experiment), run.document)


def test_the_next_session_sends_what_waits(suite: Suite, mlflow_server: SharedServer, experiment: str) -> None:
    first = suite.run(*NOWHERE)
    move_spool(suite, mlflow_server.url)
    second = suite.run(*to(mlflow_server, experiment))
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
    suite.run(*NOWHERE)
    capsys.readouterr()
    assert sync(f"--eval-mlflow=sqlite:///{tmp_path}/other.db", SECONDS) == 0
    assert capsys.readouterr().out == "mlflow: 1 more wait for http://127.0.0.1:9: --eval-mlflow names it\n"
    assert len(list((suite.path / ".pitcheval" / "spool").iterdir())) == 1


def test_a_smaller_session_timeout_holds(suite: Suite) -> None:
    with Tracker("silent") as tracker:
        run = suite.run(f"--eval-mlflow={tracker.url}", "--eval-mlflow-timeout=600", "--session-timeout=6")
    assert log_line(run).startswith("mlflow: not logged: the tracker did not answer in time")


def test_no_credential_is_shown_or_written(suite: Suite) -> None:
    """Not even those that a server repeats."""
    with Tracker("echo") as tracker:
        uri = tracker.url.replace("http://", "http://ada:s3cr3t-w0rd@")
        run = suite.run(f"--eval-mlflow={uri}", SECONDS, "--eval-json=copy.json", "--junit-xml=junit.xml")
    basic = base64.b64encode(b"ada:s3cr3t-w0rd").decode()
    assert "Authorization: Basic ***" in log_line(run)
    assert "s3cr3t-w0rd" not in run.text
    assert basic not in run.text
    files = [path for path in suite.path.rglob("*") if path.is_file()]
    assert [path for path in files if b"s3cr3t-w0rd" in path.read_bytes() or basic.encode() in path.read_bytes()] == []
    assert len(files) > 5


def test_a_process_that_cannot_be_started_is_one_line(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = without(suite.run())
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    run = suite.run("--eval-mlflow=http://127.0.0.1:9")
    assert log_line(run).startswith("mlflow: not logged: the logging process could not be started: ")
    assert without(run) == expected


@pytest.fixture
def good_run(suite: Suite, mlflow_server: SharedServer, experiment: str) -> tuple[str, ...]:
    """The options of a run whose gates passed, and that was logged."""
    options = to(mlflow_server, experiment)
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
    suite: Suite, mlflow_server: SharedServer, reference: str, reason: str
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


def test_traces_of_the_examples(
    suite: Suite,
    mlflow_server: SharedServer,
    sync: Callable[..., int],
    experiment: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever the environment says of the user's own logging; and what was cut off is completed."""
    import mlflow

    monkeypatch.setenv("MLFLOW_ENABLE_ASYNC_LOGGING", "true")
    monkeypatch.setenv("MLFLOW_ENABLE_ASYNC_TRACE_LOGGING", "true")
    monkeypatch.setenv("MLFLOW_TRACE_SAMPLING_RATIO", "0")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    suite.server.fail = judge_fails
    options = to(mlflow_server, experiment)
    run = suite.run(*options, "--eval-mlflow-traces")
    logged = Logged(mlflow_server.url, experiment)
    traces = check_traces(logged, run)
    scored, other, _ = [trace for trace in traces if trace.info.assessments]
    [feedback] = scored.info.assessments
    mlflow.set_tracking_uri(mlflow_server.url)
    mlflow.delete_assessment(trace_id=scored.info.trace_id, assessment_id=feedback.assessment_id)
    logged.client.delete_traces(str(logged.experiment_id), trace_ids=[other.info.trace_id])
    assert run.document is not None
    [file] = (suite.path / ".pitcheval" / "runs").glob("*.json")
    spool = Spool(suite.path / ".pitcheval")
    spool.add(Waiting(run.document["run"]["id"], str(file), mlflow_server.url, traces=True))
    assert sync(*options) == 0
    check_traces(logged, run)


def check_traces(logged: Logged, run: Run) -> list[Any]:
    traces = logged.client.search_traces(locations=[logged.experiment_id])
    by_rollout = {trace.info.tags["pitcheval.rollout_id"]: trace for trace in traces}
    assert len(traces) == QUESTIONS
    for test in run.tests:
        trace = by_rollout[test["rollout_id"]]
        [span] = trace.data.spans
        assert (span.inputs, span.outputs) == (test["inputs"], test["prediction"])
        scores = [one.feedback.value for one in trace.info.assessments]
        assert scores == ([] if test["score"] is None else [test["score"]])
    return list(traces)


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


def test_the_process_that_logs_is_gone_when_the_session_ends(
    suite: Suite, background: Callable[..., Background]
) -> None:
    with Tracker("drip") as tracker:
        run = background(f"--eval-mlflow={tracker.url}", "--eval-mlflow-timeout=20")
        wait_until(lambda: tracker.requests > 0)
        [logging] = children(run.process.pid)
        assert run.wait() == pytest.ExitCode.OK
        assert not is_alive(logging)


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    done = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(one) for one in done.stdout.split()]


def test_the_store_has_both_of_two_sessions_that_made_it_at_once(suite: Suite) -> None:
    """Sessions that know nothing of each other."""
    uri = f"sqlite:///{suite.path}/new.db"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--eval-mlflow={uri}", SECONDS]
    running = [
        subprocess.Popen([*command, f"--eval-dir={name}"], cwd=suite.path, stdout=subprocess.DEVNULL)
        for name in ("one", "two")
    ]
    assert [process.wait(180) for process in running] == [0, 0]
    with sqlite3.connect(suite.path / "new.db") as connection:
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
    connection.close()
    logged = Logged(uri, "pytest-pitcheval")
    for name in ("one", "two"):
        [file] = (suite.path / name / "runs").glob("*.json")
        check_logged(logged, json.loads(file.read_text(encoding="utf-8")))
    assert list(suite.path.glob("new.db.*")) == []


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_a_users_own_tracing_goes_on_beside_it(
    suite: Suite, mlflow_server: SharedServer, experiment: str, workers: str
) -> None:
    expected = without(suite.run())
    theirs = f"{experiment} of the user"
    Logged(mlflow_server.url, theirs).client.create_experiment(theirs)
    suite.add("conftest.py", AUTOLOG.format(url=mlflow_server.url, experiment=theirs))
    run = suite.run(workers, *to(mlflow_server, experiment), subprocess=True)
    assert without(run) == expected
    assert run.document is not None
    check_logged(Logged(mlflow_server.url, experiment), run.document)
    logged = Logged(mlflow_server.url, theirs)
    assert logged.runs() == []
    traces = logged.client.search_traces(locations=[logged.experiment_id])
    asked = sorted(question(trace) for trace in traces)
    assert asked == sorted([f"question {n}?" for n in range(QUESTIONS)] * 2)  # the program's calls, and the judge's


AUTOLOG = """

import os

import mlflow

os.environ["MLFLOW_ENABLE_ASYNC_TRACE_LOGGING"] = "false"  # a trace is there when its call has returned
mlflow.set_tracking_uri({url!r})
mlflow.set_experiment({experiment!r})
mlflow.dspy.autolog()
"""


def question(trace: Any) -> str:
    """What the outermost span of a trace was asked."""
    [root] = [span for span in trace.data.spans if span.parent_id is None]
    return str(root.inputs["question"])
