"""Fixtures that are asked for while a test runs: they work where the test names them, and say so elsewhere."""

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


@pytest.mark.parametrize("name", ["score", "prediction", "record_score", "rollout_id", "compiled_program", "example"])
def test_unnamed(request, name):
    request.getfixturevalue(name)
"""


@pytest.mark.parametrize("alone", [True, False], ids=["alone", "beside-others"])
def test_fixtures_that_are_asked_for_by_the_request(suite: Suite, alone: bool) -> None:
    suite.rows(1)
    suite.write("test_dynamic.py", DYNAMIC)
    arguments = ["-k", "unnamed"] if alone else []
    run = suite.run("test_dynamic.py", *arguments)
    run.result.assert_outcomes(failed=6, passed=0 if alone else 2, deselected=2 if alone else 0)
    lines = [line for line in run.result.outlines if "test_unnamed[" in line]
    named = 'expected them by name, as arguments or in @pytest.mark.usefixtures("score")'
    assert sum(line.startswith("test_unnamed[") and line.endswith(named) for line in lines) == 6
    assert len(run.requests) == (0 if alone else 2)
