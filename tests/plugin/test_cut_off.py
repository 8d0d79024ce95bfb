"""A run whose budget was reached: what its gates, reports, baseline and later commands say."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from support.background import Background, wait_until
from support.command_line import Command
from support.html_page import Reader
from support.junit_file import properties_of, read_suite
from support.suite import DYING, TEST, Run, Suite

CAPPED = ("--eval-price=openai/*=1000/1000", "--eval-max-cost=1", "--eval-concurrency=4")
"""A dollar for about ten calls."""
GATED = TEST.replace("threshold=0.5", "threshold=0.5, min_mean=0.1, min_pass_rate=0.1, max_error_rate=1")
WORSE = re.compile("regress|dropped by|fell|worse", re.IGNORECASE)
"""Words of reports that say that something got worse."""


@pytest.fixture
def imported_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before pytester remembers what was imported; and no tracker stays in the environment."""
    import mlflow
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")


@pytest.fixture
def suite(suite: Suite) -> Suite:
    """Twenty examples that all score worse than in their baseline, by far."""
    suite.rows(20)
    suite.write("test_qa.py", GATED)
    suite.scores(lambda request: 0.95)
    suite.run("--eval-update-baseline")
    suite.scores(lambda request: 0.55)
    return suite


def says_worse(text: str) -> list[str]:
    """What of ``text`` says so; options and gates may be named."""
    return WORSE.findall(re.sub(r"max[_-]regression", "", text))


def left_out(run: Run) -> int:
    return sum(test["left_out"] == "budget" for test in run.tests)


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")  # SQLAlchemy of MLflow's own store
def test_reports_have_one_line_and_gates_are_not_decided(
    imported_mlflow: None, suite: Suite, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri, step = f"sqlite:///{suite.path}/store.db", suite.path / "step.md"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(step))
    reports = ("--eval-html=page.html", "--eval-markdown=summary.md", "--junit-xml=junit.xml")
    tracked = (f"--eval-mlflow={uri}", "--eval-mlflow-timeout=120")
    run = suite.run(*CAPPED, *reports, *tracked, "--eval-max-example-drop=0.1", "-n2")
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert run.document is not None
    ran, run_id = 20 - left_out(run), run.document["run"]["id"]
    reason = f"not decided: budget: $1.00 reached after {ran} of 20 examples"
    assert {(gate["status"], gate["value"], gate["reason"]) for gate in run.document["gates"]} == {
        ("failed", None, reason)
    }
    assert len(run.document["gates"]) == 5
    [compared] = run.document["comparisons"]
    assert (compared["result"], compared["pairs"]) == (None, [])
    cost = run.document["run"]["budget"]["cost"]
    line = (
        f"budget: $1.00 reached, ${cost:.2f} spent: {left_out(run)} of 20 examples left out; "
        f"--eval-resume={run_id} with a higher cap goes on"
    )
    texts = {
        "terminal": run.text,
        "page": Reader((suite.path / "page.html").read_text(encoding="utf-8")).text,
        "summary": (suite.path / "summary.md").read_text(encoding="utf-8").replace("&#36;", "$"),
        "step": step.read_text(encoding="utf-8").replace("&#36;", "$"),
    }
    assert [name for name, text in texts.items() if says_worse(text)] == []
    assert line.replace("; ", "\n  ") in texts["terminal"]
    assert line.removeprefix("budget: ") in texts["page"]
    assert line in texts["summary"]
    assert line in texts["step"]
    assert run.document["budget"] == line
    assert f"::error title=pitcheval%3A the budget was reached::{line}" in run.result.stdout.lines
    assert properties_of(read_suite(suite.path / "junit.xml"))["pitcheval.budget"] == line
    assert mlflow_tags(uri) == {line}

    decided = command("decide", "last", "--eval-max-regression=0.01")
    assert decided.code == pytest.ExitCode.TESTS_FAILED
    assert says_worse("\n".join(decided.lines)) == []
    assert line.partition("; ")[0] in decided.lines
    shown = command("show", "last")
    assert line.partition("; ")[0] in shown.lines
    compared_again = "\n".join(command("compare", "pitcheval-baseline.json", "last").lines)
    assert f"not compared: {left_out(run)} of 20 examples were left out" in " ".join(compared_again.split())
    assert says_worse(compared_again) == []


def mlflow_tags(uri: str) -> set[str]:
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("pytest-pitcheval")
    assert experiment is not None
    return {run.data.tags["pitcheval.budget"] for run in client.search_runs([experiment.experiment_id])}


