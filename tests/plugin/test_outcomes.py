"""What counts as a low score, as an error, and as no score at all."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import pytest
from support.openai_server import Failure, OpenAIServer, Request, chat_format, dspy_answer
from support.suite import CONFTEST, INI, TEST, Suite

from pytest_pitcheval.names import MEASURED

FREE_FORM = """
import pytest

def test_free(record_score, program):
    {body}
"""


def question(request: Request) -> int:
    """The number of the question that a request is about."""
    found = re.search(r"question (\d+)\?", request.prompt)
    assert found, request.prompt
    return int(found[1])


def fail_model(server: OpenAIServer, model: str, status: int = 400) -> None:
    """Let every call of one of the two models fail."""
    failure = Failure(status, "out of order", retry_after=0 if status == 429 else None)
    server.fail = lambda request: failure if request.model == model else None


def use_program(suite: Suite, forward: str) -> None:
    """Give the suite a program with this body of ``forward``; ``self.ask`` is its predictor."""
    suite.add(
        "conftest.py",
        f"""

class Program(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def forward(self, question):
{forward}

@pytest.fixture(scope="session")
def program():
    return Program()
""",
    )


def use_metric(suite: Suite, body: str) -> None:
    """Give the suite a metric with this body; ``judge`` asks the evaluator LM."""
    suite.add(
        "conftest.py",
        f"""

import numpy

@pytest.fixture(scope="session")
def metric(evaluator_lm):
    judge = Judge(evaluator_lm)
    def score_answer(example, pred, trace=None):
{body}
    return score_answer
""",
    )


def use_free_form_test(suite: Suite, body: str) -> None:
    """Replace the suite's test by a free-form one."""
    suite.write("test_qa.py", FREE_FORM.format(body=body))


def test_a_low_score_is_a_failure(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    def answer(request: Request) -> str:
        score = 0.2 if "question 1?" in request.prompt else 0.9
        return chat_format(score=score, feedback="as it is") if request.model == "judge" else dspy_answer(request)

    suite.server.answer = answer
    run = suite.run(*plugin_args)
    run.result.assert_outcomes(passed=2, failed=1)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert [(test["status"], test["score"]) for test in run.tests] == [
        ("passed", 0.9),
        ("failed", 0.2),
        ("passed", 0.9),
    ]
    assert run.tests[1]["error"] is None


@pytest.mark.parametrize("model", ["generator", "judge"])
@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_an_lm_call_that_the_provider_refuses_is_an_error(suite: Suite, model: str, status: int) -> None:
    fail_model(suite.server, model, status)
    suite.rows(1)
    run = suite.run()
    run.result.assert_outcomes(errors=1)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    [test] = run.tests
    assert (test["status"], test["score"], test["samples"]) == ("error", None, [])
    assert "out of order" in test["error"]
    assert test["lm_calls"]["failed"] == 1
    assert "Traceback" not in run.text


def test_a_provider_that_is_not_there_is_an_error(suite: Suite) -> None:
    with socket.socket() as taken:  # bound, but nobody listens: every connection is refused
        taken.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        url = f"evaluator_api_base = {suite.server.url}"
        suite.write("pytest.ini", INI.format(url=suite.server.url).replace(url, f"evaluator_api_base = {nobody}"))
        run = suite.run()
    run.result.assert_outcomes(errors=3)
    assert [(test["status"], test["score"]) for test in run.tests] == [("error", None)] * 3
    assert len(run.by("generator")) == 3
    assert not run.by("judge")


def test_a_program_that_raises_is_a_failure_with_its_traceback(suite: Suite) -> None:
    use_program(suite, "        raise ValueError('cannot answer that')")
    suite.rows(1)
    run = suite.run()
    run.result.assert_outcomes(failed=1)
    [test] = run.tests
    assert (test["status"], test["score"], test["error"]) == ("failed", None, "ValueError: cannot answer that")
    run.result.stdout.fnmatch_lines(["*raise ValueError('cannot answer that')", "E *ValueError: cannot answer that"])


def test_an_answer_that_cannot_be_parsed_is_a_failure(suite: Suite) -> None:
    suite.server.answer = lambda request: "I would rather not."
    suite.rows(1)
    run = suite.run()
    run.result.assert_outcomes(failed=1)
    [test] = run.tests
    assert (test["status"], test["score"]) == ("failed", None)
    assert "AdapterParseError" in test["error"]
    assert test["lm_calls"]["failed"] == 0


def test_a_metric_that_raises_is_an_error_with_its_traceback(suite: Suite) -> None:
    use_metric(suite, "        return 1 / len(pred.answer[:0])")
    suite.rows(1)
    run = suite.run()
    run.result.assert_outcomes(errors=1)
    [test] = run.tests
    assert (test["status"], test["score"]) == ("error", None)
    run.result.stdout.fnmatch_lines(
        ["the metric raised ZeroDivisionError: *", "*conftest.py*score_answer", "*1 / len(pred.answer?:0?)*"]
    )
    assert "evaluation.py" not in run.text


@pytest.mark.parametrize(
    "returned", ["float('nan')", "float('inf')", "None", "'good'", "dspy.Prediction(feedback='x')"]
)
def test_a_metric_that_returns_no_score_is_an_error_of_one_line(suite: Suite, returned: str) -> None:
    use_metric(suite, f"        return {returned}")
    suite.rows(1)
    run = suite.run()
    run.result.assert_outcomes(errors=1)
    [test] = run.tests
    assert (test["status"], test["score"]) == ("error", None)
    assert test["error"].startswith("the metric returned ")
    run.result.stdout.fnmatch_lines(
        ["*ERROR at setup of test_qa?e0?*", "the metric returned *expected a finite number*", "*pitcheval*"],
        consecutive=True,
    )


def test_a_metric_that_turns_a_failed_call_into_a_zero_is_an_error(suite: Suite) -> None:
    use_metric(
        suite,
        """
        try:
            return judge(example, pred)
        except Exception:
            return 0.0""",
    )
    suite.server.fail = lambda request: (
        Failure(message="out of order") if request.model == "judge" and question(request) == 1 else None
    )
    run = suite.run()
    run.result.assert_outcomes(passed=2, errors=1)
    assert [(test["status"], test["score"]) for test in run.tests] == [
        ("passed", 0.75),
        ("error", None),
        ("passed", 0.75),
    ]
    assert "the metric returned 0.0 after its LM call had failed" in run.tests[1]["error"]


def test_a_program_that_hides_a_failed_call_is_an_error(suite: Suite) -> None:
    use_program(
        suite,
        """
        try:
            return self.ask(question=question)
        except Exception:
            return dspy.Prediction(answer="Sorry, try again later.")""",
    )
    fail_model(suite.server, "generator")
    suite.rows(1)
    run = suite.run()
    run.result.assert_outcomes(errors=1)
    [test] = run.tests
    assert (test["status"], test["score"]) == ("error", None)
    assert not run.by("judge")


def test_a_program_that_recovers_is_scored(suite: Suite) -> None:
    use_program(
        suite,
        """
        try:
            dspy.settings.lm("a call that fails")
        except Exception:
            return self.ask(question=question)""",
    )
    suite.server.fail = lambda request: Failure() if "a call that fails" in request.prompt else None
    suite.rows(1)
    run = suite.run()
    run.result.assert_outcomes(passed=1)
    [test] = run.tests
    assert test["score"] == 0.75
    assert test["lm_calls"] == {"fresh": 3, "cached": 0, "failed": 1}


def test_a_failed_call_in_the_body_of_a_test_is_an_error(suite: Suite) -> None:
    use_free_form_test(suite, "record_score(len(program(question='question 1?').answer))")
    fail_model(suite.server, "generator")
    run = suite.run()
    run.result.assert_outcomes(errors=1)
    [test] = run.tests
    assert (test["status"], test["score"]) == ("error", None)


def test_an_assertion_in_the_body_of_a_test_is_a_failure(suite: Suite) -> None:
    use_free_form_test(suite, "assert program(question='question 1?').answer == 'forty-two'")
    run = suite.run()
    run.result.assert_outcomes(failed=1)
    [test] = run.tests
    assert (test["status"], test["score"], test["lm_calls"]["fresh"]) == ("failed", None, 1)
    assert "forty-two" in test["error"]


PATCHED = """

import json


@pytest.fixture(autouse=True)
def database(monkeypatch):
    monkeypatch.setattr(json, "dumps", None)
    raise RuntimeError("no database")
"""


def test_what_a_test_has_patched_ends_no_session(suite: Suite) -> None:
    suite.add("conftest.py", PATCHED)
    run = suite.run()
    run.result.assert_outcomes(errors=3)
    assert [test["error"] for test in run.tests] == ["RuntimeError: no database"] * 3


def test_a_skipped_test_leaves_a_record(suite: Suite) -> None:
    suite.write("test_qa.py", TEST.replace("assert score", "pytest.skip('not today')\n    assert score"))
    suite.rows(1)
    run = suite.run()
    run.result.assert_outcomes(skipped=1)
    assert run.result.ret == pytest.ExitCode.OK
    [test] = run.tests
    assert (test["status"], test["score"]) == ("skipped", 0.75)
    assert "not today" in test["error"]


def test_an_expected_failure_is_one(suite: Suite) -> None:
    suite.write("test_qa.py", TEST.replace("threshold=0.5)", "threshold=0.8)\n@pytest.mark.xfail(strict=True)"))
    suite.rows(1)
    run = suite.run()
    run.result.assert_outcomes(xfailed=1)
    assert run.result.ret == pytest.ExitCode.OK
    assert run.tests[0]["score"] == 0.75


def own_metrics(test: Mapping[str, Any]) -> dict[str, Any]:
    """A record's metrics without those that are measured for each test."""
    return {name: values for name, values in test["metrics"].items() if name not in MEASURED}


@pytest.mark.parametrize(
    ("returned", "score"),
    [("True", 1.0), ("False", 0.0), ("0.25", 0.25), ("1", 1.0), ("numpy.float64(0.25)", 0.25), ("numpy.bool_(1)", 1.0)],
)
def test_what_a_metric_may_return(suite: Suite, returned: str, score: float) -> None:
    use_metric(suite, f"        return {returned}")
    suite.rows(1)
    run = suite.run("--eval-threshold=0")
    run.result.assert_outcomes(passed=1)
    [test] = run.tests
    assert (test["score"], test["feedback"], own_metrics(test)) == (score, None, {})


def test_a_metric_may_return_feedback_and_further_numbers(suite: Suite) -> None:
    use_metric(suite, "        return dspy.Prediction(score=numpy.float32(0.5), feedback='so so', extra=0.3, why='x')")
    suite.rows(1)
    run = suite.run()
    run.result.assert_outcomes(passed=1)
    [test] = run.tests
    assert (test["score"], test["feedback"], own_metrics(test)) == (0.5, "so so", {"extra": [0.3]})


def test_a_free_form_test_records_scores(suite: Suite) -> None:
    use_free_form_test(
        suite,
        """
    answer = program(question="question 1?").answer
    record_score(0.4, name="brevity")
    score = record_score(len(answer) > 3, threshold=0.5, feedback="long enough")
    assert score.passed and score == 1 and score.threshold == 0.5""",
    )
    run = suite.run()
    run.result.assert_outcomes(passed=1)
    [test] = run.tests
    assert (test["score"], test["threshold"], test["feedback"]) == (1.0, 0.5, "long enough")
    assert own_metrics(test) == {"brevity": [0.4]}


@pytest.mark.parametrize("value", ["'high'", "None", "float('nan')", "[0.5]"])
def test_a_recorded_score_that_is_none_is_an_error_of_one_line(suite: Suite, value: str) -> None:
    use_free_form_test(suite, f"record_score({value})")
    run = suite.run()
    run.result.assert_outcomes(errors=1)
    assert (run.tests[0]["status"], run.tests[0]["score"]) == ("error", None)
    assert run.tests[0]["error"].startswith("record_score: ")
    run.result.stdout.fnmatch_lines(["record_score: *: expected a finite number or a bool"])


def test_a_threshold_that_nobody_set_is_an_error_of_one_line(suite: Suite) -> None:
    suite.write("test_qa.py", TEST.replace(", threshold=0.5", ""))
    suite.rows(1)
    run = suite.run()
    run.result.assert_outcomes(errors=1)
    assert (run.tests[0]["status"], run.tests[0]["score"], run.tests[0]["threshold"]) == ("error", 0.75, None)
    run.result.stdout.fnmatch_lines(["score.threshold: this test has no threshold; expected *--eval-threshold=X*"])


def test_the_command_line_sets_the_threshold(suite: Suite) -> None:
    suite.add("pytest.ini", "eval_threshold = 0.1\n")
    assert [test["threshold"] for test in suite.run().tests] == [0.5] * 3
    run = suite.run("--eval-threshold=0.8")
    run.result.assert_outcomes(failed=3)
    assert [test["threshold"] for test in run.tests] == [0.8] * 3
    suite.write("test_qa.py", TEST.replace(", threshold=0.5", ""))
    assert [test["threshold"] for test in suite.run().tests] == [0.1] * 3


@pytest.mark.parametrize("name", ["program", "metric", "trainset"])
def test_a_missing_fixture_is_shown(suite: Suite, name: str) -> None:
    suite.write("conftest.py", CONFTEST.replace(f"def {name}(", f"def not_{name}("))
    suite.rows(1)
    run = suite.run("--optimization=labeled")
    run.result.assert_outcomes(errors=1)
    run.result.stdout.fnmatch_lines(
        ["*ERROR at setup of test_qa?e0?*", f"no fixture '{name}'; expected *def {name}(): return *", "*pitcheval*"],
        consecutive=True,
    )
    assert not run.requests


def test_a_marker_that_is_of_no_use_fails_its_test(suite: Suite) -> None:
    suite.write("test_qa.py", TEST.replace("(score)", "()").replace("score >= score.threshold", "True"))
    run = suite.run()
    run.result.assert_outcomes(failed=1)
    run.result.stdout.fnmatch_lines(["evaluation marker: the test asks for none of example, prediction and score"])


def test_judge_errors_are_counted_and_shown(suite: Suite) -> None:
    suite.server.fail = lambda request: (
        Failure(message="out of order") if request.model == "judge" and question(request) % 10 == 3 else None
    )
    suite.rows(60)
    run = suite.run("--junitxml=junit.xml")
    run.result.assert_outcomes(passed=54, errors=6)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    scores = [test["score"] for test in run.tests]
    assert (len(scores), scores.count(0.75), scores.count(None)) == (60, 54, 6)
    assert run.document is not None
    [summary] = run.document["summary"]
    assert (summary["examples"], summary["scored"], summary["mean"]) == (60, 54, 0.75)
    assert len(summary["unscored"]) == 6
    run.result.stdout.fnmatch_lines(["  6 of 60 examples have no score *: the mean is of 54 of 60"])
    junit = ElementTree.parse(suite.path / "junit.xml").getroot().find("testsuite")
    assert junit is not None
    assert (junit.get("tests"), junit.get("errors"), junit.get("failures")) == ("60", "6", "0")
