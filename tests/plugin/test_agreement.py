"""A run's numbers are the same wherever they are told."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from support.command_line import Command
from support.html_page import Reader, data
from support.junit_file import properties_of, read_suite
from support.markdown_tables import tables
from support.openai_server import Failure, Request
from support.suite import DYING, Run, Suite

from pytest_pitcheval.results import formats

EXAMPLES, PASSED, FAILED, ERRORS, MISSING = 12, 7, 3, 1, 1


@pytest.fixture(autouse=True)
def _imported_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before pytester remembers what was imported; and no tracker stays in the environment."""
    import mlflow
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")


def number(request: Request) -> int:
    [found] = set(re.findall(r"question (\d+)\?", request.prompt))
    return int(found)


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")  # SQLAlchemy of MLflow's own store
def test_six_places_agree(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    suite.add("conftest.py", DYING)
    suite.rows(EXAMPLES)
    suite.scores(lambda request: 0.8)
    with monkeypatch.context() as patch:
        patch.setenv("SPARED", "1")
        suite.run("--eval-update-baseline")
    suite.scores(lambda request: 0.9 - 0.05 * number(request))
    suite.server.fail = lambda request: Failure() if request.model == "judge" and number(request) == 3 else None
    uri = f"sqlite:///{suite.path}/store.db"
    reports = ("--eval-html=page.html", "--eval-markdown=summary.md", "--junit-xml=junit.xml")
    run = suite.run(*reports, f"--eval-mlflow={uri}", "--eval-mlflow-timeout=120", "--eval-min-mean=0.5", "-n2")
    assert run.document is not None

    [summary] = run.document["summary"]
    [compared] = run.document["comparisons"]
    count = {name: sum(test["status"] == name for test in run.tests) for name in ("passed", "failed", "error")}
    assert count == {"passed": PASSED, "failed": FAILED, "error": ERRORS}
    assert len(run.document["missing"]) == MISSING
    assert (summary["examples"], summary["scored"], summary["passed"]) == (EXAMPLES, PASSED + FAILED, PASSED)
    scores = [test["score"] for test in run.tests if test["score"] is not None]
    assert summary["mean"] == pytest.approx(sum(scores) / len(scores))
    fresh = sum(test["lm_calls"]["fresh"] for test in run.tests)
    failed_gates = [gate["gate"] for gate in run.document["gates"] if gate["status"] == "failed"]
    assert failed_gates == ["min_mean", "max_regression"]

    mean, interval = f"{summary['mean']:.3f}", "{:.3f}-{:.3f}".format(*summary["ci95"])
    difference = f"{compared['result']['difference']:+.3f}"
    change = "{:+.3f} to {:+.3f}".format(*compared["result"]["ci95"])
    scored, rate = f"{summary['scored']}/{EXAMPLES}", f"{round(100 * summary['pass_rate'])} %"
    regressed = [one["example_id"] for one in compared["pairs"] if sum(one["after"]) < sum(one["before"])]

    terminal(run.text, [scored, mean, interval, rate, str(fresh)], compared, failed_gates)
    html(suite, [mean, interval, rate, difference, change], count, regressed)
    markdown(suite, [scored, f"{mean} [{interval}]", rate, f"{difference} [{change}]"], failed_gates)
    junit(suite, scores, count, fresh, failed_gates)
    mlflow(uri, run.document["run"]["id"], summary, compared, count, fresh)


def terminal(text: str, numbers: list[str], compared: dict[str, Any], gates: list[str]) -> None:
    [row] = re.findall(r"^  none +(.*)$", text, flags=re.MULTILINE)
    assert " ".join(row.split()).startswith(" ".join(numbers))
    assert f"{compared['mean_before']:.3f}, now {compared['mean_after']:.3f}" in text
    assert re.findall(r"^FAIL (\w+)=", text, flags=re.MULTILINE) == gates


def html(suite: Suite, numbers: list[str], count: dict[str, int], regressed: list[str]) -> None:
    page = (suite.path / "page.html").read_text(encoding="utf-8")
    text, examples = Reader(page).text, data(page)["examples"]
    assert [number for number in numbers if number not in text] == []
    for status, expected in {**count, "missing": MISSING}.items():
        assert sum(one["status"] == status for one in examples) == expected
    failed, errors = f"{FAILED} of {EXAMPLES} examples failed", f"1 of {EXAMPLES} examples ended in an error"
    assert f"2 of 2 gates failed, {failed}, {errors}, 1 of {EXAMPLES} examples left no record." in text
    assert {one["example"] for one in examples if one.get("change", 0) < 0} == set(regressed)
    assert f"{len(regressed)} regressed" in text


def markdown(suite: Suite, numbers: list[str], gates: list[str]) -> None:
    results, decided, _ = tables((suite.path / "summary.md").read_text(encoding="utf-8"))
    assert results[1][2:6] == numbers
    assert [row[0].partition("=")[0] for row in decided[1:] if row[3] == "failed"] == gates


def junit(suite: Suite, scores: list[float], count: dict[str, int], fresh: int, gates: list[str]) -> None:
    xml = read_suite(suite.path / "junit.xml")
    said = properties_of(xml)
    names = ("examples", "scored", "passed", "failed", "errors", "fresh_calls")
    expected = (EXAMPLES - MISSING, len(scores), count["passed"], count["failed"], count["error"], fresh)
    assert tuple(int(said[f"pitcheval.{name}"]) for name in names) == expected
    found = [properties_of(one).get("pitcheval.score") for one in xml.iter("testcase")]
    assert sorted(float(one) for one in found if one) == sorted(scores)
    failed = [
        one.get("name", "").split()[0] for one in xml.iter("testcase") if one.get("classname") == "pitcheval.gates"
    ]
    assert failed == gates


def mlflow(
    uri: str, run_id: str, summary: dict[str, Any], compared: dict[str, Any], count: dict[str, int], fresh: int
) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("pytest-pitcheval")
    assert experiment is not None
    runs = {run.data.tags["pitcheval.part"]: run.data.metrics for run in client.search_runs([experiment.experiment_id])}
    session = runs.pop("session")
    [part] = runs.values()
    for status in ("passed", "failed", "error"):
        assert session[f"{status}_tests"] == count[status]
    assert (session["missing_tests"], session["fresh_calls"], session["failed_gates"]) == (MISSING, fresh, 2)
    assert session["mean"] == pytest.approx(summary["mean"])
    assert {name: part[name] for name in ("examples", "scored", "passed", "mean", "pass_rate")} == {
        name: summary[name] for name in ("examples", "scored", "passed", "mean", "pass_rate")
    }
    assert [part["ci95_low"], part["ci95_high"]] == summary["ci95"]
    assert part["baseline_difference"] == compared["result"]["difference"]


METRIC = """

@pytest.fixture(scope="session")
def metric(evaluator_lm):
    judge = dspy.Predict("question, answer -> score: float, feedback")
    judge.set_lm(evaluator_lm)

    def verdict(example, pred, trace=None):
        score = judge(question=example.question, answer=pred.answer).score
        return dspy.Prediction(score=score, relevancy=score / 2, words=len(pred.answer))

    return verdict
"""
SLICED = """
import pytest


@pytest.mark.evaluation(
    "data.jsonl",
    inputs=["question"],
    min_mean={"relevancy": 0.5},
    max_regression={"score": 0.05, "relevancy": 0.05},
    slices={"topic": {"max_regression": 0.05}},
)
def test_qa(score):
    pass
"""


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")
def test_metrics_slices_and_adjusted_p_are_the_same_everywhere(suite: Suite, command: Command) -> None:
    topics = ["refunds"] * 9 + ["delivery & <b>more</b>"] * 9
    rows = [{"id": f"e{n}", "question": f"question {n}?", "topic": topic} for n, topic in enumerate(topics)]
    suite.write("data.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    suite.add("conftest.py", METRIC)
    suite.write("test_qa.py", SLICED)
    suite.scores(lambda request: 0.9 - 0.01 * number(request))
    suite.run("--eval-update-baseline")
    suite.scores(lambda request: 0.5 - 0.02 * number(request))
    uri = f"sqlite:///{suite.path}/store.db"
    reports = ("--eval-html=page.html", "--eval-markdown=summary.md", "--junit-xml=junit.xml")
    run = suite.run(*reports, f"--eval-mlflow={uri}", "--eval-mlflow-timeout=120", "-n2")
    assert run.document is not None
    [summary] = run.document["summary"]
    metrics = {name: summary["metrics"][name] for name in ("relevancy", "words")}
    slices = {f"{one['label']}={one['value']}": one for one in summary["slices"]}
    gates = run.document["gates"]
    told = {(gate["gate"], gate["metric"], gate["slice"]): gate["status"] for gate in gates}
    assert list(slices) == [f"topic={topic}" for topic in dict.fromkeys(topics)]
    wholes = [("min_mean", "relevancy", None), ("max_regression", "score", None), ("max_regression", "relevancy", None)]
    assert told == dict.fromkeys([*wholes, *(("max_regression", "score", name) for name in slices)], "failed")
    assert {gate["among"] for gate in gates} == {None, 4}
    assert all(gate["p"] < gate["p_adjusted"] for gate in gates if gate["p"] is not None)

    means = {name: formats.measure(one["mean"]) for name, one in metrics.items()}
    parts = {name: f"{one['mean']:.3f}" for name, one in slices.items()}
    words = " ".join(run.text.split())
    page = Reader((suite.path / "page.html").read_text(encoding="utf-8")).text
    for name, one in metrics.items():
        interval = formats.measures(one["ci95"])
        assert f"{name} {one['scored']}/18 {means[name]} {interval}" in words
        assert f"{means[name]} {interval}" in page
    for name, one in slices.items():
        interval = "{:.3f}-{:.3f}".format(*one["ci95"])
        assert f"{name} 9/9 {parts[name]} {interval} 100 %" in words
        assert f"{name} none 9/9 {parts[name]} {interval} 100 %" in page
    _, of_metrics, of_slices, decided, _ = tables((suite.path / "summary.md").read_text(encoding="utf-8"))
    assert {row[0]: row[4].partition(" ")[0] for row in of_metrics[1:]} == means
    assert {row[0]: row[4].partition(" ")[0] for row in of_slices[1:]} == parts
    xml = read_suite(suite.path / "junit.xml")
    said = properties_of(xml)
    about = "test_qa.py::test_qa [none]"
    assert {name: float(said[f"pitcheval.metric.{name} {about}"]) for name in metrics} == of("mean", metrics)
    assert {name: float(said[f"pitcheval.slice.{name} {about}"]) for name in slices} == of("mean", slices)
    failures = [case[0].text for case in xml.iter("testcase") if case.get("classname") == "pitcheval.gates"]
    for gate, row, failure in zip(gates, decided[1:], failures, strict=True):
        assert gate["reason"] in words
        assert gate["reason"] in page
        assert row[4] == gate["reason"]
        assert str(failure).endswith(gate["reason"])

    logged = part_of(uri)
    assert {name: logged[f"metric/{name}/mean"] for name in metrics} == of("mean", metrics)
    names = {name: f"slice/topic/{re.sub('[^ a-z/]', '_', name.partition('=')[2])}/mean" for name in slices}
    assert {name: logged[key] for name, key in names.items()} == of("mean", slices)
    for gate in gates:
        kind = "/".join(["gate", gate["gate"], *([gate["metric"]] if gate["metric"] != "score" else [])])
        if gate["slice"] is None and gate["p"] is not None:
            assert (logged[f"{kind}/p"], logged[f"{kind}/p_adjusted"]) == (gate["p"], gate["p_adjusted"])

    again_and_in_parts(suite, command, run)


def again_and_in_parts(suite: Suite, command: Command, run: Run) -> None:
    """The reports made again of the run file are the same, and those of its slices, merged, say the same."""
    command("report", "last", "-o", "again.html")
    command("report", "last", "--markdown", "-o", "again.md")
    for old, new in (("page.html", "again.html"), ("summary.md", "again.md")):
        told, again = ((suite.path / name).read_text(encoding="utf-8") for name in (old, new))
        assert again.strip() == told.partition("Report: ")[0].strip()
    shown = command("show", "last").lines
    start = run.result.outlines.index(shown[0])
    tables_end = run.result.outlines.index("compared with pitcheval-baseline.json")
    assert shown[: tables_end - start] == run.result.outlines[start:tables_end]
    assert run.document is not None
    replay = f"--eval-replay={run.document['run']['id']}"
    for number, name in enumerate(one["value"] for one in run.document["summary"][0]["slices"]):
        suite.run(f"--eval-slice=topic={name}", f"--eval-json=part-{number}.json", replay)
    command("merge", "part-0.json", "part-1.json")
    path = max((suite.path / ".pitcheval" / "runs").glob("*.json"))
    merged = json.loads(path.read_text(encoding="utf-8"))
    [now], [whole] = merged["summary"], run.document["summary"]
    for name in ("slices", "mean", "ci95", "not_run"):
        assert now[name] == whole[name], name
    for name in ("relevancy", "words"):
        assert now["metrics"][name] == whole["metrics"][name]
    assert merged["gates"] == run.document["gates"]


def of(name: str, found: dict[str, Any]) -> dict[str, float]:
    return {key: one[name] for key, one in found.items()}


def part_of(uri: str) -> dict[str, float]:
    """The numbers of the one test and method in MLflow."""
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("pytest-pitcheval")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    [found] = [run.data.metrics for run in runs if run.data.tags["pitcheval.part"] != "session"]
    return dict(found)