def test_without_any_gate_the_exit_code_says_it(suite: Suite, command: Command) -> None:
    (suite.path / "pitcheval-baseline.json").unlink()
    suite.write("test_qa.py", TEST)
    run = suite.run(*CAPPED)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert run.document is not None
    assert run.document["gates"] == []
    assert left_out(run) > 0
    assert command("decide", "last").code == pytest.ExitCode.TESTS_FAILED


def test_a_baseline_is_not_made_of_it(suite: Suite, command: Command) -> None:
    before = (suite.path / "pitcheval-baseline.json").read_text(encoding="utf-8")
    run = suite.run(*CAPPED, "--eval-update-baseline=add")
    number = left_out(run)
    assert f"baseline: pitcheval-baseline.json: not written, as {number} examples were left out (budget)" in run.text
    decided = command("decide", "last", "--eval-update-baseline")
    assert any("not written" in line for line in decided.lines)
    assert (suite.path / "pitcheval-baseline.json").read_text(encoding="utf-8") == before


def test_a_test_that_was_finished_before_is_decided(suite: Suite) -> None:
    """Only the second of two tests is cut off: the first one is worse, and says so."""
    suite.write("test_a.py", GATED.replace("data.jsonl", "few.jsonl"))
    suite.rows(6, "few.jsonl")
    suite.scores(lambda request: 0.95)
    suite.run("--eval-update-baseline")
    suite.scores(lambda request: 0.55)
    run = suite.run(*CAPPED, "--eval-max-cost=2")
    assert run.document is not None
    gates = {(gate["test"], gate["gate"]): gate["reason"] for gate in run.document["gates"]}
    assert gates["test_a.py::test_qa", "max_regression"].startswith("dropped by 0.4")
    assert gates["test_a.py::test_qa", "min_mean"] == "mean 0.55 reaches 0.1"
    assert gates["test_qa.py::test_qa", "max_regression"].startswith("not decided: budget: $2.00 reached after ")


def test_merged_with_other_shards_it_is_cut_off_all_the_same(suite: Suite, command: Command) -> None:
    suite.run("-k", "e1", "--eval-json=whole.json", *CAPPED[:1], "--eval-max-cost=100")
    second = suite.run("-k", "not e1", "--eval-json=part.json", *CAPPED)
    merged = command("merge", "whole.json", "part.json")
    assert merged.code == pytest.ExitCode.TESTS_FAILED
    assert says_worse("\n".join(merged.lines)) == []
    number = left_out(second)
    [line] = [line for line in merged.lines if line.startswith("budget: ")]
    assert line.startswith("budget: $1.00 reached, $")
    assert line.endswith(f" spent: {number} of 20 examples left out")


def test_what_stops_early_and_is_decided_is_not_cut_off(suite: Suite) -> None:
    run = suite.run("--eval-stop=decided", *CAPPED[::2], "--eval-max-cost=5")
    assert run.document is not None
    [summary] = run.document["summary"]
    assert set(summary["left_out_for"]) == {"decided"}
    assert run.document["budget"].endswith(" of $5.00 spent")
    cut = suite.run("--eval-stop=decided", *CAPPED)
    assert cut.document is not None
    assert {gate["reason"].partition(" after")[0] for gate in cut.document["gates"]} == {
        "not decided: budget: $1.00 reached"
    }
    assert says_worse(cut.text) == []


FREE_FORM = """
import dspy
import pytest


@pytest.mark.parametrize("number", range(8))
def test_free(program, generator_lm, record_score, number):
    with dspy.context(lm=generator_lm):
        try:
            answer = program(question=f"question {number}?").answer
        except Exception:
            answer = ""
    assert record_score(1.0 if answer else 0.0) > 0
"""


