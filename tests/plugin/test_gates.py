"""Gates: what all examples of a test must reach together."""

from __future__ import annotations

from typing import Any

import pytest
from support.openai_server import Failure, Request, chat_format, dspy_answer
from support.suite import TEST, Run, Suite


def gated(suite: Suite, gates: str) -> None:
    """Put gates into the marker; the test itself asserts nothing, so that only they can fail."""
    marker = TEST.replace("threshold=0.5", f"threshold=0.5, {gates}")
    suite.write("test_qa.py", marker.replace("assert score >= score.threshold", "pass"))


def gates_of(run: Run) -> list[dict[str, Any]]:
    assert run.document is not None
    gates: list[dict[str, Any]] = run.document["gates"]
    return gates


def judge_low(request: Request) -> str:
    """Question 1 scores 0, the others 0.9."""
    if request.model != "judge":
        return dspy_answer(request)
    return chat_format(score=0.0 if "question 1?" in request.prompt else 0.9, feedback="")


def test_gates_that_hold(suite: Suite) -> None:
    gated(suite, "min_mean=0.75, min_pass_rate=1")
    run = suite.run()
    run.result.assert_outcomes(passed=3)
    assert run.result.ret == pytest.ExitCode.OK
    assert [(gate["gate"], gate["status"], gate["value"], gate["limit"]) for gate in gates_of(run)] == [
        ("min_mean", "passed", 0.75, 0.75),
        ("min_pass_rate", "passed", 1.0, 1),
    ]
    run.result.stdout.fnmatch_lines(["ok * min_mean=0.75 test_qa.py::test_qa *", "ok * min_pass_rate=1 *"])


def test_a_gate_that_fails_is_one_line_and_exit_code_1(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    gated(suite, "min_mean=0.8")
    run = suite.run(*plugin_args)
    run.result.assert_outcomes(passed=3)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    [gate] = gates_of(run)
    assert (gate["test"], gate["optimization"], gate["gate"]) == ("test_qa.py::test_qa", "none", "min_mean")
    assert (gate["status"], gate["value"], gate["limit"]) == ("failed", 0.75, 0.8)
    lines = [line for line in run.result.stdout.lines if line.startswith("FAIL ")]
    assert lines == ["FAIL min_mean=0.8 test_qa.py::test_qa [none]: mean 0.75 is below 0.8"]
    assert "Traceback" not in run.text


def test_a_pass_rate_counts_passed_tests(suite: Suite) -> None:
    gated(suite, "min_pass_rate=0.7")
    suite.add("test_qa.py", "    assert score > 0.5\n")
    suite.server.answer = judge_low
    run = suite.run()
    run.result.assert_outcomes(passed=2, failed=1)
    assert (gates_of(run)[0]["status"], gates_of(run)[0]["value"]) == ("failed", 2 / 3)
    assert (suite.run("-k", "e0 or e2").result.ret) == pytest.ExitCode.OK


def test_the_mean_of_survivors_passes_no_gate(suite: Suite) -> None:
    gated(suite, "min_mean=0.5, min_pass_rate=0.6")
    suite.server.fail = lambda request: (
        Failure() if request.model == "judge" and "question 1?" in request.prompt else None
    )
    run = suite.run()
    run.result.assert_outcomes(passed=2, errors=1)
    assert [(gate["gate"], gate["status"]) for gate in gates_of(run)] == [
        ("min_mean", "failed"),
        ("min_pass_rate", "passed"),
    ]
    run.result.stdout.fnmatch_lines(["FAIL min_mean=0.5 *: 1 of 3 examples have no score", "ok * min_pass_rate=0.6 *"])


def test_an_example_that_was_skipped_fails_the_mean(suite: Suite) -> None:
    gated(suite, "min_mean=0.5")
    suite.add("conftest.py", "\n\ndef pytest_runtest_setup(item):\n    if 'e1' in item.name:\n        pytest.skip()\n")
    run = suite.run()
    run.result.assert_outcomes(passed=2, skipped=1)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert gates_of(run)[0]["reason"] == "1 of 3 examples have no score"


def test_each_method_has_its_own_gates(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    def answer(request: Request) -> str:
        if request.model == "judge":
            return chat_format(score=0.9 if "shown the way" in request.prompt else 0.4, feedback="")
        return chat_format(answer="shown the way" if "trained" in request.prompt else "alone")

    gated(suite, "min_mean=0.8")
    suite.server.answer = answer
    run = suite.run("--optimization=none,labeled", *plugin_args)
    run.result.assert_outcomes(passed=6)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert [(gate["optimization"], gate["status"]) for gate in gates_of(run)] == [
        ("none", "failed"),
        ("labeled", "passed"),
    ]
    run.result.stdout.fnmatch_lines(["FAIL min_mean=0.8 * ?none?: *", "ok * min_mean=0.8 * ?labeled?: *"])


def test_a_wrong_gate_fails_its_test(suite: Suite) -> None:
    gated(suite, "min_mean='high'")
    run = suite.run()
    run.result.assert_outcomes(failed=1)
    run.result.stdout.fnmatch_lines(
        ["evaluation marker: min_mean='high': expected a number, 0 or more, or a mapping of metrics to numbers"]
    )
