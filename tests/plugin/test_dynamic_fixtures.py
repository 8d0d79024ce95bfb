"""Fixtures that are asked for while a test runs: they are what they are by name, or a line says what to write."""

from __future__ import annotations

import pytest
from support.suite import Suite

DYNAMIC = """
import pytest


@pytest.mark.usefixtures("record_score")
def test_named(request):
    request.getfixturevalue("record_score")(1)


@pytest.mark.evaluation("data.jsonl", inputs=["question"])
@pytest.mark.usefixtures("score")
def test_evaluation(request):
    assert request.getfixturevalue("score") == 0.75


@pytest.mark.parametrize("name", ["score", "prediction", "example"])
def test_unnamed(request, name):
    request.getfixturevalue(name)
"""


@pytest.mark.parametrize("alone", [True, False], ids=["alone", "beside-others"])
def test_what_belongs_to_an_example_is_asked_for_by_name(suite: Suite, alone: bool) -> None:
    suite.rows(1)
    suite.write("test_dynamic.py", DYNAMIC)
    arguments = ["-k", "unnamed"] if alone else []
    run = suite.run("test_dynamic.py", *arguments)
    run.result.assert_outcomes(failed=3, passed=0 if alone else 2, deselected=2 if alone else 0)
    lines = [line for line in run.result.outlines if "test_unnamed[" in line]
    named = 'expected them by name, as arguments or in @pytest.mark.usefixtures("score")'
    assert sum(line.startswith("test_unnamed[") and line.endswith(named) for line in lines) == 3
    assert len(run.requests) == (0 if alone else 2)


RECORDS = """
import pytest


def test_recorded(request):
    program = request.getfixturevalue("compiled_program")
    answer = program(question="by the request?").answer
    assert request.getfixturevalue("record_score")(bool(answer)) == 1
    assert str(request.getfixturevalue("rollout_id")).endswith("::test_recorded")


def test_not_ours(request):
    assert request.getfixturevalue("tmp_path").exists()
"""


@pytest.mark.parametrize("arguments", ["-p no:xdist", "-n2"])
def test_a_test_that_nobody_knew_of_leaves_its_record(suite: Suite, arguments: str) -> None:
    suite.write("test_qa.py", RECORDS)
    for _ in range(2):
        run = suite.run(*arguments.split(), "--eval-min-mean=0.9")
        run.result.assert_outcomes(passed=2)
        [record] = run.tests
        assert (record["nodeid"], record["score"], record["status"]) == ("test_qa.py::test_recorded", 1.0, "passed")
        assert record["lm_calls"] == {"fresh": 1, "cached": 0, "failed": 0}
        assert len(run.requests) == 1
        assert run.document is not None
        assert [gate["status"] for gate in run.document["gates"]] == ["passed"]


def test_a_method_is_none_for_a_program_that_was_asked_for_late(suite: Suite) -> None:
    suite.write("test_qa.py", RECORDS)
    run = suite.run("--optimization=labeled")
    run.result.assert_outcomes(passed=1, failed=1)
    told = [line for line in run.result.outlines if line.startswith("test_recorded: score, prediction and what")]
    assert len(told) == 1
    assert run.requests == []


LMS = """
import dspy
import pytest


def ask(lm):
    with dspy.context(lm=lm):
        return dspy.Predict("question -> answer")(question="the same?").answer


def test_first(request):
    first = ask(request.getfixturevalue("generator_lm"))
    assert first == ask(request.getfixturevalue("generator_lm"))


def test_second(request):
    ask(request.getfixturevalue("generator_lm"))


def test_judge(request):
    lm = request.getfixturevalue("evaluator_lm")
    lm("a verdict?")
    raise RuntimeError(lm.kwargs["api_key"])
"""


@pytest.mark.parametrize("overridden", [False, True])
def test_an_lm_that_is_asked_for_by_the_request_is_fresh(suite: Suite, overridden: bool) -> None:
    """In each test of each session, and no report shows its key; beside other tests of ours a user's own LM is, too."""
    suite.write("test_qa.py", LMS)
    if overridden:
        lm = f'dspy.LM("openai/generator", api_base={suite.server.url!r}, api_key="sk-for-tests-only")'
        suite.add("conftest.py", f'\n\n@pytest.fixture(scope="session")\ndef generator_lm():\n    return {lm}\n')
        suite.write("test_ours.py", "def test_ours(record_score):\n    record_score(1)\n")
    for _ in range(2):
        run = suite.run()
        run.result.assert_outcomes(passed=3 if overridden else 2, failed=1)
        assert [request.model for request in run.requests] == ["generator", "generator", "judge"]
        assert "sk-for-tests-only" not in run.text