def test_tests_of_any_form_are_skipped_as_well(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    suite.write("test_qa.py", FREE_FORM)
    run = suite.run(*CAPPED[:2], "--eval-max-cost=0.3", *plugin_args)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert {(test["status"], test["error"]) for test in run.tests} == {
        ("passed", None),
        ("skipped", "budget: $0.30 reached"),
    }


PLAIN = """
def test_plain(program, generator_lm):
    import dspy

    with dspy.context(lm=generator_lm):
        assert program(question="why?").answer
"""


def test_tests_that_are_no_evaluations_are_skipped_as_well(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    suite.write("test_qa.py", PLAIN)
    run = suite.run(*CAPPED[:1], "--eval-max-cost=0", *plugin_args)
    assert (run.requests, run.document) == ([], None)
    run.result.assert_outcomes(skipped=1)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    run.result.stdout.fnmatch_lines(["pitcheval: budget: $0.00 reached"])


ASKING_FIXTURE = """

@pytest.fixture(scope="session")
def program(generator_lm):
    with dspy.context(lm=generator_lm):
        hint = dspy.Predict("question -> answer")(question="any hint?").answer
    made = dspy.Predict("question, hint -> answer")
    made.signature = made.signature.with_instructions(hint)
    return dspy.Predict("question -> answer")
"""


def test_a_fixture_that_asks_counts_and_is_refused(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    suite.add("conftest.py", ASKING_FIXTURE)
    run = suite.run(*CAPPED, *plugin_args)
    assert run.document is not None
    told = run.document["run"]["budget"]
    assert told["cost_beside"] > 0
    assert sum(test["cost"] for test in run.tests) + told["cost_beside"] == pytest.approx(told["cost"])
    none = suite.run(*CAPPED[:1], "--eval-max-cost=0", *plugin_args)
    assert none.requests == []
    none.result.assert_outcomes(skipped=20)


def test_what_a_fixture_asked_in_an_earlier_session_costs_nothing_and_has_a_price(suite: Suite) -> None:
    """Its LM calls are of no rollout, so DSPy's cache answers them."""
    suite.add("conftest.py", ASKING_FIXTURE)
    first, second = (suite.run(*CAPPED[:1], "--eval-max-cost=100") for _ in range(2))
    for run in (first, second):
        run.result.assert_outcomes(passed=20)
    beside = [run.document["run"]["budget"]["cost_beside"] for run in (first, second) if run.document]
    assert beside[0] > 0
    assert beside[1] == 0
    assert len(second.requests) == len(first.requests) - 1


def programs(suite: Suite) -> list[Path]:
    return list((suite.path / ".pitcheval" / "programs").glob("*.json"))


def test_compiling_is_paid_for_too(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    suite.write("test_qa.py", TEST)
    options = ("--optimization=bootstrap_random", *CAPPED[::2], *plugin_args)
    first = suite.run("--eval-max-cost=1", *options)
    assert first.result.ret == pytest.ExitCode.TESTS_FAILED, first.text
    first.result.assert_outcomes(skipped=20)
    assert programs(suite) == []
    assert first.document is not None
    assert first.document["run"]["budget"]["cost_beside"] == first.document["run"]["budget"]["cost"] >= 1
    assert {test["error"] for test in first.tests} == {"budget: $1.00 reached"}
    second = suite.run("--eval-max-cost=1000", "--eval-resume=last", *options)
    second.result.assert_outcomes(passed=20)
    assert len(programs(suite)) == 1
    asked = [request.prompt for request in first.requests]
    assert not set(asked) & {request.prompt for request in second.requests}


@pytest.mark.parametrize("option", [("--reruns=2",), ("-x",), ("--maxfail=2",)])
def test_it_is_no_failure(suite: Suite, option: tuple[str, ...]) -> None:
    """Neither does it stop other tests, nor is a test tried again because of it."""
    run = suite.run(*CAPPED, *option)
    outcomes = run.result.parseoutcomes()
    assert set(outcomes) == {"passed", "skipped"}
    assert sum(outcomes.values()) == 20


def test_a_worker_that_dies_has_spent_what_it_has(suite: Suite) -> None:
    suite.add("conftest.py", DYING)
    suite.server.latency = 0.05
    run = suite.run(*CAPPED, "--eval-max-cost=2", "-n2")
    assert run.document is not None
    told = run.document["run"]["budget"]
    assert told["cost"] >= 2
    assert told["cost"] >= sum(test["cost"] for test in run.tests)
    wait_until(lambda: suite.server.in_flight == 0)
    assert len(run.requests) < 40


def test_a_killed_run_goes_on_with_what_it_had_spent(suite: Suite, background: Callable[..., Background]) -> None:
    with suite.held(verdicts=12):
        run = background(*CAPPED[::2])
        wait_until(lambda: run.records > 4)
        run.process.kill()
        run.wait()
    wait_until(lambda: suite.server.in_flight == 0)
    resumed = suite.run("--eval-resume=last", *CAPPED[::2], "--eval-max-cost=0.01")
    assert resumed.requests == []
    assert resumed.document is not None
    assert resumed.document["run"]["budget"]["cost_before"] > 0.3
    assert 0 < left_out(resumed) < 20
